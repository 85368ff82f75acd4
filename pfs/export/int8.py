"""An exported network with weights and activations in 8 bits, and what that costs in mIoU."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from pfs.config.files import write_whole
from pfs.data.dataset import SegmentationDataset
from pfs.export.description import Quantised
from pfs.export.folder import ExportError
from pfs.export.onnx_file import quiet
from pfs.export.session import Pixels, Session, first_line
from pfs.study.records import SPLITS
from pfs.training.evaluation import count_pairs, score

CALIBRATION_IMAGES = 100


def write_int8(onnx_file: Path, file: Path, splits: dict[str, SegmentationDataset]) -> Quantised:
    """Quantise an ONNX file, calibrated on training images, and score both networks on val and test.

    Weights have a scale for each output channel, activations one each, from their least and largest value. All
    convolutions are quantised: for the students of `quick`, to leave the first and the last in fp32 gained nothing.

    Args:
        onnx_file: as `pfs.export.onnx_file` writes it.
        file: where the int8 network goes.
        splits: the study's data, by split.

    Raises:
        ExportError: what quantisation needs is not installed.
    """
    training = splits["train"]
    images = [_pixels(training, index) for index in _evenly(len(training), CALIBRATION_IMAGES)]
    quantise(onnx_file, file, images)
    fp32, int8 = (_scores(Session(path), splits) for path in (onnx_file, file))
    return Quantised(fp32=fp32, int8=int8, calibrated_on=len(images))


def quantise(onnx_file: Path, file: Path, images: list[Pixels]) -> None:
    """Quantise an ONNX file.

    Args:
        onnx_file: as `pfs.export.onnx_file` writes it.
        file: where the int8 network goes.
        images: (H, W, 3) each, of which the ranges of activations are taken.

    Raises:
        ExportError: what quantisation needs is not installed, or it fails.
        OSError: the file cannot be written.
    """
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise ExportError(f"{error.name} is not installed: .venv/bin/pip install -e '.[onnx]'") from None
    with tempfile.TemporaryDirectory(dir=file.parent) as folder, write_whole(file) as partial, quiet():
        prepared = str(Path(folder) / "prepared.onnx")
        try:
            quantization.quant_pre_process(str(onnx_file), prepared, skip_symbolic_shape=True)
            quantization.quantize_static(
                prepared,
                str(partial),
                _reader(images),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=["Conv", "Add", "MaxPool", "Concat"],
            )
        except OSError:
            raise
        except Exception as error:  # ONNX Runtime's own types, which share no base
            said = f"ONNX Runtime cannot quantise it ({first_line(error)}); is there space in {file.parent}?"
            raise ExportError(f"{onnx_file}: {said}") from None


def _reader(images: list[Pixels]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Images, one after the other, as ONNX Runtime's calibration asks for them."""

        def __init__(self) -> None:
            self.remaining = iter(images)

        def get_next(self) -> dict[str, Pixels] | None:
            """The next input, or None after the last."""
            image = next(self.remaining, None)
            return None if image is None else {"images": image[None]}

    return Reader()


def _scores(session: Session, splits: dict[str, SegmentationDataset]) -> dict[str, float]:
    return {split: miou(session, splits[split]) for split in SPLITS}


def miou(session: Session, split: SegmentationDataset) -> float:
    """The mIoU, in percent, of a network that is shown each image of a split whole, at the labels' resolution."""
    counts = [
        count_pairs(labels, predicted, classes=len(split.classes), ignore_index=split.ignore_index)
        for labels, predicted in _predictions(session, split)
    ]
    return score(torch.cat(counts), split.classes).miou


def _predictions(session: Session, split: SegmentationDataset) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The labels and the predictions of each image, (1, H, W) int64."""
    for index in tqdm(range(len(split)), desc=f"scoring {split.split}", unit="image", leave=False, disable=None):
        image, mask = split[index]
        predicted = session(np.asarray(image)[None]).argmax(1)
        yield torch.from_numpy(np.array(mask))[None].long(), torch.from_numpy(predicted)


def _pixels(split: SegmentationDataset, index: int) -> Pixels:
    return np.asarray(split[index][0])


def _evenly(count: int, wanted: int) -> list[int]:
    """At most so many of `count` indices, evenly spread."""
    return sorted({index * count // wanted for index in range(wanted)}) if count > wanted else list(range(count))

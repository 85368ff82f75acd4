"""Weights in 8 bits, a scale for each channel; and the mIoU of both networks is that of whole images."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pfs.config.data import DigitScenesConfig
from pfs.data.build import build
from pfs.data.dataset import SegmentationDataset
from pfs.export.description import Quantised
from pfs.export.folder import ONNX, ExportError
from pfs.export.int8 import _evenly, miou, quantise, write_int8
from pfs.export.session import Session
from tests.export.conftest import largest_file


@pytest.fixture(scope="module")
def splits(data: Path) -> dict[str, SegmentationDataset]:
    """The fixture's network has three classes: every digit is the second."""
    found: dict[str, SegmentationDataset] = dict(
        build(DigitScenesConfig(name="digit_scenes", train=4, val=2, test=8), data)
    )
    for split in found.values():
        split.classes = split.classes[:3]
        split.labels = lambda mask: mask.point(lambda label: min(label, 1) if label != 255 else 255)  # type: ignore[method-assign]
    return found


@pytest.fixture(scope="module")
def quantised(
    exported: Path, splits: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Quantised]:
    for split in splits.values():  # all labels of the files are allowed
        split.read_files = lambda index, split=split: _read(split, index)
    file = tmp_path_factory.mktemp("int8") / "model.int8.onnx"
    return file, write_int8(exported / ONNX, file, splits)


def _read(split: SegmentationDataset, index: int) -> Any:
    from PIL import Image

    image, mask = split.files(index)
    return Image.open(image).convert("RGB"), Image.open(mask)


def test_all_convolutions_have_weights_of_8_bits_with_a_scale_for_each_channel(
    exported: Path, quantised: tuple[Path, Quantised]
) -> None:
    convolutions = [node for node in onnx.load(str(exported / ONNX)).graph.node if node.op_type == "Conv"]
    graph = onnx.load(str(quantised[0])).graph
    weights = [value for value in graph.initializer if value.data_type == TensorProto.INT8 and len(value.dims) == 4]
    assert len(weights) == len(convolutions)
    scales = {value.name: value for value in graph.initializer}
    for weight in weights:
        (node,) = (node for node in graph.node if weight.name in node.input)
        assert list(scales[node.input[1]].dims) == [weight.dims[0]]


def test_logits_stay_near_and_both_scores_are_told(
    exported: Path, quantised: tuple[Path, Quantised], splits: Any
) -> None:
    file, told = quantised
    images = np.stack([np.asarray(splits["test"][index][0]) for index in range(8)])
    fp32, int8 = (Session(path)(images) for path in (exported / ONNX, file))
    assert 0 < np.abs(int8 - fp32).max() < 0.2 * np.abs(fp32).max()
    assert told.fp32 == {split: miou(Session(exported / ONNX), splits[split]) for split in ("val", "test")}
    assert told.int8 == {split: miou(Session(file), splits[split]) for split in ("val", "test")}
    assert told.calibrated_on == 4


def test_miou_is_counted_over_all_images_of_a_split(splits: Any) -> None:
    """A network that knows every label has 100 %, and one that sees background alone half of its share of pixels."""
    split = splits["test"]
    labels = {np.asarray(split[index][0]).tobytes(): np.asarray(split[index][1]) for index in range(8)}

    def knowing(images: np.ndarray) -> np.ndarray:
        return np.array(labels[images[0].tobytes()] == np.arange(3)[:, None, None], np.float32)[None]

    def blind(images: np.ndarray) -> np.ndarray:
        return np.stack([np.ones((64, 64)), np.zeros((64, 64)), np.zeros((64, 64))])[None]

    assert miou(knowing, split) == 100  # type: ignore[arg-type]
    everything = np.stack(list(labels.values()))
    share = (everything == 0).sum() / (everything != 255).sum()
    assert miou(blind, split) == pytest.approx(100 * share / 2)  # type: ignore[arg-type]


def test_calibration_images_are_spread_evenly() -> None:
    assert _evenly(3, 100) == [0, 1, 2]
    assert _evenly(10, 5) == [0, 2, 4, 6, 8]


def test_a_full_disk_is_one_line_and_nothing_stays(exported: Path, tmp_path: Path) -> None:
    """ONNX Runtime meets it first, in errors of its own kind."""
    image = np.zeros((32, 32, 3), np.uint8)
    with largest_file(1000), pytest.raises((OSError, ExportError)) as raised:
        quantise(exported / ONNX, tmp_path / "model.int8.onnx", [image])
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []

"""A split as tensors, decoded once and mapped into memory from then on."""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from pfs.config.checksums import LIST, BrokenFileError, check_files_once, sha256, write_checksums
from pfs.data.dataset import DatasetError, Pixels, SegmentationDataset, _size, checksum
from pfs.data.loading import images


def decoded(dataset: SegmentationDataset) -> tuple[Tensor, Tensor]:
    """A split as two tensors, for images of one size: images (N, 3, H, W) and labels (N, H, W), both uint8.

    The first call decodes and checks the files, and keeps the tensors beside them. Later calls map that file
    into memory, unless anything has been written to the split since.

    Raises:
        DatasetError: a file cannot be read, a label cannot be, the images are of several sizes, or the pixels are not
            those of checksums.json.
    """
    if dataset.names != dataset.listed:
        part = set(dataset.names)
        rows = [row for row, name in enumerate(dataset.listed) if name in part]
        pixels, classes = decoded(dataset.part(dataset.listed))
        return pixels[rows], classes[rows]
    expected = dataset.checksums[dataset.split]
    # The number of classes is in the name, for one mask may be read in two ways: Pascal Context has 59 or 60.
    return cached(dataset, f"{dataset.split}-{len(dataset.classes)}-{expected[:12]}", lambda: _decode(dataset))


def cached(dataset: SegmentationDataset, name: str, make: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """What `make` makes of a split, images and labels, from a file of that name beside the data, mapped into memory.

    It is made when it is not there yet, when the code that reads the data is not what it was, when anything has been
    written to the split since, or when the file is broken.
    """
    file = dataset.folder / "decoded" / f"{name}-{_code_that_reads(dataset)}.pt"
    if not file.is_file() or file.stat().st_mtime_ns < _last_change(dataset) or _is_broken(file):
        _save_whole(make(), file)
    tensors: tuple[Tensor, Tensor] = torch.load(file, mmap=True, weights_only=True)
    return tensors


def _code_that_reads(dataset: SegmentationDataset) -> str:
    """A hash of the files that turn a data set's files into pixels: eight hexadecimal digits."""
    kinds = [kind for kind in type(dataset).__mro__ if issubclass(kind, SegmentationDataset)]
    sources = [inspect.getsource(module) for module in (images, *map(inspect.getmodule, kinds)) if module is not None]
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:8]


def _last_change(dataset: SegmentationDataset) -> int:
    """When a file of the split was last written, added or removed, in nanoseconds since the epoch."""
    folders = {file.parent for index in range(len(dataset)) for file in dataset.files(index)}
    entries = (entry for folder in folders for entry in os.scandir(folder))
    files = [entry.stat().st_mtime_ns for entry in entries if Path(entry).exists()]  # editors leave links to nothing
    return max(*files, *(path.stat().st_mtime_ns for path in (*folders, dataset.list_file)))


def _is_broken(file: Path) -> bool:
    """Whether a file of cached tensors is not as it was written, which is told in one line."""
    try:
        check_files_once(_checksums(file))
    except BrokenFileError as error:
        print(f"{error}: the images are decoded again")
        return True
    return False


def _checksums(file: Path) -> Path:
    return file.with_name(f"{file.name}.{LIST}")


def _decode(dataset: SegmentationDataset) -> tuple[Tensor, Tensor]:
    pixels: list[Pixels] = []
    labels: list[Pixels] = []

    def contents() -> Iterator[tuple[bytes, bytes]]:
        for index in tqdm(range(len(dataset)), desc=f"decoding {dataset.split}", unit="image", leave=False):
            image, mask = dataset.read_files(index)
            pixels.append(np.asarray(image).transpose(2, 0, 1))  # (3, H, W)
            labels.append(np.asarray(dataset.labels(mask)))  # (H, W)
            if labels[-1].shape != labels[0].shape:
                # Not broken, so there is nothing to mend: a study can take them as they are.
                raise DatasetError(
                    f"{dataset.files(index)[0].resolve()} is {_size(image)}, but the split's first is of another size: "
                    "they make no one tensor; say augmentation, which crops them, and evaluation in the study"
                )
            yield dataset.content(index, image, mask)

    if (found := checksum(contents())) != dataset.checksums[dataset.split]:
        raise dataset.wrong_checksum(found)
    return torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(labels))


def _save_whole(tensors: tuple[Tensor, Tensor], file: Path) -> None:
    """Written under another name first, so that no reader meets half a file."""
    file.parent.mkdir(exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        torch.save(tensors, partial)
        write_checksums(_checksums(file), [], {file.name: sha256(partial)})
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)

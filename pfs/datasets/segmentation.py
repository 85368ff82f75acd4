"""Segmentation data sets in the layout of PASCAL VOC: what they all have, and what can be wrong with them.

<folder>/JPEGImages/<name>.png              the image, lossless
<folder>/SegmentationClass/<name>.png       its labels, a palette PNG; 255 is not scored
<folder>/ImageSets/Segmentation/<split>.txt one name a line
<folder>/checksums.json                     how many images a split has, and its pixels' sha256
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

Pixels = npt.NDArray[np.uint8]
SPLITS = ("train", "val", "test")
IMAGES, LABELS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


class DatasetError(ValueError):
    """A file of a data set is missing, broken, or says something that cannot be."""


def voc_palette() -> Pixels:
    """VOC's colours, (256, 3): the bits of the label, dealt to red, green and blue from the highest down."""
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((labels >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return palette


class SegmentationDataset(Dataset[tuple[Any, Any]]):
    """One split of a data set in VOC's layout; an item is an image and its labels.

    Args:
        folder: the folder that holds JPEGImages and the rest.
        split: "train", "val" or "test".
        transforms: called with (image, mask), as torchvision's reference transforms are.

    Raises:
        DatasetError: the split's list or checksums.json is missing or broken. So does reading an item whose
            files are missing, unreadable, of different sizes, or hold a label that is no class and not 255.
    """

    classes: ClassVar[tuple[str, ...]]
    palette: ClassVar[Pixels] = voc_palette()
    ignore_index: ClassVar[int] = 255

    def __init__(
        self, folder: str | Path, split: str, transforms: Callable[..., tuple[Any, Any]] | None = None
    ) -> None:
        self.folder = Path(folder)
        self.transforms = transforms
        self.split = split
        self.names = self._read(self.folder / LISTS / f"{split}.txt").split()
        self.count, self.checksums = self._read_checksums()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image (RGB) and its mask (mode P) as PIL images, or what `transforms` makes of them."""
        image, mask = self.read(index)
        return self.transforms(image, mask) if self.transforms else (image, mask)

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        return tuple(self.folder / kind / f"{self.names[index]}.png" for kind in (IMAGES, LABELS))  # type: ignore[return-value]

    def read(self, index: int) -> tuple[Image.Image, Image.Image]:
        """An item's image (RGB) and mask (mode P), checked, before any transform."""
        image_file, mask_file = self.files(index)
        image, mask = self._open(image_file).convert("RGB"), self._open(mask_file)
        if mask.mode != "P":
            raise self.error(mask_file, f"is of mode {mask.mode}, not a palette PNG of labels")
        if mask.size != image.size:
            raise self.error(mask_file, f"is {_size(mask)}, but its image is {_size(image)}")
        unknown = set(np.unique(np.asarray(mask)).tolist()) - {*range(len(self.classes)), self.ignore_index}
        if unknown:
            values = ", ".join(map(str, sorted(unknown)))
            allowed = f"a class (0 to {len(self.classes) - 1}) nor {self.ignore_index}"
            raise self.error(mask_file, f"holds the label {values}, which is neither {allowed}")
        return image, mask

    def verify(self) -> None:
        """Read the whole split: how many, readable, sizes, labels, checksum.

        Raises:
            DatasetError: everything that is wrong, one line each.
        """
        problems = []
        if len(self) != self.count:
            file = self.folder / LISTS / f"{self.split}.txt"
            problems.append(self.error(file, f"lists {len(self)} images instead of {self.count}"))
        pixels = []
        for index in range(len(self)):
            try:
                pixels.append(_arrays(*self.read(index)))
            except DatasetError as error:
                problems.append(error)
        if not problems and (found := checksum(pixels)) != self.checksums[self.split]:
            problems.append(self.wrong_checksum(found))
        if problems:
            raise DatasetError("\n".join(map(str, problems)))

    def wrong_checksum(self, found: str) -> DatasetError:
        """The error that says that this split's pixels or labels are not those that were written."""
        problem = f"the {self.split} split's checksum is {found[:12]}, not {self.checksums[self.split][:12]}"
        return self.error(self.folder, f"{problem}: a pixel or label has changed")

    def error(self, file: Path, problem: str) -> DatasetError:
        """One line: the file, what is wrong with it, how to mend it."""
        return DatasetError(f"{file} {problem}; {self.mend}")

    @property
    def mend(self) -> str:
        """How to mend a broken data set of this kind."""
        return f"delete {self.folder} and fetch the data set again"

    def _read(self, file: Path) -> str:
        if not file.is_file():
            raise self.error(file, "is missing")
        return file.read_text()

    def _read_checksums(self) -> tuple[int, dict[str, str]]:
        file = self.folder / "checksums.json"
        try:
            content = json.loads(self._read(file))
            return content["recipe"][self.split], {split: content["sha256"][split] for split in SPLITS}
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise self.error(file, f"is broken ({error!r})") from error

    def _open(self, file: Path) -> Image.Image:
        try:
            with Image.open(file) as image:
                image.load()
        except FileNotFoundError:
            raise self.error(file, "is missing") from None
        except (OSError, SyntaxError) as error:  # Pillow reports a broken PNG chunk as a SyntaxError
            raise self.error(file, f"cannot be read as an image ({error})") from error
        return image


def checksum(pixels: Iterable[tuple[Pixels, Pixels]]) -> str:
    """The sha256 of images (H, W, 3) and labels (H, W), taken in order."""
    digest = hashlib.sha256()
    for image, label in pixels:
        digest.update(image.tobytes())
        digest.update(label.tobytes())
    return digest.hexdigest()


def data_checksum(dataset: SegmentationDataset) -> str:
    """One sha256 for the whole data set that this split belongs to: pixels and labels of all splits."""
    return hashlib.sha256(json.dumps(dataset.checksums, sort_keys=True).encode()).hexdigest()


def decoded(dataset: SegmentationDataset) -> tuple[Tensor, Tensor]:
    """A split as two tensors, for images of one size: images (N, 3, H, W) and labels (N, H, W), both uint8.

    The first call decodes and checks the files, and keeps the tensors beside them. Later calls map that file
    into memory, unless anything has been written to the data set since.

    Raises:
        DatasetError: a file cannot be read, a label cannot be, or the pixels are not those of checksums.json.
    """
    expected = dataset.checksums[dataset.split]
    file = dataset.folder / "decoded" / f"{dataset.split}-{expected[:12]}.pt"
    if not file.is_file() or file.stat().st_mtime_ns < _last_change(dataset.folder):
        _save_whole(_decode(dataset), file)
    images, labels = torch.load(file, mmap=True, weights_only=True)
    return images, labels


def _last_change(folder: Path) -> int:
    """When a file of the data set was last written, added or removed, in nanoseconds since the epoch."""
    folders = [folder / kind for kind in (IMAGES, LABELS, LISTS)]
    files = [entry.stat().st_mtime_ns for inner in folders for entry in os.scandir(inner)]
    return max(*files, *(inner.stat().st_mtime_ns for inner in folders))


def _decode(dataset: SegmentationDataset) -> tuple[Tensor, Tensor]:
    progress = tqdm(range(len(dataset)), desc=f"decoding {dataset.split}", unit="image", leave=False)
    pixels = [_arrays(*dataset.read(index)) for index in progress]
    if (found := checksum(pixels)) != dataset.checksums[dataset.split]:
        raise dataset.wrong_checksum(found)
    images = np.stack([image.transpose(2, 0, 1) for image, _ in pixels])  # (N, 3, H, W)
    labels = np.stack([label for _, label in pixels])  # (N, H, W)
    return torch.from_numpy(images), torch.from_numpy(labels)


def _save_whole(tensors: tuple[Tensor, Tensor], file: Path) -> None:
    """Written under another name first, so that no reader meets half a file."""
    file.parent.mkdir(exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        torch.save(tensors, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _arrays(image: Image.Image, mask: Image.Image) -> tuple[Pixels, Pixels]:
    return np.asarray(image), np.asarray(mask)


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"

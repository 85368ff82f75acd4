"""What segmentation data sets have in common, and what can be wrong with one.

A data set is a folder; `checksums.json` in it holds how many images each split has and the sha256 of what they are.
Where images, masks and lists lie in that folder is the data set's own, in its own file beside this one.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from copy import copy
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from pfs.data.install.contents import Tally
from pfs.data.install.state import checksum_of
from pfs.data.loading.images import ImageError, as_mask, as_rgb, open_image

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


class SegmentationDataset(Dataset[tuple[Image.Image, Image.Image]]):
    """One split of a data set; an item is an image and its labels, both PIL images.

    A subclass says where the files are: `list_file`, `files`, and `_read_names` where the list is not one name a line.

    Args:
        folder: the folder that holds the data set.
        split: the split's name.

    Raises:
        DatasetError: the split's list or checksums.json is missing or broken. So does reading an item whose
            files are missing, unreadable, of different sizes, or hold a label that is no class and not void.

    Attributes:
        classes: their names, in the order of the labels.
        palette: (256, 3), a colour a label.
        ignore_index: the label of pixels that are not scored.
        first: the value of the first class in the files; its label is 0.
        void: the value in the files of pixels that are not scored.
        names: of the split's images, in order; or of a part of them.
        listed: all names of the split, in order.
        count: how many images the split must have; None where nobody knows.
        checksums: split -> sha256, as they were when the data set was put into place; else empty.
    """

    classes: tuple[str, ...]
    palette: ClassVar[Pixels] = voc_palette()
    ignore_index: ClassVar[int] = 255
    first: ClassVar[int] = 0
    void: ClassVar[int] = 255
    count: int | None
    checksums: dict[str, str]

    def __init__(self, folder: str | Path, split: str) -> None:
        self.folder = Path(folder)
        self.split = split
        self.names = self.listed = self._read_names()
        self.count, self.checksums = self._read_checksums()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Image.Image, Image.Image]:
        """An item's image (RGB) and its labels (one channel), checked."""
        image, mask = self.read_files(index)
        return image, self.labels(mask)

    @property
    def list_file(self) -> Path:
        """The file that names the split's images, or the folder that holds them."""
        return self.folder / LISTS / f"{self.split}.txt"

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        name = f"{self.names[index]}.png"
        return self.folder / IMAGES / name, self.folder / LABELS / name

    def read_files(self, index: int) -> tuple[Image.Image, Image.Image]:
        """An item's image (RGB) and its mask with the values that it has on disk, checked."""
        image_file, mask_file = self.files(index)
        image, mask = self._open_image(image_file), self._open_mask(mask_file)
        if mask.size != image.size:
            raise self.error(mask_file, f"is {_size(mask)}, but its image is {_size(image)}")
        last = self.first + len(self.classes) - 1
        found = np.flatnonzero(np.bincount(np.asarray(mask).ravel())).tolist()
        if unknown := sorted(set(found) - {*range(self.first, last + 1), self.void}):
            values = ", ".join(map(str, unknown[:9])) + (", ..." if len(unknown) > 9 else "")
            allowed = f"a class ({self.first} to {last}) nor {self.void}"
            raise self.error(mask_file, f"holds the label {values}, which is neither {allowed}{_meant(unknown, last)}")
        return image, mask

    def labels(self, mask: Image.Image) -> Image.Image:
        """A mask with a file's values as one with labels: classes from 0 up, 255 where nothing is scored."""
        if (self.first, self.void) == (0, self.ignore_index):
            return mask
        values = np.asarray(mask)
        return Image.fromarray(
            np.where(values == self.void, np.uint8(self.ignore_index), values - np.uint8(self.first))
        )

    def content(self, index: int, image: Image.Image, mask: Image.Image) -> tuple[bytes, bytes]:
        """What the checksum takes of an item that `read_files` has read.

        Pixels; but of a JPEG the file's bytes, for decoders round its pixels differently.
        """
        file = self.files(index)[0]
        encoded = file.suffix.lower() in (".jpg", ".jpeg")
        return file.read_bytes() if encoded else image.tobytes(), mask.tobytes()

    def part(self, names: Collection[str]) -> Self:
        """The same split with those of its images alone."""
        part = copy(self)
        part.names = [name for name in self.listed if name in names]
        return part

    def verify(self, tally: Tally | None = None) -> str:
        """Read the whole split: how many, readable, sizes, labels, checksum.

        Args:
            tally: counts what the split holds while it is read.

        Returns:
            The split's checksum.

        Raises:
            DatasetError: everything that is wrong, one line each.
        """
        problems = self._wrong_count()

        def contents() -> Iterator[tuple[bytes, bytes]]:
            for index in tqdm(range(len(self)), desc=f"verifying {self.split}", unit="image", leave=False):
                try:
                    image, mask = self.read_files(index)
                    content = self.content(index, image, mask)
                    if tally is not None:
                        tally.add(self.names[index], image, self.labels(mask), content[0])
                    yield content
                except DatasetError as error:
                    problems.append(error)

        found = checksum(contents())
        if not problems and found != self.checksums.get(self.split, found):
            problems.append(self.wrong_checksum(found))
        if problems:
            raise DatasetError("\n".join(map(str, problems)))
        return found

    def _wrong_count(self) -> list[DatasetError]:
        if self.count is not None and len(self) != self.count:
            return [self.error(self.list_file, f"lists {len(self)} images instead of {self.count}")]
        return [] if len(self) else [self.error(self.list_file, "lists no image: the split is empty")]

    def wrong_checksum(self, found: str) -> DatasetError:
        """The error that says that this split's pixels or labels are not those that were written."""
        problem = f"the {self.split} split's checksum is {found[:12]}, not {self.checksums[self.split][:12]}"
        return self.error(self.folder, f"{problem}: a pixel or label has changed, or the list of images")

    def error(self, file: Path, problem: str) -> DatasetError:
        """One line: the file, what is wrong with it, how to mend it."""
        return DatasetError(f"{file} {problem}; {self.repair_hint}")

    @property
    def repair_hint(self) -> str:
        """How to mend a broken data set of this kind."""
        return f"delete {self.folder} and fetch the data set again"

    def _read_names(self) -> list[str]:
        return self._read(self.list_file).split()

    def _read(self, file: Path) -> str:
        if not file.is_file():
            raise self.error(file, "is missing")
        try:
            text = file.read_text(encoding="utf-8-sig")  # a byte-order mark, which some editors write, is no letter
        except UnicodeDecodeError as error:
            raise self.error(file, f"is not text in UTF-8 ({error})") from error
        if "\0" in text:  # no name of a file may hold it
            raise self.error(file, "is not text: it holds a byte that is zero")
        return text

    def _read_checksums(self) -> tuple[int | None, dict[str, str]]:
        file = self.folder / "checksums.json"
        try:
            content = json.loads(self._read(file))
            sums = dict(content["sha256"])
            return content["recipe"][self.split], {self.split: sums[self.split], **sums}
        except (ValueError, KeyError, TypeError) as error:
            raise self.error(file, f"is broken ({error!r})") from error

    def _open_image(self, file: Path) -> Image.Image:
        try:
            return as_rgb(open_image(file))
        except ImageError as error:
            raise self.error(file, str(error)) from error

    def _open_mask(self, file: Path) -> Image.Image:
        try:
            return as_mask(open_image(file))
        except ImageError as error:
            raise self.error(file, str(error)) from error


def _meant(unknown: list[int], last: int) -> str:
    """A hint at what labels may be that are no class, the last of which is `last`; nothing where there is none."""
    if unknown == [last + 1]:
        return "; if the labels count from 1 and 0 is void, say --first-class 1"
    return "; instances or colours are no labels" if len(unknown) > 1 else ""


def checksum(contents: Iterable[tuple[bytes, bytes]]) -> str:
    """The sha256 of images and masks, taken in order; of each its pixels, or what `content` says."""
    digest = hashlib.sha256()
    for image, mask in contents:
        digest.update(image)
        digest.update(mask)
    return digest.hexdigest()


def data_checksum(dataset: SegmentationDataset) -> str:
    """One sha256 for the whole data set that this split belongs to: pixels, labels and names of the classes."""
    return checksum_of(dataset.folder, dataset.checksums)


def hold_out(dataset: SegmentationDataset, count: int) -> tuple[SegmentationDataset, SegmentationDataset]:
    """Part a training split into what is learnt from and `count` images that are held out, to choose on.

    Held out are those of the lowest sha256 of their names: as good as drawn, and the same on every machine.

    Raises:
        DatasetError: nothing would be left to learn from.
    """
    if count >= len(dataset.names):
        has = f"has {len(dataset.names)} images"
        raise DatasetError(f"{dataset.list_file}: {dataset.split} {has}: holdout: {count} leaves none to learn from")
    drawn = sorted(dataset.names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return dataset.part(set(drawn[count:])), dataset.part(set(drawn[:count]))


def hold_out_sequence(dataset: SegmentationDataset, sequence: str) -> tuple[SegmentationDataset, SegmentationDataset]:
    """Part a training split of films into what is learnt from and one sequence, to choose on.

    An image's sequence is what its name has before the first underscore: 0006R0 of 0006R0_f01140.

    Raises:
        DatasetError: there is no such sequence, or nothing would be left to learn from.
    """
    held = [name for name in dataset.names if name.split("_")[0] == sequence]
    if not held or len(held) == len(dataset.names):
        known = ", ".join(sorted({name.split("_")[0] for name in dataset.names}))
        raise DatasetError(
            f"{dataset.list_file}: holdout_sequence: {sequence}: the training images must have this sequence and "
            f"another one; they have {known}"
        )
    return dataset.part(set(dataset.names) - set(held)), dataset.part(held)


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"

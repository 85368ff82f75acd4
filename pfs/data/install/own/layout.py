"""What a layout is: images, each with the file that says its labels; and how a user's folders are looked through."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pfs.data.dataset import DatasetError

BACKGROUND = "background"
CLASS_FILES = ("class_names.txt", "classes.txt", "labels.txt")
SPLIT_NAMES = {
    **{"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"},
    **{"test": "test", "testing": "test"},
}
DEPTH = 4  # how many folders deep files are looked for
Labels = npt.NDArray[np.int32]  # (H, W)
Split = str | None


@dataclass(frozen=True)
class Item:
    """An image, and what says its labels.

    Attributes:
        split: train, val or test; None where the layout has no splits.
        image: its file.
        label: the file of its mask, or the JSON file with its outlines.
        draw: called with the names of the classes, it makes the labels of the outlines; None for a mask. It raises
            ValueError for outlines that cannot be drawn.
    """

    split: Split
    image: Path
    label: Path
    draw: Callable[[Sequence[str]], Labels] | None = None


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    Attributes:
        says: which layout it is, in words.
        items: the images that have labels.
        classes: the names of the classes; None where nothing names them.
        classes_from: the name of the file that names them, or the words for where they are from.
        unlabelled: images without labels, which are left out.
        orphans: masks or outlines without an image, which are left out.
    """

    says: str
    items: list[Item]
    classes: tuple[str, ...] | None = None
    classes_from: str = ""
    unlabelled: tuple[Path, ...] = ()
    orphans: tuple[Path, ...] = ()


def files_in(folder: Path, endings: Collection[str]) -> list[Path]:
    """The files of a folder with one of those endings (in lower case), sorted; hidden ones are left out."""
    if not folder.is_dir():
        return []
    files = (file for file in folder.iterdir() if file.suffix.lower() in endings and not file.name.startswith("."))
    return sorted(file for file in files if file.is_file())


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; hidden ones, and what macOS adds to archives, are left out."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def files_below(folder: Path, endings: Collection[str], depth: int = DEPTH) -> Iterator[Path]:
    """The files with one of those endings in a folder and in its folders; links that lead in circles end too."""
    yield from files_in(folder, endings)
    if depth > 1:
        for inner in folders_in(folder):
            yield from files_below(inner, endings, depth - 1)


def called(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder in a folder that has the first of those names (in lower case) which there is."""
    found = {inner.name.lower(): inner for inner in folders_in(folder)}
    return next((found[name] for name in names if name in found), None)


def by_name(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Files by their name without its ending."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[file.stem].append(file)
    return found


def split_of(path: Path, source: Path) -> Split:
    """The split that a file's name says, or the name of a folder on its way from `source`; None where none says it."""
    for part in reversed(path.relative_to(source).parts):
        words = re.findall("[a-z]+", part.lower())
        if split := next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None):
            return split
    return None


def class_names(source: Path) -> tuple[tuple[str, ...] | None, str]:
    """The names of the classes from the file in a folder that has them, and that file's name; None if there is none.

    labelme's `__ignore__` is no class, and its `_background_` is the background.
    """
    file = next((source / name for name in CLASS_FILES if (source / name).is_file()), None)
    if file is None:
        return None, ""
    names = tuple(class_name(line) for line in read_lines(file) if line != "__ignore__")
    return names, file.name


def class_name(label: str) -> str:
    """A class's name, in place of labelme's `_background_`."""
    return BACKGROUND if label == "_background_" else label


def read_lines(file: Path) -> list[str]:
    """The lines of a text file that hold something.

    Raises:
        DatasetError: it is not text.
    """
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file} is not text in UTF-8 ({error}): save it as such") from None


def abridged(lines: Sequence[str], most: int = 10) -> list[str]:
    """The first lines, and how many more there are."""
    return [*lines[:most], f"and {len(lines) - most} more"] if len(lines) > most else list(lines)

"""A user's folder, brought into the one layout that is read: classes.txt, images/<split>/ and masks/<split>/.

A folder that has this layout already is linked whole. Of any other, each image is a link, and so is each mask that
needs no conversion; other masks are written as palette PNG. Nothing is ever written into the user's folder.

<folder>/origin.json   what was taken, from where, and with which options
"""

import hashlib
import json
import os
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ValidationError

from pfs.config.files import atomic_write
from pfs.data.dataset import DatasetError
from pfs.data.install.own.canonical import classes_of, write_canonical
from pfs.data.install.own.conversion import Conversion
from pfs.data.install.own.layout import Layout, abridged
from pfs.data.install.own.layouts import not_recognised, recognise
from pfs.data.install.own.own_splits import with_splits

ENTRIES = ("images", "masks", "classes.txt")
LINKED = "the layout of data/README.md, linked as it lies"


class Origin(BaseModel):
    """What `origin.json` says.

    Attributes:
        source: the user's folder.
        took: which layout it has, and what became of it, in words.
        conversion: the options that were given.
        sha256: of the names of its images and the content of its masks; empty for a folder that is linked whole.
    """

    source: Path
    took: str
    conversion: Conversion
    sha256: str


def bring(source: Path, folder: Path, conversion: Conversion, endings: Collection[str]) -> None:
    """Bring a user's folder into the layout that is read, and print what was recognised.

    Args:
        source: the user's folder.
        folder: an empty folder, which is filled.
        conversion: what the user says about the masks.
        endings: of the names of images, in lower case.

    Raises:
        DatasetError: the layout is not known, or something is wrong in it: at most ten lines of a kind.
    """
    if _is_read_as_it_is(source) and conversion == Conversion():
        took, sha256 = _link_whole(source, folder), ""
    else:
        took, sha256 = _convert(source, folder, conversion, endings)
    origin = Origin(source=source, took=took, conversion=conversion, sha256=sha256)
    atomic_write(folder / "origin.json", origin.model_dump_json(indent=2) + "\n")


def _link_whole(source: Path, folder: Path) -> str:
    """Link a folder that has the layout which is read, and return what was taken, in words."""
    for entry in ENTRIES:
        (folder / entry).symlink_to(source / entry)
    print(f"{source}: {LINKED}")
    return LINKED


def _convert(source: Path, folder: Path, conversion: Conversion, endings: Collection[str]) -> tuple[str, str]:
    """Bring any other layout; return what was taken, in words, and its checksum."""
    layout = _layout(source, conversion, endings)
    items, splits = with_splits(source, layout.items, conversion.split)
    took = "; ".join([layout.says, splits, _masks_in_words(layout, conversion)])
    print(f"{source}: {took}")
    _tell_left_out(layout, source)
    write_canonical(layout, items, folder, conversion)
    return took, _digest(source, layout, conversion)


def check_origin(source: Path, folder: Path, conversion: Conversion, endings: Collection[str]) -> None:
    """See that what is in place was made from that folder of the user's, with those options, as it is now.

    Data from before origin.json was written are the user's folder, linked whole.

    Raises:
        DatasetError: it was made from another folder, or with other options, or the user's folder has changed since.
    """
    file = folder / "origin.json"
    origin = _read_origin(file) if file.is_file() else _linked_whole(folder)
    if (origin.source, origin.conversion) != (source, conversion):
        now = f"from {source} with {conversion.flags}"
        colors = conversion.mask_colors if conversion.flags == origin.conversion.flags else None
        changed = f", and {colors} has changed since" if colors and origin.source == source else ""
        before = f"made from {origin.source} with {origin.conversion.flags}{changed}"
        raise DatasetError(f"{folder} is there already, {before}; delete it first, to make it {now}")
    if origin.sha256 and origin.sha256 != _digest(source, _layout(source, conversion, endings), conversion):
        raise DatasetError(
            f"{folder} was made from {source}, in which images or masks have changed since; "
            f"delete {folder} and run the same command again, to take them as they are now"
        )


def _read_origin(file: Path) -> Origin:
    try:
        return Origin.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]["msg"]
        advice = f"delete {file.parent} and run the same command again"
        raise DatasetError(f"{file} is broken ({fault}): {advice}") from None


def _linked_whole(folder: Path) -> Origin:
    return Origin(source=(folder / "images").resolve().parent, took=LINKED, conversion=Conversion(), sha256="")


def _is_read_as_it_is(source: Path) -> bool:
    folders = [source / kind / split for kind in ("images", "masks") for split in ("train", "val")]
    return (source / "classes.txt").is_file() and all(folder.is_dir() for folder in folders)


def _layout(source: Path, conversion: Conversion, endings: Collection[str]) -> Layout:
    """The layout of a user's folder, with the classes that the options name.

    Raises:
        DatasetError: it is not known, or the options are for another.
    """
    layout = recognise(source, endings)
    if layout is None or not layout.items:
        raise DatasetError(not_recognised(source))
    if conversion.mask_flags and any(item.draw for item in layout.items):
        flags = ", ".join(conversion.mask_flags)
        raise DatasetError(f"{flags}: for masks, but {source} has {layout.says}: leave it out")
    return layout


def _masks_in_words(layout: Layout, conversion: Conversion) -> str:
    if any(item.draw for item in layout.items):
        masks = "masks drawn"
    else:
        masks = f"masks by {' '.join(conversion.mask_flags)}" if conversion.mask_flags else "masks as they are"
    classes, origin = classes_of(layout, conversion)
    return f"{masks}, {len(classes)} classes ({origin})" if classes else masks


def _tell_left_out(layout: Layout, source: Path) -> None:
    """Print which images have no labels, and which labels no image."""
    for files, what in ((layout.unlabelled, "images without a mask"), (layout.orphans, "masks without an image")):
        if files:
            names = [os.path.relpath(file, source) if file.is_absolute() else str(file) for file in files]
            print(f"{what}, left out ({len(files)}):", *abridged(names), sep="\n  ")


def _digest(source: Path, layout: Layout, conversion: Conversion) -> str:
    """The sha256 of which images a layout has, of the classes, and of the content of what is not linked alone."""
    files = {item.label for item in layout.items} | {item.image for item in layout.items if conversion.white}
    sums = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    lines = [
        f"{item.split} {os.path.relpath(item.image, source)} {sums.get(item.image)} {sums[item.label]}"
        for item in layout.items
    ]
    return hashlib.sha256(json.dumps([sorted(lines), layout.classes]).encode()).hexdigest()

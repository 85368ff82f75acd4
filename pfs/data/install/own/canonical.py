"""Writes the layout that is read: links to images, masks with one label a pixel, and the names of the classes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pfs.config.files import atomic_write
from pfs.data.dataset import DatasetError, voc_palette
from pfs.data.install.own.conversion import NOT_SCORED, Conversion
from pfs.data.install.own.layout import BACKGROUND, Item, Labels, Layout, abridged
from pfs.data.install.own.masks import read_labels
from pfs.data.loading.images import ImageError, from_deep, image_size, is_deep, open_image

Found = dict[Path, set[int]]  # the labels that each mask holds, without 255

WRITE_CLASSES = "write classes.txt, a name a line, into the folder that --from names"


def classes_of(layout: Layout, conversion: Conversion) -> tuple[tuple[str, ...] | None, str]:
    """The names of the classes, and in words where they are from; None where only the masks tell how many there are."""
    if conversion.colors:
        return conversion.color_classes(), "the colours"
    if conversion.binary and len(layout.classes or ()) != 2:
        return (BACKGROUND, "foreground"), "--binary"
    return layout.classes, layout.classes_from


def write_canonical(layout: Layout, items: Sequence[Item], folder: Path, conversion: Conversion) -> None:
    """Write classes.txt, images/<split>/ and masks/<split>/ into a folder, from images that all have a split.

    Raises:
        DatasetError: two images of a split have one name, a mask cannot be read or does not fit the options, the
            classes or its image, or nothing names the classes and the masks do not show them. At most ten lines.
    """
    _refuse_one_name(items)
    classes, origin = classes_of(layout, conversion)
    found: Found = {}
    problems = []
    for item in tqdm(items, desc="reading masks", unit="mask", leave=False):
        try:
            found[item.label] = found.get(item.label, set()) | _write_item(item, folder, classes or (), conversion)
        except ValueError as error:
            problems.append(f"{item.label} {error}")
    if not problems and not conversion.mask_flags:
        problems = _look_binary(layout, found)
    if not problems:
        classes = classes or _numbered_classes(found)
        problems = _wrong_classes(classes, origin) or _unknown_labels(classes, origin, found)
    if problems or classes is None:
        raise DatasetError("\n".join(abridged(problems)))
    atomic_write(folder / "classes.txt", "".join(f"{name}\n" for name in classes))


def _numbered_classes(found: Found) -> tuple[str, ...]:
    """Names for classes that nothing names, if the masks show how many there are."""
    labels = sorted(set().union(*found.values()))
    if len(labels) > 1 and labels == list(range(len(labels))):
        print(f"nothing names the classes: they are class 0 to class {labels[-1]}; {WRITE_CLASSES}")
        return tuple(f"class {label}" for label in labels)
    raise DatasetError(
        f"{next(iter(found)).parent}: nothing names the classes, and the masks hold {_values(labels)}, "
        f"not 0, 1, 2, ... without a gap: {WRITE_CLASSES}"
    )


def _write_item(item: Item, folder: Path, classes: Sequence[str], conversion: Conversion) -> set[int]:
    """Write one image and its mask, and return the labels that the mask holds."""
    labels = read_labels(item.label, conversion) if item.draw is None else item.draw(classes)
    _fits(item, labels)
    image, mask = (folder / kind / str(item.split) / item.image.name for kind in ("images", "masks"))
    mask = mask.with_name(f"{item.image.stem}.png")
    for file in (image, mask):
        file.parent.mkdir(parents=True, exist_ok=True)
    _write_image(item.image, image, conversion.white)
    if item.draw is None and not conversion.mask_flags and _is_read_as_it_is(item.label):
        mask.symlink_to(item.label)
    else:
        _as_palette_image(labels).save(mask)
    return set(np.unique(labels).tolist()) - {NOT_SCORED}


def _write_image(source: Path, target: Path, white: int) -> None:
    """Link an image; but one of more than 8 bits a pixel is written as PNG, if it is known which value is white."""
    try:
        image = open_image(source) if white else None
        if image is not None and is_deep(image):
            from_deep(image, white).save(target.with_suffix(".png"))
        else:
            target.symlink_to(source)
    except ImageError as error:
        raise ValueError(f"is for {source}, which {error}") from None


def _fits(item: Item, labels: Labels) -> None:
    """Raises ValueError where a mask has another size than its image."""
    try:
        size = image_size(item.image)
    except ImageError as error:
        raise ValueError(f"is for {item.image}, which {error}") from None
    if labels.shape != size:
        height, width = labels.shape
        raise ValueError(f"is {width}x{height}, but its image {item.image} is {size[1]}x{size[0]}")


def _is_read_as_it_is(mask: Path) -> bool:
    with Image.open(mask) as image:
        return image.format == "PNG" and mask.suffix == ".png" and image.mode in ("P", "L")


def _as_palette_image(labels: Labels) -> Image.Image:
    """Labels (H, W) as an image in VOC's colours."""
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(voc_palette().tobytes())
    return image


def _look_binary(layout: Layout, found: Found) -> list[str]:
    """A line, if all masks hold 0 alone: then 255, which is never a class, was meant to be one."""
    drawn = any(item.draw for item in layout.items)
    if drawn or set().union(*found.values()) != {0}:
        return []
    folder = next(iter(found)).parent
    return [f"{folder}: the masks hold nothing but 0 and 255: --binary makes background and foreground of them"]


def _wrong_classes(classes: Sequence[str], origin: str) -> list[str]:
    """A line, if there are too few classes or too many, or two of one name."""
    different = len(set(classes))
    if 2 <= len(classes) <= NOT_SCORED and different == len(classes):
        return []
    return [f"the classes of {origin} are {len(classes)}, of {different} names: there must be 2 to 255 different ones"]


def _unknown_labels(classes: Sequence[str], origin: str, found: Found) -> list[str]:
    """A line for each mask that holds a label which is no class."""
    names = f"{len(classes)} classes (of {origin}: 0 to {len(classes) - 1})"
    way_out = "--first-class 1 makes 0 not scored and 1 the first class, --ignore N makes N not scored"
    unknown = {file: [label for label in sorted(labels) if label >= len(classes)] for file, labels in found.items()}
    return [
        f"{file} holds {_values(labels)}, but there are {names}: {way_out}"
        for file, labels in unknown.items()
        if labels
    ]


def _refuse_one_name(items: Iterable[Item]) -> None:
    """Raises DatasetError where two images of a split have one name: they would share a mask."""
    first: dict[tuple[str | None, str], Path] = {}
    for item in items:
        other = first.setdefault((item.split, item.image.stem), item.image)
        if other != item.image:
            raise DatasetError(f"{other} and {item.image} have one name, in the split {item.split}: rename one of them")


def _values(labels: Sequence[int]) -> str:
    return ", ".join(map(str, abridged(list(map(str, labels)))))

"""The layouts that have outlines in JSON files: labelme's, a file beside each image; and COCO's instances."""

import os
from collections import defaultdict
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from pfs.data.dataset import DatasetError
from pfs.data.install.own.layout import (
    BACKGROUND,
    Item,
    Layout,
    abridged,
    class_name,
    class_names,
    files_below,
    split_of,
)
from pfs.data.install.own.polygons import (
    coco_classes,
    coco_drawers,
    coco_images,
    draw_labelme,
    is_coco,
    is_labelme,
    labelme_labels,
    read_json,
)

Contents = dict[Path, Any]


def as_outlines(source: Path, endings: Collection[str]) -> Layout | None:
    """COCO's instances or labelme's JSON files, anywhere in the folder.

    Raises:
        DatasetError: a JSON file is broken, or its images cannot be told apart.
    """
    contents, broken = _read_all(source)
    coco = {file: content for file, content in contents.items() if is_coco(content)}
    coco = {file: coco[file] for file in coco if file.stem.startswith("instances")} or coco
    labelme = {file: content for file, content in contents.items() if is_labelme(content)}
    if (coco or labelme) and broken:
        raise DatasetError("\n".join(abridged(broken)))
    if coco:
        return _as_coco(source, coco, endings)
    return _as_labelme(source, labelme, endings) if labelme else None


def _read_all(source: Path) -> tuple[Contents, list[str]]:
    """The content of every JSON file; and a line for each that is broken."""
    contents: Contents = {}
    broken = []
    for file in files_below(source, (".json",)):
        try:
            contents[file] = read_json(file)
        except DatasetError as error:
            broken.append(str(error))
            continue
        if isinstance(contents[file], dict):
            contents[file].pop("imageData", None)  # labelme's copy of the image, which is large
    return contents, broken


def _as_labelme(source: Path, contents: Contents, endings: Collection[str]) -> Layout:
    """A JSON file for each image; the classes are those of labels.txt, or all labels in the order of the alphabet."""
    names, file_name = class_names(source)
    if names is None:
        labels = {label for file, content in contents.items() for label in labelme_labels(file, content)}
        names, file_name = tuple(sorted(map(class_name, labels - {"__ignore__"}))), "the shapes' labels"
    classes = tuple(dict.fromkeys((BACKGROUND, *names)))
    items, orphans = [], []
    for file, content in contents.items():
        if image := _labelme_image(file, str(content["imagePath"]), endings):
            items.append(Item(split_of(file.parent, source), image, file, partial(draw_labelme, content)))
        else:
            orphans.append(file)
    unlabelled = set(files_below(source, endings)) - {item.image for item in items}
    says = f"labelme's outlines ({len(contents)} JSON files)"
    return Layout(says, items, classes, file_name, tuple(sorted(unlabelled)), tuple(orphans))


def _labelme_image(file: Path, named: str, endings: Collection[str]) -> Path | None:
    """The image of a JSON file: the one that it names, or else the one beside it of the same name."""
    named_file = Path(os.path.normpath(file.parent / named.replace("\\", "/")))
    beside = [file.with_suffix(way) for ending in endings for way in (ending, ending.upper())]
    return next((path for path in (named_file, *beside) if path.is_file()), None)


def _as_coco(source: Path, contents: Contents, endings: Collection[str]) -> Layout:
    """One JSON file, or one for each split."""
    classes = {file: coco_classes(file, content) for file, content in contents.items()}
    first, *others = classes
    if different := [other for other in others if classes[other] != classes[first]]:
        raise DatasetError(f"{first} and {different[0]} have different categories: export both with the same")
    images = defaultdict(list)
    for image in files_below(source, endings):
        images[image.name].append(image)
    items: list[Item] = []
    orphans: list[Path] = []
    for file, content in contents.items():
        draw = coco_drawers(file, content)
        for number, name in coco_images(file, content):
            if found := _coco_image(images[name.name], name, file, source):
                items.append(Item(split_of(file, source), found, file, draw[number]))
            else:
                orphans.append(name)
    used = {item.image for item in items}
    unlabelled = sorted(image for several in images.values() for image in several if image not in used)
    says = f"COCO's outlines ({', '.join(str(file.relative_to(source)) for file in contents)})"
    return Layout(says, items, classes[first][1], "the categories", tuple(unlabelled), tuple(orphans))


def _coco_image(images: list[Path], name: Path, file: Path, source: Path) -> Path | None:
    """The one of several images of a name that a JSON file means: by its folders, then by its split.

    Raises:
        DatasetError: several can be meant.
    """
    meant = [image for image in images if image.parts[-len(name.parts) :] == name.parts]
    if len(meant) > 1:
        split = split_of(file, source)
        meant = [image for image in meant if split_of(image.parent, source) == split] or meant
    if len(meant) > 1:
        raise DatasetError(f"{file} names {name}, which can be {meant[0]} or {meant[1]}: give them different names")
    return meant[0] if meant else None

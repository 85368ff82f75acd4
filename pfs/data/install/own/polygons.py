"""Labels from outlines: what labelme saves beside each image, and COCO's instances.

Both give objects, and a label map has one class a pixel. What no object covers is the class "background".
"""

import contextlib
import io
import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pfs.data.dataset import DatasetError
from pfs.data.install.own.conversion import NOT_SCORED
from pfs.data.install.own.layout import BACKGROUND, Labels, class_name

# What looking into a file raises that has not what it should have; and sizes that no memory holds.
NOT_AS_SAVED = (KeyError, TypeError, MemoryError, OverflowError)


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DatasetError: it is cut off, or no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, OSError) as error:
        raise DatasetError(f"{file} cannot be read as JSON ({error}): export it again") from None


# --- labelme ----------------------------------------------------------------------------------------------------------


def is_labelme(content: Any) -> bool:
    """Whether a JSON file is what labelme saves."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def labelme_labels(file: Path, content: Any) -> set[str]:
    """The labels of all shapes of one of labelme's files.

    Raises:
        DatasetError: it is not as labelme saves it.
    """
    try:
        return {str(shape["label"]) for shape in content["shapes"]}
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{file} is not as labelme saves it ({error!r}): save it again with labelme") from None


def draw_labelme(content: Any, classes: Sequence[str]) -> Labels:
    """The labels (H, W) of one image of labelme's: a later shape lies over an earlier one.

    Shapes are drawn as labelme draws them, by Pillow and with their outline. The label `__ignore__` is not scored.

    Raises:
        ValueError: a shape of another type, or a label that is no class; to be read after the file's name.
    """
    try:
        canvas = Image.new("L", (content["imageWidth"], content["imageHeight"]))
        draw = ImageDraw.Draw(canvas)
        for shape in content["shapes"]:
            _draw_shape(draw, shape, _labelme_value(shape["label"], classes))
    except (*NOT_AS_SAVED, IndexError, AttributeError) as error:
        raise ValueError(f"is not as labelme saves it ({error!r}): save it again with labelme") from None
    return np.asarray(canvas).astype(np.int32)


def _labelme_value(label: str, classes: Sequence[str]) -> int:
    if label == "__ignore__":
        return NOT_SCORED
    if class_name(label) not in classes:
        raise ValueError(f"has a shape {label!r}, which is no class; the classes are {', '.join(classes)}")
    return classes.index(class_name(label))


def _draw_shape(draw: ImageDraw.ImageDraw, shape: dict[str, Any], value: int) -> None:
    kind = shape.get("shape_type") or "polygon"
    points = [(float(x), float(y)) for x, y in shape["points"]]
    match kind, len(points):
        case "polygon", count if count > 2:
            draw.polygon(points, fill=value, outline=value)
        case "rectangle", 2:
            (left, right), (top, bottom) = (sorted(side) for side in zip(*points, strict=True))
            draw.rectangle((left, top, right, bottom), fill=value, outline=value)
        case "circle", 2:
            (x, y), radius = points[0], math.dist(*points)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value, outline=value)
        case _:
            problem = f"has a shape of type {kind!r} with {len(points)} points (label {shape['label']!r})"
            raise ValueError(f"{problem}: only polygons, rectangles and circles cover pixels")


# --- COCO -------------------------------------------------------------------------------------------------------------


def is_coco(content: Any) -> bool:
    """Whether a JSON file has COCO's instances: images, categories, and annotations with outlines."""
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations", "categories")
    ):
        return False
    annotations = content["annotations"]
    return not annotations or (isinstance(annotations[0], dict) and "segmentation" in annotations[0])


def coco_classes(file: Path, content: Any) -> tuple[dict[int, int], tuple[str, ...]]:
    """Category id -> label, in the order of the ids, and the classes' names: background first.

    A category that is called background is that class, and not another one.

    Raises:
        DatasetError: a category has no id or no name.
    """
    try:
        ids = sorted((int(category["id"]), class_name(str(category["name"]))) for category in content["categories"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{file} has a category that is not as COCO has it ({error!r}): export it again") from None
    classes = tuple(dict.fromkeys((BACKGROUND, *(name for _, name in ids))))
    return {number: classes.index(name) for number, name in ids}, classes


def coco_images(file: Path, content: Any) -> list[tuple[int, Path]]:
    """The id and the file's name of each image.

    Raises:
        DatasetError: an image has no id or no name.
    """
    try:
        return [(entry["id"], Path(str(entry["file_name"]).replace("\\", "/"))) for entry in content["images"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{file} has an image that is not as COCO has it ({error!r}): export it again") from None


def coco_drawers(file: Path, content: Any) -> dict[int, Callable[[Sequence[str]], Labels]]:
    """For each image id a function that draws its labels (H, W), as `Item.draw` is.

    Smaller objects lie over larger ones. A crowd (`iscrowd`), which is outlined roughly, is not scored where no object
    lies over it.

    Raises:
        DatasetError: pycocotools is not installed, or the file is not as COCO has it. The functions raise ValueError
            for an annotation that cannot be drawn.
    """
    try:
        from pycocotools.coco import COCO
    except ImportError:
        raise DatasetError(
            f"{file} has COCO's polygons, which pycocotools draws: .venv/bin/pip install -e '.[coco]'"
        ) from None
    coco = COCO()
    coco.dataset = content
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells what it does
            coco.createIndex()
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{file} is not as COCO has it ({error!r}): export it again") from None
    values, _ = coco_classes(file, content)
    return {image: partial(_draw_coco, coco, image, values) for image in coco.imgs}


def _draw_coco(coco: Any, image: int, values: dict[int, int], _classes: Sequence[str]) -> Labels:
    size = coco.imgs[image]
    try:
        labels = np.zeros((int(size["height"]), int(size["width"])), np.int32)
        objects = [(annotation, _coco_mask(coco, annotation)) for annotation in coco.imgToAnns[image]]
        for annotation, inside in sorted(objects, key=_from_below):
            labels[inside] = NOT_SCORED if annotation.get("iscrowd") else values[annotation["category_id"]]
    except NOT_AS_SAVED as error:
        raise ValueError(f"is not as COCO has it, for the image {image} ({error!r}): export it again") from None
    return labels


def _from_below(thing: tuple[dict[str, Any], npt.NDArray[np.bool_]]) -> tuple[bool, int]:
    """The order of objects, lowest first: crowds, then the largest."""
    annotation, inside = thing
    return not annotation.get("iscrowd"), -int(inside.sum())


def _coco_mask(coco: Any, annotation: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Where (H, W) one object is."""
    if not annotation.get("segmentation"):
        raise ValueError(f"has no outline for the annotation {annotation['id']}, only a box")
    try:
        return np.asarray(coco.annToMask(annotation)).astype(bool)
    except Exception as error:  # the library raises whatever it stumbles over
        raise ValueError(
            f"has an outline that cannot be drawn, of the annotation {annotation['id']} ({error!r})"
        ) from None

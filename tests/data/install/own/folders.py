"""Small folders of a user's own, and how they are put into place."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pfs.data.install.own.conversion import Conversion, conversion
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.study.trial.miniatures import lines, mask, picture

NAMES = [f"{number:02}" for number in range(20)]


def options(
    colors: Path | None = None,
    ignore: Sequence[int] = (),
    first: int = 0,
    binary: bool = False,
    split: str | None = None,
    white: int = 0,
) -> Conversion:
    return conversion(colors, ignore, first, binary, split, white)


def taken(source: Path, how: Conversion | None = None) -> dict[str, OwnFolder]:
    """A folder, put into place: its splits."""
    folder = place(OwnFolder, source.parent / "data", source=source, conversion=how or Conversion())
    return {split: OwnFolder(folder, split) for split in OwnFolder.splits(folder)}


def labels(dataset: OwnFolder, index: int = 0) -> npt.NDArray[np.int64]:
    return np.asarray(dataset[index][1]).astype(np.int64)


def pairs(images: Path, masks: Path, names: Sequence[str] = NAMES, affix: str = "", ending: str = ".jpg") -> None:
    """A folder of images, and one of masks with three classes and 255."""
    for name in names:
        picture(images / f"{name}{ending}")
        mask(masks / f"{name}{affix}.png", [0, 1, 2, 255])


def counts(splits: dict[str, OwnFolder]) -> dict[str, int]:
    return {split: len(dataset) for split, dataset in splits.items()}


def images_with(source: Path, values: npt.NDArray[np.generic], ending: str = ".png", name: str = "masks") -> None:
    """Four images, each with the same mask."""
    for number in range(4):
        picture(source / f"images/{number}.jpg", (values.shape[0], values.shape[1]))
        (source / name).mkdir(exist_ok=True)
        Image.fromarray(values).save(source / name / f"{number}{ending}")


COLORS = np.array([[[128, 0, 0], [0, 128, 0]], [[0, 0, 128], [0, 0, 0]]], np.uint8)


def colors_file(tmp_path: Path) -> Path:
    lines(tmp_path / "colors.txt", ["128 0 0 Building", "0, 128, 0  Tree", "0 0 128\tBuilding", "0 0 0 Void"])
    return tmp_path / "colors.txt"


def shape(label: str, kind: str, points: list[list[float]]) -> dict[str, object]:
    return {"label": label, "shape_type": kind, "points": points}


def labelme(source: Path, shapes: list[dict[str, object]], names: Sequence[str] = NAMES[:4]) -> None:
    """Images of 8 x 6 pixels, each with labelme's file beside it."""
    for name in names:
        picture(source / f"{name}.jpg", (6, 8))
        content = {"imagePath": f"{name}.jpg", "imageHeight": 6, "imageWidth": 8, "shapes": shapes}
        (source / f"{name}.json").write_text(json.dumps(content))


def coco(file: Path, annotations: list[dict[str, object]], names: Sequence[str] = NAMES[:4]) -> None:
    """COCO's file for images of 8 x 6 pixels, each of which has the same objects."""
    content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    for number, name in enumerate(names):
        content["images"].append({"id": 10 + number, "file_name": f"{name}.jpg", "height": 6, "width": 8})
        for annotation in annotations:
            identity = {"id": len(content["annotations"]) + 1, "image_id": 10 + number}
            content["annotations"].append({**identity, **annotation})
    content["categories"] = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def box(category: int, left: int, top: int, right: int, bottom: int) -> dict[str, object]:
    """An object that covers those columns and rows, the last ones not."""
    return {
        "category_id": category,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        "iscrowd": 0,
    }

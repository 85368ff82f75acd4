"""A miniature of Pascal Context as its archives have it: with the JSON file of "PASCAL in Detail"."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pfs.data.sets.pascal_context import IDS
from pfs.study.trial.miniatures import HEIGHT, WIDTH, picture


def pascal_detail(folder: Path) -> Path:
    """Two images for training and one for val, listed in another order than that of their names."""
    voc = folder / "VOCdevkit/VOC2010"
    images: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for number, split in ((2, "train"), (1, "train"), (3, "val")):
        picture(voc / f"JPEGImages/2008_{number:06}.jpg")
        image = {"image_id": 2008_000000 + number, "file_name": f"2008_{number:06}.jpg"}
        images.append({**image, "phase": split, "height": HEIGHT, "width": WIDTH})
        for row, category in enumerate((2, 259, 458)):
            inside = np.zeros((HEIGHT, WIDTH), bool)
            inside[2 * row : 2 * row + 3, number:] = True
            encoded = {"size": [HEIGHT, WIDTH], "counts": run_lengths(inside)}
            parts.append({"image_id": image["image_id"], "category_id": category, "segmentation": encoded})
    names = {identity: name for identity, name in IDS.items() if identity} | {1: "accordion"}
    categories = [{"category_id": identity, "name": name} for identity, name in names.items()]
    detail = {"images": images, "annos_segmentation": parts, "categories": categories}
    (voc / "trainval_merged.json").write_text(json.dumps(detail), encoding="utf-8")
    return folder


def run_lengths(inside: npt.NDArray[np.bool_]) -> str:
    """COCO's compressed run lengths of a mask (H, W): what `pfs.data.sets.pascal_context.decode_rle` undoes."""
    column = np.concatenate([[False], inside.T.ravel(), [not inside.T.ravel()[-1]]])
    changes = np.flatnonzero(np.diff(column.astype(int)))
    runs = np.diff(np.concatenate([[0], changes])).tolist()
    characters = ""
    for position, run in enumerate(runs):
        number = run - (runs[position - 2] if position > 2 else 0)
        while True:
            bits, number = number & 0x1F, number >> 5
            last = number == (-1 if bits & 0x10 else 0)
            characters += chr(48 + (bits if last else bits | 0x20))
            if last:
                break
    return characters

"""Miniature trees of the public data sets, in the format that their archives have on disk."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import savemat

from pfs.datasets.pascal_context import IDS
from pfs.datasets.segmentation import Pixels, voc_palette

WIDTH, HEIGHT = 12, 10
RNG = np.random.default_rng(0)


def picture(file: Path) -> None:
    """An image of noise, in the format that the file's name says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(file)


def values(allowed: list[int]) -> Pixels:
    """A mask of those values, each of which is in it."""
    mask = np.resize(np.array(allowed, np.uint8), HEIGHT * WIDTH)
    return RNG.permutation(mask).reshape(HEIGHT, WIDTH)


def mask(file: Path, allowed: list[int], *, palette: bool = False) -> None:
    """A PNG of those values, with VOC's palette or grey."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values(allowed))
    if palette:
        image.putpalette(voc_palette().tobytes())
    image.save(file)


def lines(file: Path, content: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in content))


def voc2012(folder: Path) -> Path:
    """Two images for training, one for validation, two that SBD adds; VOC's val is in SBD's train too."""
    voc, sbd = folder / "VOCdevkit/VOC2012", folder / "benchmark_RELEASE/dataset"
    lines(voc / "ImageSets/Segmentation/train.txt", ["2007_02", "2007_01"])
    lines(voc / "ImageSets/Segmentation/val.txt", ["2007_03"])
    lines(sbd / "train.txt", ["2008_01", "2007_03", "2007_01"])
    lines(sbd / "val.txt", ["2008_02"])
    for name in ("2007_01", "2007_02", "2007_03", "2008_01", "2008_02"):
        picture(voc / f"JPEGImages/{name}.jpg")
    for name in ("2007_01", "2007_02", "2007_03"):
        mask(voc / f"SegmentationClass/{name}.png", [*range(21), 255], palette=True)
    (sbd / "cls").mkdir()
    for name in ("2007_01", "2007_03", "2008_01", "2008_02"):
        present = {"Segmentation": values([*range(21)]), "CategoriesPresent": np.arange(1, 21)}
        savemat(sbd / f"cls/{name}.mat", {"GTcls": present}, do_compression=True)
    return folder


def ade20k(folder: Path) -> Path:
    """Two images for training and one for validation."""
    base = folder / "ADEChallengeData2016"
    for kind, name in (("training", "train_01"), ("training", "train_02"), ("validation", "val_01")):
        picture(base / f"images/{kind}/ADE_{name}.jpg")
        mask(base / f"annotations/{kind}/ADE_{name}.png", [0, 1, 2, 149, 150])
    return folder


def run_lengths(inside: npt.NDArray[np.bool_]) -> str:
    """COCO's compressed run lengths of a mask (H, W): what `decode_rle` undoes."""
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


def pascal_context(folder: Path) -> Path:
    """Two images for training and one for validation, with the labels in the JSON file alone."""
    voc = folder / "VOCdevkit/VOC2010"
    images, parts = [], []
    for number, phase in ((2, "train"), (1, "train"), (3, "val")):
        picture(voc / f"JPEGImages/2008_{number:06}.jpg")
        identity = 2008_000000 + number
        size = {"height": HEIGHT, "width": WIDTH}
        images.append({"image_id": identity, "file_name": f"2008_{number:06}.jpg", "phase": phase, **size})
        for row, category in enumerate((2, 259, 458)):
            inside = np.zeros((HEIGHT, WIDTH), bool)
            inside[row * 2 : row * 2 + 3, number:] = True
            encoded = {"size": [HEIGHT, WIDTH], "counts": run_lengths(inside)}
            parts.append({"image_id": identity, "category_id": category, "segmentation": encoded})
    names = {identity: name for identity, name in IDS.items() if identity} | {1: "accordion"}
    categories = [{"category_id": identity, "name": name} for identity, name in names.items()]
    detail = {"images": images, "annos_segmentation": parts, "categories": categories}
    (voc / "trainval_merged.json").write_text(json.dumps(detail))
    return folder


def camvid(folder: Path) -> Path:
    """Two images for training, one for validation, one for testing."""
    for split, names in {"train": ["b", "a"], "val": ["c"], "test": ["d"]}.items():
        pairs = [f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png" for name in names]
        lines(folder / f"{split}.txt", pairs)
        for name in names:
            picture(folder / split / f"{name}.png")
            mask(folder / f"{split}annot/{name}.png", [*range(12)])
    return folder


def own_folder(folder: Path) -> Path:
    """Two images for training and one for validation, with three classes."""
    lines(folder / "classes.txt", ["sky", "road", "tree and bush"])
    for split, name in (("train", "a.JPG"), ("train", "b.png"), ("val", "c.jpeg")):
        picture(folder / "images" / split / name)
        mask(folder / "masks" / split / f"{name[0]}.png", [0, 1, 2, 255], palette=name == "a.JPG")
    return folder

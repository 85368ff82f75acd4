"""Miniature trees of the public data sets, in a format that is taken from a user's folder: noise for images.

The tests read them, and so does a dry run, which has images of true sizes made. Nothing can be learnt from them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from pfs.data.dataset import IMAGES, Pixels, voc_palette
from pfs.data.sets.pascal_context import LISTS, MASKS, VOC

HEIGHT, WIDTH = 10, 12
T = TypeVar("T")
Size = tuple[int, int]  # height, width
SMALL: tuple[Size, ...] = ((HEIGHT, WIDTH),)


def picture(file: Path, size: Size = SMALL[0]) -> None:
    """An image of noise, which the name sets, in the format that the name says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_random(file).integers(0, 256, (*size, 3), np.uint8)).save(file)


def values(file: Path, allowed: Sequence[int], size: Size) -> Pixels:
    """A mask of those values, each of which is in it."""
    mask = np.resize(np.array(allowed, np.uint8), size[0] * size[1])
    return _random(file).permutation(mask).reshape(size)


def mask(file: Path, allowed: Sequence[int], size: Size = SMALL[0], *, palette: bool = False) -> None:
    """A PNG of those values, with VOC's palette or grey."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values(file, allowed, size))
    if palette:
        image.putpalette(voc_palette().tobytes())
    image.save(file)


def lines(file: Path, content: Sequence[str]) -> None:
    """A text file of those lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


def voc2012(folder: Path, *, train: int = 2, val: int = 1, sizes: Sequence[Size] = SMALL) -> Path:
    """VOC 2012, and two images that SBD adds; an image of VOC's val is in SBD's train too."""
    from scipy.io import savemat

    voc, sbd = folder / "VOCdevkit/VOC2012", folder / "benchmark_RELEASE/dataset"
    own = [f"2007_{number:02}" for number in range(1, train + val + 1)]
    lines(voc / "ImageSets/Segmentation/train.txt", own[:train][::-1])
    lines(voc / "ImageSets/Segmentation/val.txt", own[train:])
    lines(sbd / "train.txt", ["2008_01", own[train], own[0]])
    lines(sbd / "val.txt", ["2008_02"])
    (sbd / "cls").mkdir()
    for name, size in _sized([*own, "2008_01", "2008_02"], sizes):
        picture(voc / f"JPEGImages/{name}.jpg", size)
        if name in own:
            mask(voc / f"SegmentationClass/{name}.png", [*range(21), 255], size, palette=True)
        if name in ("2008_01", "2008_02", own[train], own[0]):
            file = sbd / f"cls/{name}.mat"
            present = {"Segmentation": values(file, range(21), size), "CategoriesPresent": np.arange(1, 21)}
            savemat(file, {"GTcls": present}, do_compression=True)
    return folder


def ade20k(folder: Path, *, train: int = 2, val: int = 1, sizes: Sequence[Size] = SMALL) -> Path:
    """ADE20K, with the first, the last and void among its labels."""
    base = folder / "ADEChallengeData2016"
    names = [("training", f"train_{number:02}") for number in range(1, train + 1)]
    names += [("validation", f"val_{number:02}") for number in range(1, val + 1)]
    for (kind, name), size in _sized(names, sizes):
        picture(base / f"images/{kind}/ADE_{name}.jpg", size)
        mask(base / f"annotations/{kind}/ADE_{name}.png", [0, 1, 2, 149, 150], size)
    return folder


def pascal_context(folder: Path, *, train: int = 2, val: int = 1, sizes: Sequence[Size] = SMALL) -> Path:
    """Pascal Context, with the masks and lists that segmentation toolboxes make of its JSON file."""
    for split, count in {"train": train, "val": val}.items():
        names = [f"{split}_{number:02}" for number in range(1, count + 1)]
        lines(folder / LISTS / f"{split}.txt", names)
        for name, size in _sized(names, sizes):
            picture(folder / VOC / IMAGES / f"{name}.jpg", size)
            mask(folder / MASKS / f"{name}.png", range(60), size)
    return folder


def camvid(folder: Path, *, train: int = 2, val: int = 1, sizes: Sequence[Size] = SMALL) -> Path:
    """CamVid, with as many images for testing as for validation; a list is not in the order of the names."""
    for split, count in {"train": train, "val": val, "test": val}.items():
        names = [f"{split}_{number:02}" for number in range(count, 0, -1)]
        pairs = [f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png" for name in names]
        lines(folder / f"{split}.txt", pairs)
        for name, size in _sized(names, sizes):
            picture(folder / split / f"{name}.png", size)
            mask(folder / f"{split}annot/{name}.png", range(12), size)
    return folder


def own_folder(folder: Path, *, train: int = 2, val: int = 1, sizes: Sequence[Size] = SMALL) -> Path:
    """One's own images without a test split, with three classes, in all formats that are read."""
    lines(folder / "classes.txt", ["sky", "road", "tree and bush"])
    endings = (".JPG", ".png", ".jpeg")
    names = [("train" if number < train else "val", number) for number in range(train + val)]
    for (split, number), size in _sized(names, sizes):
        name = f"{number:02}"
        picture(folder / "images" / split / f"{name}{endings[number % 3]}", size)
        mask(folder / "masks" / split / f"{name}.png", [0, 1, 2, 255], size, palette=number == 0)
    return folder


def _random(file: Path) -> np.random.Generator:
    return np.random.default_rng(list(file.name.encode()))


def _sized(names: Sequence[T], sizes: Sequence[Size]) -> list[tuple[T, Size]]:
    """Each name with a size, which take turns."""
    return [(name, sizes[index % len(sizes)]) for index, name in enumerate(names)]

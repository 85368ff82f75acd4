"""Digit Scenes: handwritten digits over photographs, 64x64, for semantic segmentation without a download.

The digits are scikit-learn's (UCI optical recognition of handwritten digits, 8x8), the photographs those
inside the wheels of scikit-image and scikit-learn. No two splits share a digit or a photograph's pixel. A
scene is a function of (seed, split, index) alone: neither order nor the number of processes changes it.
"""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import skimage.data
from filelock import FileLock
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from pfs import study
from pfs.datasets.segmentation import IMAGES, LABELS, LISTS, SPLITS, Pixels, SegmentationDataset, checksum

Canvas = npt.NDArray[np.float64]

VERSION = 1  # of the recipe: raise it with any change of the pixels, so that old data are not taken for new
SIZE = 64

PHOTOGRAPHS = (  # all but the last two are scikit-image's; these are scikit-learn's
    *("astronaut", "chelsea", "coffee", "rocket", "camera", "brick", "grass", "gravel", "coins", "page"),
    *("text", "immunohistochemistry", "hubble_deep_field", "retina", "stereo_motorcycle"),
    *("china.jpg", "flower.jpg"),
)

TRIES = 5  # at a place for a digit
OVERLAP = 0.1  # of the smaller of two digits; beyond it scenes become unreadable
CONTRAST = 70  # between ink and what it covers, of 255
LUMA = np.sqrt([0.299, 0.587, 0.114])  # makes distances between colours follow their brightness


class Scene(NamedTuple):
    """An image (64, 64, 3) and its labels (64, 64): 0 background, 1 + n the digit n, 255 not scored."""

    image: Pixels
    label: Pixels


# --- what scenes are made of --------------------------------------------------------------------------------


@functools.cache
def photographs(split: str) -> dict[str, Pixels]:
    """The split's columns of every photograph, (height, width, 3): the left 60 %, then 20 %, then 20 %."""
    strips = {}
    for name in PHOTOGRAPHS:
        photograph = load_photograph(name)
        fifth = [part * photograph.shape[1] // 5 for part in (0, 3, 4, 5)]
        start = SPLITS.index(split)
        strips[name] = photograph[:, fifth[start] : fifth[start + 1]]
    return strips


@functools.cache
def load_photograph(name: str) -> Pixels:
    """A photograph from a wheel, (height, width, 3); of the stereo pair the left, for both show the same."""
    loaded = load_sample_image(name) if name.endswith(".jpg") else getattr(skimage.data, name)()
    photograph = loaded[0] if isinstance(loaded, tuple) else loaded
    return np.asarray(photograph if photograph.ndim == 3 else np.stack([photograph] * 3, axis=-1), np.uint8)


@functools.cache
def digits(split: str) -> tuple[Canvas, npt.NDArray[np.int64]]:
    """The split's digits (n, 12, 12), 8x8 and a border, ink from 0 to 1; and which digit each is (n,)."""
    own = {"train": slice(0, 1000), "val": slice(1000, 1300), "test": slice(1300, 1797)}[split]
    loaded = load_digits()
    border = ((0, 0), (2, 2), (2, 2))  # lets the splines fall off where ink touches the digit's edge
    return np.pad(loaded.images[own] / 16, border), loaded.target[own]


# --- drawing one scene --------------------------------------------------------------------------------------


def draw_scene(seed: int, split: str, index: int) -> Scene:
    """The scene of that number in that split: always the same one for the same arguments."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    canvas = _background(rng, split)
    for _ in range(rng.integers(0, 3)):
        _paint(rng, canvas, _stroke(rng))
    label = np.zeros((SIZE, SIZE), np.uint8)
    for digit, ink in _place_digits(rng, split):
        _paint(rng, canvas, ink)
        inside = ink > 0.5
        label[ndimage.maximum_filter(inside, 3)] = SegmentationDataset.ignore_index  # a ring remains
        label[inside] = 1 + digit
    canvas += rng.normal(0, rng.uniform(2, 10), canvas.shape)
    return Scene(canvas.round().clip(0, 255).astype(np.uint8), label)


def _background(rng: np.random.Generator, split: str) -> Canvas:
    """A square crop of a photograph, flipped, its channels permuted, its contrast and brightness changed."""
    name = str(rng.choice(PHOTOGRAPHS))
    strip = photographs(split)[name]
    # At most as wide as the narrowest split's strip: so all splits see photographs at one scale.
    side = rng.integers(48, min(strip.shape[0], load_photograph(name).shape[1] // 5), endpoint=True)
    top, left = rng.integers(0, [strip.shape[0] - side, strip.shape[1] - side], endpoint=True)
    crop = Image.fromarray(strip[top : top + side, left : left + side])
    canvas = np.asarray(crop.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float64)
    canvas = canvas[:: rng.choice([-1, 1]), :: rng.choice([-1, 1]), rng.permutation(3)]
    mean = float(canvas.mean())
    return mean + (canvas - mean) * rng.uniform(0.5, 1.1) + rng.uniform(-35, 35)


def _stroke(rng: np.random.Generator) -> Canvas:
    """A distractor: the coverage (64, 64), from 0 to 1, of a curve about as thick as a digit's lines."""
    corners = rng.uniform(0, SIZE, (3, 2))
    t = np.linspace(0, 1, 16)[:, None]
    curve = (1 - t) ** 2 * corners[0] + 2 * t * (1 - t) * corners[1] + t**2 * corners[2]  # quadratic Bezier
    fine = Image.new("L", (3 * SIZE, 3 * SIZE))
    ImageDraw.Draw(fine).line((3 * curve).ravel().tolist(), 255, int(rng.integers(6, 13)), joint="curve")
    return np.asarray(fine.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255


def _place_digits(rng: np.random.Generator, split: str) -> list[tuple[int, Canvas]]:
    """Two to five digits and their coverages (64, 64), from 0 to 1.

    A digit that finds no free place in five tries is left out; another is taken where only one would be left.
    """
    placed: list[tuple[int, Canvas]] = []
    wanted = rng.integers(2, 6)
    while wanted > 0 or len(placed) < 2:
        wanted -= 1
        digit, coverage = _digit(rng, split)
        for _ in range(TRIES):
            ink = _placed(rng, coverage)
            if all(_overlap(ink, other) < OVERLAP for _, other in placed):
                placed.append((digit, ink))
                break
    return placed


def _overlap(ink: Canvas, other: Canvas) -> float:
    """The share of the smaller digit that the two have in common."""
    first, second = ink > 0.5, other > 0.5
    return float((first & second).sum() / min(first.sum(), second.sum()))


def _digit(rng: np.random.Generator, split: str) -> tuple[int, Canvas]:
    """A digit of random size, rotation and shear: which one, and its coverage (h, w) alone."""
    images, targets = digits(split)
    chosen = rng.integers(len(images))
    size = rng.uniform(18, 36)
    angle, shear = rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.3)
    cos, sin = np.cos(angle), np.sin(angle)
    to_digit = 8 / size * np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, 0], [shear, 1]])
    side = int(1.6 * size)  # holds the digit however it is turned
    offset = (images.shape[1] - 1) / 2 - to_digit @ np.full(2, (side - 1) / 2)
    ink = ndimage.affine_transform(images[chosen], to_digit, offset, (side, side), order=3)
    # A cubic edge is as soft as the digit is large: the slope makes it about two pixels wide at every size.
    coverage = (0.5 + (ink - 0.45) * size / 9).clip(0, 1)
    return int(targets[chosen]), coverage[_window(coverage)]


def _placed(rng: np.random.Generator, coverage: Canvas) -> Canvas:
    """A digit's coverage (h, w) anywhere on the canvas (64, 64)."""
    height, width = coverage.shape
    top, left = rng.integers(0, [SIZE - height, SIZE - width], endpoint=True)
    ink = np.zeros((SIZE, SIZE))
    ink[top : top + height, left : left + width] = coverage
    return ink


def _window(ink: Canvas) -> tuple[slice, slice]:
    """The rows and columns that hold any ink."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _paint(rng: np.random.Generator, canvas: Canvas, ink: Canvas) -> None:
    """Lay ink of two colours and some transparency over the canvas, in place."""
    window = _window(ink)
    under, ink = canvas[window], ink[window]  # (h, w, 3), (h, w)
    start, end = _colours(rng, np.average(under, axis=(0, 1), weights=ink))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices(ink.shape)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    gradient = (along - along.min()) / np.ptp(along)
    opacity = rng.uniform(0.75, 1) * ink
    under += opacity[..., None] * (start + gradient[..., None] * (end - start) - under)


def _colours(rng: np.random.Generator, covered: Canvas) -> Canvas:
    """Two colours (2, 3) which, like the one halfway, stand out from the mean colour that they will cover."""
    pairs = rng.uniform(0, 255, (32, 2, 3))
    shades = np.concatenate([pairs, pairs.mean(1, keepdims=True)], axis=1)
    contrast = np.linalg.norm((shades - covered) * LUMA, axis=-1).min(1)  # (32,)
    chosen = np.minimum(contrast, CONTRAST).argmax()  # the first with enough, or else the one with most
    return np.asarray(pairs[chosen])


# --- the data set on disk -----------------------------------------------------------------------------------


class DigitScenes(SegmentationDataset):
    """One split of Digit Scenes, which `generate` has written.

    Args:
        root: the folder that holds the data sets.
        split: "train", "val" or "test".
        spec: the study's `data`: scenes a split, seed.
        transforms: called with (image, mask).

    Raises:
        DatasetError: see `SegmentationDataset`.
    """

    classes: ClassVar = ("background", *map(str, range(10)))

    def __init__(
        self,
        root: str | Path,
        split: str,
        spec: study.DigitScenes,
        transforms: Callable[..., tuple[Any, Any]] | None = None,
    ) -> None:
        super().__init__(folder_of(spec, root), split, transforms)

    @property
    def mend(self) -> str:
        """Generated data are mended by generating them again."""
        return f"delete {self.folder} and run again: it is generated anew"


def folder_of(spec: study.DigitScenes, root: str | Path) -> Path:
    """Where the data of that recipe lie: its hash is in the name, so different data never mix."""
    recipe = json.dumps(_recipe(spec), sort_keys=True)
    return Path(root) / f"digit_scenes-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def generate(spec: study.DigitScenes, root: str | Path) -> Path:
    """Write the data set unless it is there, and return its folder.

    It appears whole or not at all; a process that asks while another writes waits for it.
    """
    folder = folder_of(spec, root)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            try:
                _write(spec, partial)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def _recipe(spec: study.DigitScenes) -> dict[str, int]:
    return {"version": VERSION, "seed": spec.seed, **{split: getattr(spec, split) for split in SPLITS}}


def _write(spec: study.DigitScenes, folder: Path) -> None:
    for name in (IMAGES, LABELS, LISTS):
        (folder / name).mkdir(parents=True)
    sums = {split: checksum(_write_split(spec, split, folder)) for split in SPLITS}
    content = {"recipe": _recipe(spec), "sha256": sums}
    (folder / "checksums.json").write_text(json.dumps(content, indent=2) + "\n")


def _write_split(spec: study.DigitScenes, split: str, folder: Path) -> Iterator[tuple[Pixels, Pixels]]:
    """Draw the scenes in two processes, write them in this one, and pass each on."""
    count = getattr(spec, split)
    batches = DataLoader(_Scenes(spec.seed, split, count), batch_size=20, num_workers=2, collate_fn=list)
    scenes = tqdm(chain.from_iterable(batches), desc=f"drawing {split}", unit="scene", total=count)
    names = [f"{split}_{index:05d}" for index in range(count)]
    (folder / LISTS / f"{split}.txt").write_text("\n".join(names) + "\n")
    for name, (image, label) in zip(names, scenes, strict=True):
        Image.fromarray(image).save(folder / IMAGES / f"{name}.png", compress_level=1)
        mask = Image.fromarray(label, "P")
        mask.putpalette(SegmentationDataset.palette.tobytes())
        mask.save(folder / LABELS / f"{name}.png")
        yield image, label


class _Scenes(Dataset[Scene]):
    """The scenes of a split as they are drawn, for a DataLoader's processes."""

    def __init__(self, seed: int, split: str, count: int) -> None:
        self.seed, self.split, self.count = seed, split, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        return draw_scene(self.seed, self.split, index)

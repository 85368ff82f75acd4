"""How a Digit Scene is drawn: digits, strokes and noise over a photograph.

The digits are scikit-learn's (UCI optical recognition of handwritten digits, 8x8), the photographs those
inside the wheels of scikit-image and scikit-learn. No two splits share a digit or a photograph's pixel. Any
change of the pixels wants a higher `pfs.data.install.state.DIGIT_SCENES_VERSION`.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image

from pfs.data.dataset import SPLITS, Pixels, SegmentationDataset

Canvas = npt.NDArray[np.float64]

SIZE = 64

PHOTOGRAPHS = (  # all but the last two are scikit-image's; these are scikit-learn's
    *("astronaut", "chelsea", "coffee", "rocket", "camera", "brick", "grass", "gravel", "coins", "page"),
    *("text", "immunohistochemistry", "hubble_deep_field", "retina", "stereo_motorcycle"),
    *("china.jpg", "flower.jpg"),
)

TRIES = 5  # at a place for a digit
OVERLAP = 0.1  # of the smaller of two digits; beyond it scenes become unreadable


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
    canvas += rng.normal(0, rng.uniform(5, 20), canvas.shape)
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
    angle, shear = rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4)
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
    """Lay ink of two random colours and some transparency over the canvas, in place.

    Nothing keeps the ink from matching what it covers: some digits are hard to see, as in photographs.
    """
    window = _window(ink)
    under, ink = canvas[window], ink[window]  # (h, w, 3), (h, w)
    start, end = rng.uniform(0, 255, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices(ink.shape)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    gradient = (along - along.min()) / np.ptp(along)
    opacity = rng.uniform(0.5, 1) * ink
    under += opacity[..., None] * (start + gradient[..., None] * (end - start) - under)

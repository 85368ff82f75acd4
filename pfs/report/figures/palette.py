"""The colours of classes. No torch here."""

from typing import Any

import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.colors import to_rgb

Palette = npt.NDArray[np.uint8]


# Ten colours for classes 1 to 10, found by a search: the two most similar of them, of black and of the grey of pixels
# that are not scored differ as much as can be, for readers who see all colours and for dichromats. In grey they are
# steps of lightness (L* of CIE 1976) from 30 to 84, so assigned that two digits which students take for each other,
# as 3 and 9, are three steps apart at least. The test of this file has the numbers.
TEN = ("#994c51", "#245a76", "#d78f6e", "#ac2fea", "#908203", "#3c4c0c", "#a1d126", "#febcff", "#8790aa", "#1ec6a8")


def class_palette(classes: int) -> Palette:
    """(classes, 3) RGB: black for the background, then colours that differ in hue and in lightness.

    Of at most eleven classes, no two look alike in grey or to readers who see fewer colours. Of more, the lightness
    rises from class to class and the hues lie far apart; of many, as the 150 of ADE20K, neighbours differ in hue alone.
    """
    colours = [to_rgb(shade) for shade in TEN[: classes - 1]] if classes <= len(TEN) + 1 else _many(classes - 1)
    return np.round(255 * np.array([(0.0, 0.0, 0.0), *colours])).astype(np.uint8)


def _many(count: int) -> list[Any]:
    """Colours of lightness 30 to 84, each hue far from those before it."""
    hues = [(0.85 + 0.32 * index) % 1 for index in range(count)]
    steps = np.linspace(0.30, 0.84, count)
    return [sns.husl_palette(1, h=hue, s=0.95, l=step)[0] for hue, step in zip(hues, steps, strict=True)]


def colourise(labels: npt.NDArray[np.integer[Any]], palette: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """(..., H, W) classes -> (..., H, W, 3) RGB; 255, and whatever else the palette lacks, is light grey."""
    colours = np.full((256, 3), 225, np.uint8)
    known = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)[:255]
    colours[: len(known)] = known
    picture: npt.NDArray[np.uint8] = colours[labels]
    return picture

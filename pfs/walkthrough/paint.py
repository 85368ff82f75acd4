"""Turns arrays into PNG pictures in a few milliseconds, so that they can follow the pointer.

The colours are those of the figures (`pfs.report`), as tables that are made once: matplotlib draws nothing here.
"""

import io
from functools import cache

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from PIL import Image

from pfs.report.pictures import class_palette, colourise
from pfs.report.style import DIVERGING

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB, or (H, W, 4) with alpha

SEQUENTIAL = "magma"  # from black to light yellow; its lightness rises all the way, as that of DIVERGING does
UNDEFINED = 127  # the grey of a value that is not a number


def as_png(rgb: Picture, scale: int = 1) -> bytes:
    """A picture (H, W, 3) or (H, W, 4) as a PNG file, every pixel `scale` times as wide and high."""
    enlarged = np.repeat(np.repeat(rgb, scale, axis=0), scale, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(enlarged).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def paint_signed(values: npt.NDArray[np.floating], limit: float = 1.0) -> Picture:
    """Values (h, w) as colours (h, w, 3): dark blue at -limit and below, grey at 0, yellow at limit and above."""
    return _look_up(DIVERGING, (np.asarray(values, np.float64) / limit + 1) / 2)


def paint_amount(values: npt.NDArray[np.floating], limit: float = 1.0) -> Picture:
    """Values (h, w) of at least 0 as colours (h, w, 3): black at 0, light yellow at limit and above."""
    return _look_up(SEQUENTIAL, np.asarray(values, np.float64) / limit)


def paint_labels(labels: npt.NDArray[np.integer], classes: int) -> Picture:
    """Labels (H, W) as the colours (H, W, 3) that the figures give to classes; light grey where none is scored."""
    return colourise(labels, class_palette(classes))


def palette_bar(name: str, width: int = 128, height: int = 8) -> Picture:
    """The colours of a table from its lowest to its highest value, (height, width, 3): a picture's key."""
    return _look_up(name, np.tile(np.linspace(0, 1, width), (height, 1)))


def _look_up(name: str, shares: npt.NDArray[np.float64]) -> Picture:
    """The colours of shares (h, w) of the way from a table's first colour to its last."""
    known = np.isfinite(shares)
    index = np.round(255 * np.clip(np.where(known, shares, 0), 0, 1)).astype(np.intp)
    colours: Picture = np.where(known[..., None], colour_table(name)[index], np.uint8(UNDEFINED))
    return colours


@cache
def colour_table(name: str) -> Picture:
    """The 256 colours (256, 3) of one of matplotlib's maps."""
    table: Picture = colormaps[name](np.arange(256), bytes=True)[:, :3]
    return table

"""A grid of images and maps, every length in inches, so that nothing is cut off and all of it fits a page."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfs.report.style import COLUMN, PAGE, TALLEST, escape, text_width, wrap

HEADING = 6.5  # points of a heading
GAP = 0.03  # inches between two pictures
BETWEEN = 0.08  # inches at least between the headings of two columns
WIDEST = 1.5  # inches: the width of a picture in a figure of few columns
NAMES = 0.78  # inches for the headings of a narrow figure, to the left of its rows


def images_shown(images: npt.NDArray[Any], headings: int, width: float) -> npt.NDArray[Any]:
    """The first of the images (E, H, W, 3): all on a page, and in a column as many as fit beside each other.

    Args:
        images: of one size.
        headings: how many pictures there are of each image.
        width: of the figure in inches.
    """
    return images if width > COLUMN else images[: 3 if headings <= 8 else 4]


def grid_of(
    images: npt.NDArray[Any], headings: Sequence[str], foot: float, below: float = 0.0, width: float = PAGE
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure with axes for each image and heading. It is at most as wide as asked for, and as high as a page.

    A page has a row for each image; a column has them beside each other, with a row for each heading, and is as wide
    as asked for.

    Args:
        images: (E, H, W, 3), of which the size matters here.
        headings: of what is shown of each image, broken into lines that are no wider than their place.
        foot: the height in inches left free for a legend or a bar.
        below: the height in inches left free below each picture.
        width: of the figure in inches.

    Returns:
        The figure, and its axes (images, headings), with the headings written.
    """
    count, height, wide, _ = images.shape
    narrow = width <= COLUMN
    rows, columns = (len(headings), count) if narrow else (count, len(headings))
    ratio = height / wide
    side = min(WIDEST, (width - NAMES * narrow) / columns)
    for _ in range(2):  # narrower pictures may have headings of more lines, and these less room below them
        head = 0.05 if narrow else _head(headings, side)
        side = min(side, GAP + ((TALLEST - head - foot) / rows - below - GAP) / ratio)
    left = width - columns * side if narrow else 0.0
    tall = (side - GAP) * ratio
    inches = head + rows * (tall + below + GAP) + foot
    figure = Figure(figsize=(left + columns * side, inches))
    grid = np.empty((rows, columns), dtype=object)
    for row, column in np.ndindex(grid.shape):
        corner = left + column * side + GAP / 2, inches - head - row * (tall + below + GAP) - tall
        grid[row, column] = _axes(figure, corner, (side - GAP, tall))
    grid = grid.T if narrow else grid
    _write(headings, grid, side, narrow)
    return figure, grid


def _head(headings: Sequence[str], side: float) -> float:
    """The height in inches of headings above columns of a width."""
    return 0.08 + 1.25 * HEADING / 72 * max(_wrap(text, side - BETWEEN).count("\n") + 1 for text in headings)


def _axes(figure: Figure, corner: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Axes without ticks and frame: their lower left corner and their size are in inches."""
    width, height = figure.get_size_inches()
    place = (corner[0] / width, corner[1] / height, size[0] / width, size[1] / height)
    axes = figure.add_axes(place, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _write(headings: Sequence[str], grid: npt.NDArray[Any], side: float, narrow: bool) -> None:
    """Write the headings above the first image's axes, or to their left."""
    for axes, heading in zip(grid[0], headings, strict=True):
        if narrow:
            text = escape(_wrap(heading, NAMES - 0.08))
            options: Any = {"rotation": 0, "ha": "right", "va": "center", "labelpad": 3}
            axes.set_ylabel(text, fontsize=HEADING, linespacing=1.1, **options)
        else:
            text = escape(_wrap(heading, side - BETWEEN))
            axes.set_title(text, loc="center", fontsize=HEADING, pad=3, linespacing=1.1)


def _wrap(heading: str, width: float) -> str:
    """A heading in lines of at most `width` inches; a word that is longer is broken after its hyphens."""
    words = heading.split(" ")
    parts = [word if text_width(word, HEADING) <= width else word.replace("-", "- ") for word in words]
    return re.sub(r"(?<=\w)- (?=\w)", "-", wrap(" ".join(parts), width, HEADING))  # of parts in one line


def cross(axes: Axes, probe: npt.NDArray[np.integer[Any]]) -> None:
    """A black cross with a white rim at (row, column)."""
    row, column = probe
    for shade, size, width in (("white", 9, 3.2), ("black", 7.5, 1.4)):
        axes.plot(column, row, marker="+", color=shade, markersize=size, markeredgewidth=width)

"""The figures that show scenes: what the networks see in them, and how alike they hold two places. No torch here."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from pfs.report.figures import LONGEST_NAME, plain
from pfs.report.style import LEGEND, STYLE, label

Examples = Mapping[str, npt.NDArray[Any]]
Palette = npt.NDArray[np.uint8]


def class_palette(classes: int) -> Palette:
    """(classes, 3) RGB: black for the background, then colours that can be told from it and from each other.

    VOC's palette, which the label files carry, has a class 7 that is hardly brighter than its background.
    """
    name = "tab10" if classes <= 11 else "husl"
    colours = [(0.0, 0.0, 0.0), *sns.color_palette(name, classes - 1)]
    return np.round(255 * np.array(colours)).astype(np.uint8)


@rc_context(STYLE)
def qualitative_figure(
    examples: Examples, palette: npt.ArrayLike, methods: Sequence[str], classes: Sequence[str] = ()
) -> Figure:
    """Scenes, their truth, and what the networks see in them: a row a scene, a column a network.

    Args:
        examples: `image` (E, H, W, 3), `label` (E, H, W), and each method's `prediction/<method>` (E, H, W).
        palette: (C, 3) RGB of each class; ignored pixels (255) are drawn in light grey.
        methods: the networks to show; "teacher" is one.
        classes: the classes' names, for a legend below; where they are many, of those that are in the truth alone.
    """
    columns = [("scene", examples["image"]), ("truth", colourise(examples["label"], palette))]
    columns += [(label(name), colourise(examples[f"prediction/{name}"], palette)) for name in methods]
    named = range(len(classes)) if len(classes) <= 11 else np.intersect1d(examples["label"], np.arange(len(classes)))
    colours = np.asarray(palette, dtype=np.uint8).reshape(-1, 3) / 255
    patches = [Patch(color=colours[index], label=plain(classes[index])) for index in named]
    fitting = _fitting([classes[index] for index in named], _side(len(columns)) * len(columns))
    figure, grid = _grid(examples["image"], [name for name, _ in columns], extra=0.15 * -(-len(patches) // fitting))
    for column, (_, pictures) in zip(grid.T, columns, strict=True):
        for axes, picture in zip(column, pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
    if patches:
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), fitting), **LEGEND)
    return figure


def _fitting(names: Sequence[str], width: float) -> int:
    """How many of a legend's names fit beside each other: all of them, or as many as of the longest."""
    inches = [0.35 + 0.058 * min(len(name), LONGEST_NAME) for name in names]
    return max(1, len(names) if sum(inches) <= width else int(width / max(inches)))


@rc_context(STYLE)
def similarity_figure(examples: Examples, methods: Sequence[str]) -> Figure:
    """Pixel-wise feature similarity: how alike each network holds every location and the one under the cross.

    Args:
        examples: `image` (E, H, W, 3), `probe` (E, 2) row and column in image pixels, and
            `similarity/<method>` (E, h, w) centred cosines in [-1, 1] for each method, on any grid.
        methods: the networks to show; "teacher" is one.
    """
    height, width = examples["image"].shape[1:3]
    figure, grid = _grid(examples["image"], ["scene", *map(label, methods)], extra=0.45)
    maps = {"vmin": -1, "vmax": 1, "cmap": "RdBu_r", "extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
    for row, (image, probe) in enumerate(zip(examples["image"], examples["probe"], strict=True)):
        grid[row, 0].imshow(image, interpolation="nearest")
        for axes, method in zip(grid[row, 1:], methods, strict=True):
            similarity = examples[f"similarity/{method}"][row].astype(np.float32)
            drawn = axes.imshow(similarity, interpolation="nearest", **maps)
        for axes in grid[row]:
            cross(axes, probe)
    place: Any = {"location": "bottom", "shrink": 0.5, "aspect": 40, "pad": 0.02}
    bar = figure.colorbar(drawn, ax=grid, ticks=[-1, -0.5, 0, 0.5, 1], **place)
    bar.set_label("centred cosine to the location under the cross", fontsize=7.5)
    bar.ax.tick_params(labelsize=7.5)
    return figure


@rc_context(STYLE)
def contact_sheet(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer[Any]], palette: npt.ArrayLike, columns: int
) -> Figure:
    """Scenes with their labels below them.

    Args:
        images: (N, H, W, 3) RGB.
        labels: (N, H, W) class of each pixel; 255 is drawn in light grey.
        palette: (C, 3) RGB of each class.
        columns: how many scenes a row.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows, 2 * height + 8, columns, width + 4, 3), 255, np.uint8)
    for index, (image, picture) in enumerate(zip(images, colourise(labels, palette), strict=True)):
        row, column = divmod(index, columns)
        sheet[row, :height, column, :width] = image
        sheet[row, height + 2 : 2 * height + 2, column, :width] = picture
    picture = sheet.reshape(rows * (2 * height + 8), columns * (width + 4), 3)[:-6, :-4]
    figure = Figure(figsize=(7.0, 7.0 * picture.shape[0] / picture.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()
    return figure


def colourise(labels: npt.NDArray[np.integer[Any]], palette: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """(..., H, W) classes -> (..., H, W, 3) RGB; 255, and whatever else the palette lacks, is light grey."""
    colours = np.full((256, 3), 225, np.uint8)
    known = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)[:255]
    colours[: len(known)] = known
    picture: npt.NDArray[np.uint8] = colours[labels]
    return picture


def _side(columns: int) -> float:
    """The width of a picture in inches, so that the columns fill the figure but not more."""
    return min(1.5, 7.0 / columns)


def _grid(images: npt.NDArray[Any], headings: Sequence[str], extra: float) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure with a row for each of the images (E, H, W, 3), `extra` inches higher for a legend or a bar.

    Returns:
        The figure, and its axes (rows, columns) with the columns' headings above the first row.
    """
    rows, height, width, _ = images.shape
    side = _side(len(headings))
    # Only when compressed does a layout of pictures, whose aspect is fixed, leave room for the headings of one row.
    layout = ConstrainedLayoutEngine(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0, compress=True)
    size = (len(headings) * side, rows * side * height / width + 0.4 + extra)
    figure = Figure(figsize=size, layout=layout)
    grid = figure.subplots(rows, len(headings), squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, heading in zip(grid[0], headings, strict=True):
        axes.set_title(textwrap.fill(heading, 11), loc="center", fontsize=7.5)
    return figure, grid


def cross(axes: Axes, probe: npt.NDArray[np.integer[Any]]) -> None:
    """A black cross with a white rim at (row, column)."""
    row, column = probe
    for shade, size, width in (("white", 9, 3.2), ("black", 7.5, 1.4)):
        axes.plot(column, row, marker="+", color=shade, markersize=size, markeredgewidth=width)

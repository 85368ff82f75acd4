"""The figures that show scenes: what the networks see in them, and how alike they hold two places. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from pfs.config.study import Study
from pfs.report.figures import LONGEST_NAME, plain
from pfs.report.style import DIVERGING, LEGEND, PAGE, SMALL, STYLE, escape, label, text_width, wrap
from pfs.study.places import TEACHER

HEADING = 6.5  # points of a column's heading
GAP = 0.03  # inches between two pictures

Examples = Mapping[str, npt.NDArray[Any]]
Palette = npt.NDArray[np.uint8]


def class_palette(classes: int) -> Palette:
    """(classes, 3) RGB: black for the background, then ever lighter colours of hues far apart.

    Their lightness (L* of CIE 1976) rises in equal steps from 30 to 84, so that classes can be told apart in grey and
    by readers who see fewer colours; pixels that are not scored are drawn still lighter. Of many classes, as the 150 of
    ADE20K, neighbours differ in hue alone.
    """
    steps = np.linspace(0.30, 0.84, classes - 1)
    hues = [
        (0.85 + 0.32 * index) % 1 for index in range(classes - 1)
    ]  # the steps that differ most to colour-blind readers
    colours = [sns.husl_palette(1, h=hue, s=0.95, l=step)[0] for hue, step in zip(hues, steps, strict=True)]
    return np.round(255 * np.array([(0.0, 0.0, 0.0), *colours])).astype(np.uint8)


@rc_context(STYLE)
def qualitative_figure(
    examples: Examples,
    palette: npt.ArrayLike,
    methods: Sequence[str],
    classes: Sequence[str] = (),
    study: Study | None = None,
) -> Figure:
    """Scenes, their truth, and what the networks see in them: a row a scene, a column a network.

    Args:
        examples: `image` (E, H, W, 3), `label` (E, H, W), and each method's `prediction/<method>` (E, H, W).
        palette: (C, 3) RGB of each class; ignored pixels (255) are drawn in light grey.
        methods: the networks to show; "teacher" is one.
        classes: the classes' names, for a legend below; where they are many, of those that are in the truth alone.
        study: whose labels the methods have.
    """
    columns = [("image", examples["image"]), ("truth", colourise(examples["label"], palette))]
    columns += [(label(name, study), colourise(examples[f"prediction/{name}"], palette)) for name in methods]
    named = range(len(classes)) if len(classes) <= 11 else np.intersect1d(examples["label"], np.arange(len(classes)))
    colours = np.asarray(palette, dtype=np.uint8).reshape(-1, 3) / 255
    patches = [Patch(color=colours[index], label=plain(classes[index])) for index in named]
    headings = [name for name, _ in columns]
    fitting = _fitting([classes[index] for index in named], _side(len(headings)) * len(headings))
    foot = 0.16 * -(-len(patches) // fitting) + 0.08 * bool(patches)
    figure, grid = _grid(examples["image"], headings, foot=foot)
    for column, (_, pictures) in zip(grid.T, columns, strict=True):
        for axes, picture in zip(column, pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
    if patches:
        options = LEGEND | {"handlelength": 0.9, "borderaxespad": 0, "borderpad": 0.1, "labelspacing": 0.3}
        figure.legend(handles=patches, loc="lower center", ncols=min(len(patches), fitting), **options)
    return figure


def _fitting(names: Sequence[str], width: float) -> int:
    """How many of a legend's names fit beside each other: all of them, or as many as of the longest."""
    inches = [0.35 + text_width(name[:LONGEST_NAME], LEGEND["fontsize"]) for name in names]
    return max(1, len(names) if sum(inches) <= width else int(width / max(inches)))


@rc_context(STYLE)
def similarity_figure(examples: Examples, methods: Sequence[str], study: Study | None = None) -> Figure:
    """Pixel-wise feature similarity: how alike each network holds every location and the one under the cross.

    Below each student's map stands r, its `agreement` with the teacher's, where the teacher is shown.

    Args:
        examples: `image` (E, H, W, 3), `probe` (E, 2) row and column in image pixels, and
            `similarity/<method>` (E, h, w) centred cosines in [-1, 1] for each method, on any grid.
        methods: the networks to show; "teacher" is one.
        study: whose labels the methods have.
    """
    height, width = examples["image"].shape[1:3]
    headings = ["image", *(label(method, study) for method in methods)]
    figure, grid = _grid(examples["image"], headings, foot=0.5, below=0.13 * (TEACHER in methods))
    limit = _limit([examples[f"similarity/{method}"] for method in methods])
    maps = {"vmin": -limit, "vmax": limit, "cmap": DIVERGING, "extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
    for row, (image, probe) in enumerate(zip(examples["image"], examples["probe"], strict=True)):
        grid[row, 0].imshow(image, interpolation="nearest")
        for axes, method in zip(grid[row, 1:], methods, strict=True):
            drawn = axes.imshow(
                examples[f"similarity/{method}"][row].astype(np.float32), interpolation="nearest", **maps
            )
            if TEACHER in methods and method != TEACHER:
                r = agreement(examples[f"similarity/{method}"][row], examples[f"similarity/{TEACHER}"][row])
                axes.set_xlabel("r undefined" if np.isnan(r) else f"r = {r:.2f}", fontsize=SMALL, labelpad=1.5)
        for axes in grid[row]:
            cross(axes, probe)
    inches = figure.get_figheight()
    bar = figure.colorbar(
        drawn,
        cax=figure.add_axes((0.25, 0.38 / inches, 0.5, 0.08 / inches)),
        orientation="horizontal",
        extend="neither" if limit == 1 else "both",
    )
    bar.set_ticks([-limit, 0, limit], labels=[f"{-limit:g}", "0", f"{limit:g}"])
    bar.set_label("centred cosine to the location under the cross", labelpad=1)
    return figure


def _limit(similarities: Sequence[npt.NDArray[Any]]) -> float:
    """The end of the colours' scale: the least of 0.25, 0.5, 0.75 and 1 that holds 98 % of the absolute values."""
    quantile = np.quantile(np.abs(np.concatenate([values.ravel() for values in similarities])), 0.98)
    return min(1.0, max(0.25, float(np.ceil(4 * quantile) / 4)))


def agreement(similarity: npt.NDArray[Any], teacher: npt.NDArray[Any]) -> float:
    """Pearson's correlation r of two maps of similarity, over the locations of the student's grid.

    It says how far both maps rise and fall at the same places, whatever their mean and their range: 1 is the same
    pattern, 0 none in common.

    Args:
        similarity: (h, w) of a student.
        teacher: (h', w') of the teacher, brought to the student's grid by the mean over each cell.

    Returns:
        r in [-1, 1]; NaN where a map is the same everywhere.
    """
    student = np.asarray(similarity, dtype=np.float32)
    size = (student.shape[1], student.shape[0])
    same = np.asarray(Image.fromarray(np.asarray(teacher, np.float32)).resize(size, Image.Resampling.BOX))
    if student.std() == 0 or same.std() == 0:
        return float("nan")
    return float(np.corrcoef(student.ravel(), same.ravel())[0, 1])


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
    figure = Figure(figsize=(PAGE, PAGE * picture.shape[0] / picture.shape[1]))
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
    return min(1.5, PAGE / columns)


def _grid(
    images: npt.NDArray[Any], headings: Sequence[str], foot: float, below: float = 0.0
) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure with a row for each of the images (E, H, W, 3), every length in inches, so that nothing is cut off.

    Args:
        images: all of one size.
        headings: of the columns, broken into lines that are no wider than a column.
        foot: the height left free for a legend or a bar.
        below: the height left free below each picture.

    Returns:
        The figure, and its axes (rows, columns) with the columns' headings above the first row.
    """
    rows, height, width, _ = images.shape
    side = _side(len(headings))
    wrapped = [wrap(heading, side - GAP, HEADING) for heading in headings]
    head = 0.08 + 1.25 * HEADING / 72 * max(text.count("\n") + 1 for text in wrapped)
    tall = (side - GAP) * height / width
    inches = head + rows * (tall + below + GAP) + foot
    figure = Figure(figsize=(len(headings) * side, inches))
    grid = np.empty((rows, len(headings)), dtype=object)
    for row, column in np.ndindex(grid.shape):
        bottom = inches - head - row * (tall + below + GAP) - tall
        place = (
            (column + 0.5 * GAP / side) / len(headings),
            bottom / inches,
            (1 - GAP / side) / len(headings),
            tall / inches,
        )
        grid[row, column] = axes = figure.add_axes(place, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, heading in zip(grid[0], wrapped, strict=True):
        axes.set_title(escape(heading), loc="center", fontsize=HEADING, pad=3, linespacing=1.1)
    return figure, grid


def cross(axes: Axes, probe: npt.NDArray[np.integer[Any]]) -> None:
    """A black cross with a white rim at (row, column)."""
    row, column = probe
    for shade, size, width in (("white", 9, 3.2), ("black", 7.5, 1.4)):
        axes.plot(column, row, marker="+", color=shade, markersize=size, markeredgewidth=width)

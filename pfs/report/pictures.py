"""The figures that show scenes: what the networks see in them, and how alike they hold two places. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from pfs.config.study import Study
from pfs.report.figures.classes import LONGEST_NAME, plain
from pfs.report.figures.grid import cross, grid_of, images_shown
from pfs.report.figures.palette import class_palette as class_palette  # the notebooks of runs take it from here
from pfs.report.figures.palette import colourise as colourise
from pfs.report.style import DIVERGING, LEGEND, PAGE, SMALL, STYLE, label, text_width
from pfs.study.places import TEACHER

Examples = Mapping[str, npt.NDArray[Any]]


@rc_context(STYLE)
def qualitative_figure(
    examples: Examples,
    palette: npt.ArrayLike,
    methods: Sequence[str],
    classes: Sequence[str] = (),
    study: Study | None = None,
    width: float = PAGE,
) -> Figure:
    """Images, their truth, and what the networks see in them.

    Args:
        examples: `image` (E, H, W, 3), `label` (E, H, W), and each method's `prediction/<method>` (E, H, W).
        palette: (C, 3) RGB of each class; ignored pixels (255) are drawn in light grey.
        methods: the networks to show; "teacher" is one.
        classes: the classes' names, for a legend below; where they are many, of those that are in the truth alone.
        study: whose labels the methods have.
        width: of the figure in inches: `PAGE` has a row an image, `COLUMN` a column each of the first ones.
    """
    columns = [("image", examples["image"]), ("truth", colourise(examples["label"], palette))]
    columns += [(label(name, study), colourise(examples[f"prediction/{name}"], palette)) for name in methods]
    named = range(len(classes)) if len(classes) <= 11 else np.intersect1d(examples["label"], np.arange(len(classes)))
    colours = np.asarray(palette, dtype=np.uint8).reshape(-1, 3) / 255
    patches = [Patch(color=colours[index], label=plain(classes[index])) for index in named]
    headings = [name for name, _ in columns]
    fitting = _fitting([classes[index] for index in named], min(width, 1.5 * len(headings)))
    foot = 0.16 * -(-len(patches) // fitting) + 0.08 * bool(patches)
    shown = images_shown(examples["image"], len(headings), width)
    figure, grid = grid_of(shown, headings, foot=foot, width=width)
    for column, (_, pictures) in zip(grid.T, columns, strict=True):
        for axes, picture in zip(column, pictures[: len(column)], strict=True):
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
def similarity_figure(
    examples: Examples, methods: Sequence[str], study: Study | None = None, width: float = PAGE
) -> Figure:
    """Pixel-wise feature similarity: how alike each network holds every location and the one under the cross.

    Below each student's map stands r, its `agreement` with the teacher's, where the teacher is shown.

    Args:
        examples: `image` (E, H, W, 3), `probe` (E, 2) row and column in image pixels, and
            `similarity/<method>` (E, h, w) centred cosines in [-1, 1] for each method, on any grid.
        methods: the networks to show; "teacher" is one.
        study: whose labels the methods have.
        width: of the figure in inches, as in `qualitative_figure`.
    """
    rows, columns = examples["image"].shape[1:3]
    headings = ["image", *(label(method, study) for method in methods)]
    shown = images_shown(examples["image"], len(headings), width)
    figure, grid = grid_of(shown, headings, foot=0.5, below=0.13 * (TEACHER in methods), width=width)
    limit = _limit([examples[f"similarity/{method}"] for method in methods])
    maps = {"vmin": -limit, "vmax": limit, "cmap": DIVERGING, "extent": (-0.5, columns - 0.5, rows - 0.5, -0.5)}
    for row, (image, probe) in enumerate(zip(shown, examples["probe"], strict=False)):
        grid[row, 0].imshow(image, interpolation="nearest")
        for axes, method in zip(grid[row, 1:], methods, strict=True):
            similarity = examples[f"similarity/{method}"][row].astype(np.float32)
            drawn = axes.imshow(similarity, interpolation="nearest", **maps)
            if TEACHER in methods and method != TEACHER:
                r = agreement(similarity, examples[f"similarity/{TEACHER}"][row])
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

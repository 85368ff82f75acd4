"""The figure of classes: the IoU of each method and class. No torch here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from pfs.config.study import Study
from pfs.report.style import (
    COLUMN,
    DIVERGING,
    PAGE,
    SMALL,
    STYLE,
    TALLEST,
    escape,
    ink,
    label,
    shorten,
    text_width,
    wrap,
)
from pfs.study.places import TEACHER

LONGEST_NAME = 24  # characters of a class's name in a figure
CLASSES_A_ROW, CLASSES_A_NARROW_ROW = 25, 11  # of a page's figure and of a column's, so that numbers can be read
ROW, LEAST_ROW = 0.19, 0.13  # inches: the height of a method's row, and of the lowest


def plain(name: str) -> str:
    """A class's name as matplotlib shows it as it is: a dollar begins no mathematics; a very long name is cut."""
    return escape(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


@rc_context(STYLE)
def class_figure(classes: pd.DataFrame, reference: str, study: Study | None = None, width: float = PAGE) -> Figure:
    """IoU of each method and class: the number is the IoU, the colour its difference to the reference.

    A class without an IoU, because neither labels nor predictions hold it, has a dash. Many classes are drawn in
    several rows, one below the other, which together may be higher than a page.

    Args:
        classes: `pfs.report.tables.class_table`, methods x classes in percent.
        reference: the method that the colours compare with; where it has no row, no cell is coloured.
        study: whose labels the methods have.
        width: of the figure in inches, `PAGE` or `COLUMN`.
    """
    narrow = width <= COLUMN
    parts = -(-classes.shape[1] // (CLASSES_A_NARROW_ROW if narrow else CLASSES_A_ROW))
    names = [shorten(label(method, study), 0.5 * width if narrow else 1.6, SMALL) for method in classes.index]
    chosen = [classes.iloc[:, part] for part in np.array_split(np.arange(classes.shape[1]), parts)]
    left = 0.1 + max(text_width(name, SMALL) for name in names)
    cell = (width - left - (0.1 if narrow else 0.9)) / chosen[0].shape[1]
    below = 0.1 + max(_depth(list(part.columns), cell) for part in chosen)
    around = 0.4 + below + 0.45 * narrow / parts  # a column has the bar below the cells
    row = max(LEAST_ROW, min(ROW, (TALLEST / parts - around) / len(classes)))
    figure = Figure(figsize=(width, parts * (around + row * len(classes))), layout="constrained")
    rows = list(figure.subplots(parts, squeeze=False).flat)
    difference = (classes - classes.reindex([reference]).iloc[0]).fillna(0)
    # The teacher would take the whole scale: it may run off its end, which the bar's points show.
    limit = max(1.0, difference.drop(index=TEACHER, errors="ignore").abs().to_numpy().max(initial=0.0))
    for axes, part in zip(rows, chosen, strict=True):
        _draw_cells(axes, part.set_axis([escape(name) for name in names]), difference[part.columns].to_numpy(), limit)
        _name_classes(axes, list(part.columns), cell)
    _draw_bar(figure, rows, escape(shorten(label(reference, study), 1.6, 7)), width - left - 0.2 if narrow else None)
    dash = "; a dash: in neither labels nor predictions" if classes.isna().to_numpy().any() else ""
    rows[0].set_title(wrap(f"Test IoU of each class (%){dash}", 0.6 * width, 8))
    return figure


def _name_classes(axes: Axes, names: Sequence[str], cell: float) -> None:
    """Name the columns of cells; where more than the first name are wider than a cell, all words are turned.

    Args:
        axes: with a column of cells for each name.
        names: of the classes. A number is never turned.
        cell: the width of a cell in inches.
    """
    texts = axes.get_xticklabels()
    wide = [text_width(plain(name), 7) > cell for name in names]
    for text, name in zip(texts, names, strict=True):
        text.set_rotation(90 if any(wide[1:]) and not name.isdigit() else 0)
    if wide[0] and not any(wide[1:]):  # such as "background": there is room for it to the left
        figure = axes.get_figure()
        assert figure is not None
        texts[0].set_horizontalalignment("right")
        texts[0].set_transform(texts[0].get_transform() + ScaledTranslation(0.45 * cell, 0, figure.dpi_scale_trans))


def _depth(names: Sequence[str], cell: float) -> float:
    """The height in inches of the names below the cells: none but a line's unless they are turned."""
    widths = [text_width(name[:LONGEST_NAME], 7) for name in names]
    return max(widths) if max(widths[1:], default=0) > cell else 0.0


def _draw_bar(figure: Figure, rows: Sequence[Axes], reference: str, room: float | None) -> None:
    """The scale of the colours: beside the cells, or in a narrow figure below them, which are `room` inches wide."""
    above = f"points above\n{reference}" if room is None else wrap(f"points above {reference}", room, 7.5)
    placed: Any = {"aspect": 8 * figure.get_figheight()} if room is None else {"location": "bottom", "aspect": 30}
    figure.colorbar(rows[0].collections[0], ax=list(rows), label=above, pad=0.015, extend="both", **placed)


def _draw_cells(axes: Axes, classes: pd.DataFrame, difference: npt.NDArray[np.floating[Any]], limit: float) -> None:
    """Coloured cells with their numbers, each number in black or white as its cell demands."""
    numbers = classes.map(lambda iou: "-" if np.isnan(iou) else f"{iou:.0f}")
    names = {"xticklabels": [plain(name) for name in classes.columns], "yticklabels": list(classes.index)}
    options = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit, "linewidths": 0.6, "cbar": False}
    sns.heatmap(difference, annot=numbers, fmt="", ax=axes, annot_kws={"size": SMALL}, **names, **options)
    for text, face in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        text.set_color(ink(face))
    axes.tick_params(length=0)
    axes.tick_params("y", rotation=0, labelsize=SMALL)

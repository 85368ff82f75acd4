"""The figures of methods: their test mIoU, and how much each adds to the reference. No torch here."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pfs.config.study import Study
from pfs.report.style import (
    COLUMN,
    LEGEND,
    PAGE,
    REFERENCE,
    SMALL,
    STYLE,
    TALLEST,
    Look,
    colour,
    escape,
    label,
    looks,
    shorten,
    text_width,
)
from pfs.study.places import TEACHER

ROW, LOW_ROW, LEAST_ROW = 0.27, 0.17, 0.12  # inches: the height of a method's row, of one of many, and of the lowest
MANY = 20  # methods: a column has no room for two panels of more, one above the other


@rc_context(STYLE)
def methods_figure(
    table: pd.DataFrame, runs: pd.DataFrame, reference: str, width: float = PAGE, study: Study | None = None
) -> Figure:
    """Test mIoU of every method, seed by seed, and its paired difference to the reference.

    Args:
        table: `pfs.report.tables.main_table`.
        runs: `runs.csv`.
        reference: the method that the differences are to.
        width: of the figure in inches: `PAGE` has the two beside each other, `COLUMN` one above the other. Of more than
            `MANY` methods a column shows the mIoU alone, in which the reference's is a line.
        study: whose terms say which methods are variants of one, and so have its colour.
    """
    students = table[table["method"] != TEACHER].reset_index(drop=True)
    figure, (upper, *lower) = _panels(students, width)
    drawn = looks(list(students["method"]), study)
    _draw_miou(upper, students, runs, drawn)
    for mean in table.loc[table["method"] == TEACHER, "miou_mean"].dropna():
        _draw_teacher(upper, mean)
    for mean in students.loc[students["method"] == reference, "miou_mean"].dropna():
        name = f"{_name(students, reference)}, the reference"
        upper.axvline(mean, color=REFERENCE, linewidth=0.8, zorder=0, label=name)
    for axes in lower:
        _draw_differences(axes, students, reference, drawn)
    _legend(figure, width)
    return figure


def _panels(students: pd.DataFrame, width: float) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for mIoU and, where there is room, one for differences: a row a method in both."""
    rows = len(students)
    fitting = (TALLEST - 1.35) / rows
    height = rows * max(LEAST_ROW, min(ROW if rows <= 12 else LOW_ROW, fitting)) + 0.45
    if width > COLUMN:
        figure = Figure(figsize=(width, height + 0.55), layout="constrained")
        panels = list(figure.subplots(1, 2, sharey=True, width_ratios=(4, 3)))
        panels[1].tick_params(axis="y", left=False)
        panels[1].spines["left"].set_visible(False)
    else:
        count = 1 if rows > MANY else 2
        figure = Figure(figsize=(width, count * height + 0.9), layout="constrained")
        panels = list(figure.subplots(count, 1, sharey=True, squeeze=False).flat)
    size = 7 if width > COLUMN else SMALL
    names = [escape(shorten(name, (0.42 if width > COLUMN else 0.5) * width, size)) for name in students["label"]]
    panels[0].set_yticks(range(rows), names, fontsize=size)
    panels[0].set_ylim(rows - 0.4, -0.6)
    return figure, panels


def _draw_miou(axes: Axes, students: pd.DataFrame, runs: pd.DataFrame, drawn: Mapping[str, Look]) -> None:
    """A dot for each seed, and a bar for their mean where there are several: of those, each has a height of its own."""
    several = students["runs"].max() > 1
    opacity = 0.6 if several else 1.0  # seeds may lie upon each other
    for row, (method, mean) in enumerate(zip(students["method"], students["miou_mean"], strict=True)):
        seeds = runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "miou"]
        shade, marker = drawn[method]
        heights = row + np.linspace(-0.22, 0.22, len(seeds)) if len(seeds) > 1 else [row] * len(seeds)
        axes.scatter(seeds, heights, s=22 if several else 26, color=shade, marker=marker, alpha=opacity, linewidths=0)
        if several:
            axes.plot(mean, row, marker="|", markersize=13, markeredgewidth=1.6, color=shade)
    axes.plot([], [], "o", color="0.3", markersize=4, alpha=opacity, label="one seed" if several else "the only seed")
    if several:
        axes.plot([], [], "|", color="0.3", markersize=9, markeredgewidth=1.6, label="mean over seeds")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set(title="Each seed, and their mean" if several else "One seed", xlabel="test mIoU (%)")


def _draw_teacher(axes: Axes, mean: float) -> None:
    """The teacher as a line; where it is so far ahead that the students would be pressed together, in words."""
    low, high = axes.get_xlim()
    if low <= mean <= high + 1.2 * (high - low):
        axes.axvline(mean, color=colour(TEACHER), linestyle="--", linewidth=0.9, zorder=0, label="the teacher")
    else:
        axes.plot([], [], " ", label=f"the teacher: {mean:.1f} %")


def _draw_differences(axes: Axes, students: pd.DataFrame, reference: str, drawn: Mapping[str, Look]) -> None:
    """The mean paired difference of each method, with its interval if it has one; the reference itself has none."""
    axes.axvline(0, color=REFERENCE, linewidth=0.8, zorder=0)
    columns = ["method", "difference", "difference_low", "difference_high"]
    for row, (method, mean, low, high) in enumerate(students[columns].itertuples(index=False)):
        if method != reference:
            shade, marker = drawn[method]
            axes.plot([low, high], [row, row], linewidth=2.2, color=shade, solid_capstyle="butt")
            axes.scatter(mean, row, s=30, color=shade, marker=marker, edgecolors="white", linewidths=0.5, zorder=3)
    _name_differences(axes, students, reference)


def _name_differences(axes: Axes, students: pd.DataFrame, reference: str) -> None:
    """Title, legend and label of the axes of differences; an interval is named only where there is one."""
    intervals = students["difference_low"].notna().any()
    style: Any = {"color": "0.3", "marker": "o", "markersize": 5, "markeredgecolor": "white"}
    name = "mean, 95 % interval" if intervals else "difference in that seed"
    axes.plot([], [], linewidth=2.2 if intervals else 0, label=name, **style)
    title = "Paired difference" if intervals else "Difference in one seed"
    axes.set(title=title, xlabel=escape(f"points above {_name(students, reference)}"))


def _name(students: pd.DataFrame, method: str) -> str:
    """A method's label in a table, cut where it is very long."""
    found = students.loc[students["method"] == method, "label"]
    return shorten(found.iloc[0] if len(found) else label(method), 1.6, 7)


def _legend(figure: Figure, width: float) -> None:
    """One legend of all axes below them, in as many columns as fit."""
    handles = [handle for axes in figure.axes for handle in axes.get_legend_handles_labels()[0]]
    longest = max(text_width(str(handle.get_label()), 7) for handle in handles) + 0.45
    columns = max(1, min(len(handles), int(width / longest)))
    names = [escape(str(handle.get_label())) for handle in handles]
    figure.legend(handles, names, loc="outside lower center", ncols=columns, **LEGEND)


@rc_context(STYLE)
def schedules_figure(table: pd.DataFrame, reference: str, width: float = PAGE, study: Study | None = None) -> Figure:
    """Mean test mIoU of every method after a short and after a long schedule, and the paired differences of both.

    Args:
        table: `pfs.report.schedules.both_schedules`; the shorter schedule is drawn hollow.
        reference: the method that the differences are to.
        width: of the figure in inches, as in `methods_figure`.
        study: as in `methods_figure`.
    """
    shorter, longer = (rows.reset_index(drop=True) for _, rows in table.groupby("steps"))
    figure, (upper, *lower) = _panels(shorter, width)
    drawn = looks(list(shorter["method"]), study)
    for row, (method, start, end) in enumerate(
        zip(shorter["method"], shorter["miou_mean"], longer["miou_mean"], strict=True)
    ):
        upper.plot([start, end], [row, row], color=drawn[method].colour, linewidth=1, alpha=0.5, zorder=1)
    for rows, hollow in ((shorter, True), (longer, False)):
        _draw_means(upper, rows, drawn, hollow)
        for axes in lower:
            _draw_schedule_differences(axes, rows, reference, drawn, hollow)
    upper.plot([], [], color="0.3", linewidth=1, alpha=0.5, label="joins a method's means")
    upper.set(title="Mean over seeds", xlabel="test mIoU (%)")
    for axes in lower:
        axes.axvline(0, color=REFERENCE, linewidth=0.8, zorder=0)
        _name_differences(axes, table, reference)
    _legend(figure, width)
    return figure


def _draw_means(axes: Axes, rows: pd.DataFrame, drawn: Mapping[str, Look], hollow: bool) -> None:
    """A point a method for its mean."""
    for row, (method, mean) in enumerate(zip(rows["method"], rows["miou_mean"], strict=True)):
        axes.scatter(mean, row, marker=drawn[method].marker, **_dot(drawn[method].colour, hollow))
    face = "white" if hollow else "0.3"
    axes.plot([], [], "o", color="0.3", markerfacecolor=face, label=f"{rows['steps'][0]} steps")


def _draw_schedule_differences(
    axes: Axes, rows: pd.DataFrame, reference: str, drawn: Mapping[str, Look], hollow: bool
) -> None:
    """A method's difference with its interval: that of the shorter schedule, the hollow one, above the longer's."""
    offset = -0.16 if hollow else 0.16  # of a row
    columns = ["method", "difference", "difference_low", "difference_high"]
    for row, (method, difference, low, high) in enumerate(rows[columns].itertuples(index=False)):
        if method != reference:
            shade, marker = drawn[method]
            axes.plot([low, high], [row + offset] * 2, linewidth=1.8, color=shade, alpha=0.6 if hollow else 1)
            axes.scatter(difference, row + offset, marker=marker, **_dot(shade, hollow))


def _dot(shade: Any, hollow: bool) -> dict[str, Any]:
    return {"s": 26, "facecolors": "white" if hollow else shade, "edgecolors": shade, "zorder": 3}

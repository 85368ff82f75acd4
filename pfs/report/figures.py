"""The figures of a study's numbers, each a function from tables to a matplotlib Figure. No torch here.

No figure goes through pyplot, so none leaves global state behind: a notebook says `%matplotlib inline` once,
and shows a figure by ending a cell with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pfs.config.study import Study
from pfs.report.style import (
    COLUMN,
    DIVERGING,
    LEGEND,
    PAGE,
    REFERENCE,
    SMALL,
    STYLE,
    Look,
    colour,
    escape,
    ink,
    label,
    looks,
    shorten,
    text_width,
)
from pfs.study.places import TEACHER

LONGEST_NAME = 24  # characters of a class's name in a figure
CLASSES_A_ROW = 25  # of a figure, so that names and numbers can be read
ROW, LOW_ROW = 0.27, 0.17  # inches: the height of a method's row, and of one of many


def plain(name: str) -> str:
    """A class's name as matplotlib shows it as it is: a dollar begins no mathematics; a very long name is cut."""
    return escape(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


@rc_context(STYLE)
def methods_figure(table: pd.DataFrame, runs: pd.DataFrame, reference: str, width: float = PAGE) -> Figure:
    """Test mIoU of every method, seed by seed, and its paired difference to the reference.

    Args:
        table: `pfs.report.tables.main_table`.
        runs: `runs.csv`.
        reference: the method that the differences are to.
        width: of the figure in inches: `PAGE` has the two beside each other, `COLUMN` one above the other.
    """
    students = table[table["method"] != TEACHER].reset_index(drop=True)
    figure, upper, lower = _two_panels(students, width)
    drawn = looks(list(students["method"]))
    _draw_miou(upper, students, runs, drawn)
    for mean in table.loc[table["method"] == TEACHER, "miou_mean"].dropna():
        _draw_teacher(upper, mean)
    for mean in students.loc[students["method"] == reference, "miou_mean"].dropna():
        name = f"{_name(students, reference)}, the reference"
        upper.axvline(mean, color=REFERENCE, linewidth=0.8, zorder=0, label=name)
    _draw_differences(lower, students, reference, drawn)
    _legend(figure, width)
    return figure


def _two_panels(students: pd.DataFrame, width: float) -> tuple[Figure, Axes, Axes]:
    """A figure with a panel for mIoU and one for differences, a row a method in both."""
    rows = len(students)
    height = rows * (ROW if rows <= 12 else LOW_ROW) + 0.45
    if width > COLUMN:
        figure = Figure(figsize=(width, height + 0.55), layout="constrained")
        upper, lower = figure.subplots(1, 2, sharey=True, width_ratios=(4, 3))
        lower.tick_params(axis="y", left=False)
        lower.spines["left"].set_visible(False)
    else:
        figure = Figure(figsize=(width, 2 * height + 0.9), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharey=True)
    names = [escape(shorten(name, 0.42 * width, 7)) for name in students["label"]]
    upper.set_yticks(range(rows), names)
    upper.set_ylim(rows - 0.4, -0.6)
    return figure, upper, lower


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
def schedules_figure(table: pd.DataFrame, reference: str, width: float = PAGE) -> Figure:
    """Mean test mIoU of every method after a short and after a long schedule, and the paired differences of both.

    Args:
        table: `pfs.report.schedules.both_schedules`; the shorter schedule is drawn hollow.
        reference: the method that the differences are to.
        width: of the figure in inches, as in `methods_figure`.
    """
    shorter, longer = (rows.reset_index(drop=True) for _, rows in table.groupby("steps"))
    figure, upper, lower = _two_panels(shorter, width)
    drawn = looks(list(shorter["method"]))
    for row, (method, start, end) in enumerate(
        zip(shorter["method"], shorter["miou_mean"], longer["miou_mean"], strict=True)
    ):
        upper.plot([start, end], [row, row], color=drawn[method].colour, linewidth=1, alpha=0.5, zorder=1)
    _draw_schedule(upper, lower, shorter, reference, offset=-0.16, hollow=True)
    _draw_schedule(upper, lower, longer, reference, offset=0.16, hollow=False)
    lower.axvline(0, color=REFERENCE, linewidth=0.8, zorder=0)
    upper.plot([], [], color="0.3", linewidth=1, alpha=0.5, label="joins a method's means")
    upper.set(title="Mean over seeds", xlabel="test mIoU (%)")
    _name_differences(lower, table, reference)
    _legend(figure, width)
    return figure


def _draw_schedule(
    upper: Axes, lower: Axes, rows: pd.DataFrame, reference: str, *, offset: float, hollow: bool
) -> None:
    """A point a method for its mean; one with its interval for its difference, `offset` of a row beside the middle."""
    drawn = looks(list(rows["method"]))
    columns = ["method", "miou_mean", "difference", "difference_low", "difference_high"]
    for row, (method, mean, difference, low, high) in enumerate(rows[columns].itertuples(index=False)):
        shade, marker = drawn[method]
        dot: Any = {"s": 26, "facecolors": "white" if hollow else shade, "edgecolors": shade, "zorder": 3}
        upper.scatter(mean, row, marker=marker, **dot)
        if method != reference:
            lower.plot([low, high], [row + offset] * 2, linewidth=1.8, color=shade, alpha=0.6 if hollow else 1)
            lower.scatter(difference, row + offset, marker=marker, **dot)
    face = "white" if hollow else "0.3"
    upper.plot([], [], "o", color="0.3", markerfacecolor=face, label=f"{rows['steps'][0]} steps")


@rc_context(STYLE)
def class_figure(classes: pd.DataFrame, reference: str, study: Study | None = None) -> Figure:
    """IoU of each method and class: the number is the IoU, the colour its difference to the reference.

    A class without an IoU, because neither labels nor predictions hold it, has a dash.

    Args:
        classes: `pfs.report.tables.class_table`, methods x classes in percent.
        reference: the method that the colours compare with; where it has no row, no cell is coloured.
        study: whose labels the methods have.
    """
    parts = -(-classes.shape[1] // CLASSES_A_ROW)  # one below the other
    methods = [escape(shorten(label(method, study), 1.6, 7)) for method in classes.index]
    names = [plain(name) for name in classes.columns]
    longest = max(text_width(name[:LONGEST_NAME], 7) for name in classes.columns)
    turned = longest > 4.2 / min(len(names), CLASSES_A_ROW)
    below = longest if turned else 0.1
    figure = Figure(figsize=(PAGE, parts * (0.5 + below + 0.19 * len(classes))), layout="constrained")
    rows = list(figure.subplots(parts, squeeze=False).flat)
    difference = (classes - classes.reindex([reference]).iloc[0]).fillna(0)
    # The teacher would take the whole scale: it may run off its end, which the bar's points show.
    limit = max(1.0, difference.drop(index=TEACHER, errors="ignore").abs().to_numpy().max(initial=0.0))
    for axes, chosen in zip(rows, np.array_split(np.arange(classes.shape[1]), parts), strict=True):
        part = classes.iloc[:, chosen].set_axis(methods).set_axis([names[index] for index in chosen], axis=1)
        _draw_cells(axes, part, difference.iloc[:, chosen].to_numpy(), limit)
        axes.tick_params("x", rotation=90 if turned else 0)
    above = f"points above\n{escape(shorten(label(reference, study), 1.6, 7))}"
    figure.colorbar(
        rows[0].collections[0], ax=rows, label=above, pad=0.015, extend="both", aspect=8 * figure.get_figheight()
    )
    dash = "; a dash: in neither labels nor predictions" if classes.isna().to_numpy().any() else ""
    rows[0].set_title(f"Test IoU of each class (%){dash}")
    return figure


def _draw_cells(axes: Axes, classes: pd.DataFrame, difference: npt.NDArray[np.floating[Any]], limit: float) -> None:
    """Coloured cells with their numbers, each number in black or white as its cell demands."""
    numbers = classes.map(lambda iou: "-" if np.isnan(iou) else f"{iou:.0f}")
    names = {"xticklabels": list(classes.columns), "yticklabels": list(classes.index)}
    options = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit, "linewidths": 0.6, "cbar": False}
    sns.heatmap(difference, annot=numbers, fmt="", ax=axes, annot_kws={"size": SMALL}, **names, **options)
    for text, face in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        text.set_color(ink(face))
    axes.tick_params(length=0)
    axes.tick_params("y", rotation=0)


@rc_context(STYLE)
def history_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """The loss during training, in total and term by term: logged steps faint, their running mean bold.

    Args:
        history: a record's `history`: dicts with `step`, `total`, `ce`, the method's terms, `learning_rate`.
    """
    frame = pd.DataFrame(history).set_index("step").drop(columns="learning_rate", errors="ignore")
    smooth = frame.rolling(max(1, len(frame) // 20), min_periods=1, center=True).mean()
    figure = Figure(figsize=(PAGE, 2.8), layout="constrained")
    axes = figure.subplots()
    for name, line in zip(frame.columns, cycle(("-", "--", "-.", ":")), strict=False):
        shade = "black" if name == "total" else colour(name)
        axes.plot(frame.index, frame[name], color=shade, linewidth=0.6, alpha=0.3)
        axes.plot(frame.index, smooth[name], color=shade, linewidth=1.4, linestyle=line, label=name)
    if (frame > 0).all(axis=None):
        axes.set_yscale("log")
    axes.set(title="Training loss: its running mean bold, the logged steps faint", xlabel="step", ylabel="loss")
    axes.legend(**LEGEND | {"handlelength": 2.4}, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


# --- files --------------------------------------------------------------------------------------------------


@contextmanager
def drawing(folder: Path, name: str) -> Iterator[None]:
    """Around the code that draws and saves one figure: a figure that cannot be drawn never fails its study.

    The error is told in one line. The files of the figure are then deleted, because they show earlier numbers.

    Args:
        folder: where the figure is saved.
        name: of its files, without a suffix.

    Raises:
        OSError: the files cannot be written, as on a full disk, where nothing else could be written either.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        for suffix in ("png", "pdf"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        print(f"The figure {name!r} cannot be drawn and is left out ({type(error).__name__}: {reason}).")

"""The figures of a study's numbers, each a function from tables to a matplotlib Figure. No torch here.

No figure goes through pyplot, so none leaves global state behind: a notebook says `%matplotlib inline` once,
and shows a figure by ending a cell with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pfs.report.style import LEGEND, STYLE, colour, label
from pfs.study.places import TEACHER

LONGEST_NAME = 24  # characters of a class's name in a figure
CLASSES_A_ROW = 25  # of a figure, so that names and numbers can be read


def plain(name: str) -> str:
    """A class's name as matplotlib shows it as it is: a dollar begins no mathematics; a very long name is cut."""
    shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return shown.replace("$", r"\$")


@rc_context(STYLE)
def methods_figure(table: pd.DataFrame, runs: pd.DataFrame, reference: str) -> Figure:
    """Test mIoU of every method, seed by seed, beside its paired difference to the reference.

    Args:
        table: `pfs.report.tables.main_table`.
        runs: `runs.csv`.
        reference: the method that the differences are to.
    """
    students = table[table["method"] != TEACHER].reset_index(drop=True)
    figure = Figure(figsize=(7.0, 0.9 + 0.33 * len(students)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(4, 3))
    _draw_miou(left, students, runs, reference)
    _draw_teacher(left, table)
    _draw_differences(right, students, reference)
    left.set_yticks(range(len(students)), students["label"])
    left.set_ylim(len(students) - 0.4, -0.6)
    return figure


def _draw_miou(axes: Axes, students: pd.DataFrame, runs: pd.DataFrame, reference: str) -> None:
    """A dot for each seed, a bar for their mean, and a line through the reference's mean."""
    for row, (method, mean) in enumerate(zip(students["method"], students["miou_mean"], strict=True)):
        seeds = runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "miou"]
        axes.scatter(seeds, [row] * len(seeds), s=18, color=colour(method), alpha=0.6, linewidths=0)
        axes.plot(mean, row, marker="|", markersize=13, markeredgewidth=2.2, color=colour(method))
        if method == reference:
            axes.axvline(mean, color=colour(method), linewidth=0.8, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set(title="Each seed, and their mean", xlabel="test mIoU (%)")


def _draw_teacher(axes: Axes, table: pd.DataFrame) -> None:
    """The teacher's mIoU as a dashed line, named at its foot."""
    for mean in table.loc[table["method"] == TEACHER, "miou_mean"].dropna():
        axes.axvline(mean, color=colour(TEACHER), linestyle="--", linewidth=0.9, zorder=0)
        place = axes.get_xaxis_transform()  # x in percent, y from 0 at the foot to 1
        axes.text(mean, 0.03, "teacher ", transform=place, ha="right", fontsize=8)


def _draw_differences(axes: Axes, students: pd.DataFrame, reference: str) -> None:
    """The mean paired difference of each method with its interval; the reference itself has none."""
    axes.axvline(0, color=colour(reference), linewidth=0.8, zorder=0)
    columns = ["method", "difference", "difference_low", "difference_high"]
    for row, (method, mean, low, high) in enumerate(students[columns].itertuples(index=False)):
        if method != reference:
            axes.plot([low, high], [row, row], linewidth=2.2, color=colour(method), solid_capstyle="butt")
            axes.scatter(mean, row, s=30, color=colour(method), edgecolors="white", zorder=3)
    axes.set(title="Paired difference, 95 % interval", xlabel=f"points above {label(reference)}")
    axes.tick_params(axis="y", left=False)
    axes.spines["left"].set_visible(False)


@rc_context(STYLE)
def schedules_figure(table: pd.DataFrame, reference: str) -> Figure:
    """Mean test mIoU of every method after a short and after a long schedule, beside the paired differences of both.

    Args:
        table: `pfs.report.schedules.both_schedules`; the shorter schedule is drawn hollow.
        reference: the method that the differences are to.
    """
    shorter, longer = (rows.reset_index(drop=True) for _, rows in table.groupby("steps"))
    figure = Figure(figsize=(7.0, 1.1 + 0.36 * len(shorter)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(4, 3))
    ends = zip(shorter["method"], shorter["miou_mean"], longer["miou_mean"], strict=True)
    for row, (method, start, end) in enumerate(ends):
        left.plot([start, end], [row, row], color=colour(method), linewidth=1, alpha=0.5, zorder=1)
    _draw_schedule(left, right, shorter, reference, offset=-0.14, face="white")
    _draw_schedule(left, right, longer, reference, offset=0.14, face=None)
    right.axvline(0, color=colour(reference), linewidth=0.8, zorder=0)
    left.set_yticks(range(len(shorter)), shorter["label"])
    left.set_ylim(len(shorter) - 0.4, -0.6)
    left.set(title="Mean over seeds", xlabel="test mIoU (%)")
    right.set(title="Paired difference, 95 % interval", xlabel=f"points above {label(reference)}")
    right.tick_params(axis="y", left=False)
    right.spines["left"].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, **LEGEND)
    return figure


def _draw_schedule(
    left: Axes, right: Axes, rows: pd.DataFrame, reference: str, *, offset: float, face: str | None
) -> None:
    """A dot a method for its mean; one with its interval for its difference, `offset` of a row beside the middle."""
    columns = ["method", "miou_mean", "difference", "difference_low", "difference_high"]
    for row, (method, mean, difference, low, high) in enumerate(rows[columns].itertuples(index=False)):
        dot: Any = {"s": 30, "facecolors": face or colour(method), "edgecolors": colour(method), "zorder": 3}
        left.scatter(mean, row, **dot)
        if method != reference:
            right.plot([low, high], [row + offset] * 2, linewidth=1.8, color=colour(method), alpha=0.6 if face else 1)
            right.scatter(difference, row + offset, **dot)
    left.scatter([], [], s=30, facecolors=face or "0.3", edgecolors="0.3", label=f"{rows['steps'][0]} steps")


@rc_context(STYLE)
def class_figure(classes: pd.DataFrame, reference: str) -> Figure:
    """IoU of each method and class: the number is the IoU, the colour its difference to the reference.

    A class without an IoU, because neither labels nor predictions hold it, has a dash.

    Args:
        classes: `pfs.report.tables.class_table`, methods x classes in percent.
        reference: the method that the colours compare with; where it has no row, no cell is coloured.
    """
    parts = -(-classes.shape[1] // CLASSES_A_ROW)  # one below the other
    figure = Figure(figsize=(7.0, parts * (1.3 + 0.27 * len(classes))), layout="constrained")
    rows = list(figure.subplots(parts, squeeze=False).flat)
    difference = (classes - classes.reindex([reference]).iloc[0]).fillna(0)
    # The teacher would take the whole scale: it may run off its end, which the bar's points show.
    limit = max(1.0, difference.drop(index=TEACHER, errors="ignore").abs().to_numpy().max(initial=0.0))
    options = {"cmap": "vlag_r", "vmin": -limit, "vmax": limit, "annot_kws": {"size": 7.5}, "linewidths": 0.6}
    for axes, columns in zip(rows, np.array_split(np.arange(classes.shape[1]), parts), strict=True):
        part = classes.iloc[:, columns]
        names = [plain(name) for name in part.columns]
        ticks = {"xticklabels": names, "yticklabels": [label(method) for method in part.index]}
        numbers = part.map(lambda iou: "-" if np.isnan(iou) else f"{iou:.0f}")
        sns.heatmap(difference.iloc[:, columns], annot=numbers, fmt="", cbar=False, ax=axes, **ticks, **options)
        axes.set(xlabel="", ylabel="")
        axes.tick_params("y", length=0, rotation=0)
        axes.set_xticks(axes.get_xticks(), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params("x", length=0)
    above = f"points above\n{label(reference)}"
    figure.colorbar(rows[0].collections[0], ax=rows, label=above, pad=0.015, extend="both", aspect=20 * parts)
    rows[0].set_title("Test IoU of each class (%), mean over seeds")
    return figure


@rc_context(STYLE)
def history_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """The loss during training, in total and term by term: logged steps faint, their running mean bold.

    Args:
        history: a record's `history`: dicts with `step`, `total`, `ce`, the method's terms, `learning_rate`.
    """
    frame = pd.DataFrame(history).set_index("step").drop(columns="learning_rate", errors="ignore")
    smooth = frame.rolling(max(1, len(frame) // 20), min_periods=1, center=True).mean()
    figure = Figure(figsize=(5.5, 2.8), layout="constrained")
    axes = figure.subplots()
    for name in frame.columns:
        shade = "black" if name == "total" else colour(name)
        axes.plot(frame.index, frame[name], color=shade, linewidth=0.6, alpha=0.3)
        axes.plot(frame.index, smooth[name], color=shade, linewidth=1.4, label=name)
    if (frame > 0).all(axis=None):
        axes.set_yscale("log")
    axes.set(title="Training loss: total and its terms", xlabel="step", ylabel="loss")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
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

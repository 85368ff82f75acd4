"""The figures of what a loss and a training step cost. No torch here."""

from itertools import cycle
from typing import Any, NamedTuple

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pfs.report.style import LEGEND, MARKERS, PAGE, STYLE, colour
from pfs.study.places import TEACHER


@rc_context(STYLE)
def benchmark_figure(table: pd.DataFrame) -> Figure:
    """Time and peak memory of each form over the number of locations, log-log: a row a reading, fp32.

    Args:
        table: `pfs.bench.kernels.run`. A form that was skipped stands as a cross at its estimated peak, which the
            legend says; peaks below 1 MiB are noise, and not drawn.
    """
    losses = table[(table["reading"] != "machine") & (table["dtype"] == "float32")]
    losses = losses[losses["batch"] == losses["batch"].min()]
    losses = losses.sort_values("form", key=lambda forms: forms != "ours", kind="stable")  # ours lead the legend
    losses = losses.assign(peak_mib=losses["peak_mib"].where(losses["peak_mib"] >= 1))
    readings = list(losses["reading"].unique())
    figure = Figure(figsize=(PAGE, 0.3 + 2.5 * len(readings)), layout="constrained")
    for row, reading in zip(figure.subplots(len(readings), 2, squeeze=False), readings, strict=True):
        for axes, column, unit in zip(row, ("milliseconds", "peak_mib"), ("ms", "MiB"), strict=True):
            _draw_forms(axes, losses[losses["reading"] == reading], column)
            kind = "time" if unit == "ms" else "peak memory above the inputs"
            axes.set(title=f"{reading}: {kind}", xlabel="locations N", ylabel=unit)
        row[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND | {"handlelength": 2.4})
    return figure


@rc_context(STYLE)
def steps_figure(table: pd.DataFrame) -> Figure:
    """Milliseconds of whole steps, and of the parts of one: a row a setting.

    Args:
        table: `pfs.bench.throughput.run`. The dashed line is the student's step alone, the dotted one its step and the
            teacher's pass together.
    """
    settings = list(table["setting"].unique())
    figure = Figure(figsize=(PAGE, 0.6 + 2.4 * len(settings)), layout="constrained")
    for row, setting in zip(figure.subplots(len(settings), 2, squeeze=False), settings, strict=True):
        rows = table[table["setting"] == setting].set_index("case")["milliseconds"]
        is_part = rows.index.str.startswith("part: ")
        for axes, bars, kind in zip(row, (rows[~is_part], rows[is_part]), ("steps", "parts of a step"), strict=True):
            names = list(bars.index.str.removeprefix("part: "))
            axes.barh(names, bars, color=[_BARS.get(name, _OTHER).colour for name in names])
            axes.invert_yaxis()
            axes.set(title=f"{setting.replace('_', ' ')}: {kind}", xlabel="ms")
        for limit, style in zip((rows["student"], rows["student"] + rows["teacher"]), _LIMITS.values(), strict=True):
            row[0].axvline(limit, color="black", linestyle=style, linewidth=1.0)
    figure.legend(handles=_explained(), loc="outside lower center", ncols=3, **LEGEND | {"handlelength": 2.4})
    return figure


@rc_context(STYLE)
def pareto_figure(table: pd.DataFrame) -> Figure:
    """Test mIoU over milliseconds an image, shown one by one: a panel a study, a marker a network, a colour an engine.

    Args:
        table: `pfs.bench.latency.with_scores` of one or several studies.
    """
    single = table[table["batch"] == table["batch"].min()]
    studies, engines = list(single["study"].unique()), list(single["engine"].unique())
    shades = dict(zip(engines, sns.color_palette("viridis", len(engines)), strict=True))
    figure = Figure(figsize=(PAGE, 2.6), layout="constrained")
    for axes, study in zip(figure.subplots(1, len(studies), squeeze=False)[0], studies, strict=True):
        rows = single[single["study"] == study]
        for engine, points in rows.groupby("engine", sort=False):
            joined = points[points["method"].isin([TEACHER, points["method"].iloc[-1]])]
            axes.plot(joined["milliseconds"], joined["miou"], color=shades[engine], linewidth=0.8, alpha=0.6)
        for (engine, method), point in rows.groupby(["engine", "method"], sort=False):
            marker = _NETWORKS[_role(str(method), rows)]
            axes.scatter(point["milliseconds"], point["miou"], s=28, color=shades[engine], marker=marker, zorder=3)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set(title=study.replace("_", " "), xlabel="ms an image")
    figure.axes[0].set_ylabel("test mIoU (%)")
    dots = [Line2D([], [], linestyle="", marker=marker, color="0.3", label=name) for name, marker in _NETWORKS.items()]
    lines = [Patch(color=shade, label=engine) for engine, shade in shades.items()]
    figure.legend(handles=[*dots, *lines], loc="outside lower center", ncols=4, **LEGEND)
    return figure


_NETWORKS = {"teacher": "s", "student, best method on val": "^", "student alone": "o"}


def _role(method: str, rows: pd.DataFrame) -> str:
    """Which of the three networks a method of a study's rows is: the student's own rows begin with the reference."""
    if method == TEACHER:
        return "teacher"
    alone = rows.loc[rows["method"] != TEACHER, "method"].iloc[0]
    return "student alone" if method == alone else "student, best method on val"


class _Bar(NamedTuple):
    colour: Any
    meaning: str


_OTHER = _Bar(colour("ce"), "any other step or part")
_BARS = {
    "cached": _Bar(colour("pfs_wsp"), "PFS + WSP, the teacher's outputs cached"),
    "online": _Bar(colour("wsp"), "PFS + WSP, the teacher asked at every step"),
}
_LIMITS: dict[str, Any] = {"the student's step": "--", "the student's step and the teacher's": ":"}


def _explained() -> list[Artist]:
    """What the bars' colours and the two lines are, for a legend."""
    bars = [Patch(color=bar.colour, label=bar.meaning) for bar in (*_BARS.values(), _OTHER)]
    lines = [Line2D([], [], color="black", linestyle=style, label=name) for name, style in _LIMITS.items()]
    return [*bars, *lines]


def _draw_forms(axes: Axes, losses: pd.DataFrame, column: str) -> None:
    """A line a form and width, each with a marker of its own: ours in green, the darker the more channels."""
    axes.loglog()
    sizes = sorted(losses["locations"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    widths = sorted(losses.loc[losses["form"] == "ours", "channels"].unique())
    shades = dict(zip(widths, sns.light_palette(colour("pfs"), len(widths) + 1)[1:], strict=True))
    markers = cycle(MARKERS)
    for (form, channels), lines in losses.groupby(["form", "channels"], sort=False):
        shade = shades[channels] if form == "ours" else "black" if form == "dense" else colour(str(form))
        style: Any = {"color": shade, "marker": next(markers), "markersize": 3.5, "linewidth": 1.3}
        style["linestyle"] = "--" if form == "skd" else "-"  # it lies upon the dense form
        axes.plot(lines["locations"], lines[column], label=f"{form}, C = {channels}", **style)
        skipped = lines[lines["repeats"] == 0]
        if column == "peak_mib" and len(skipped):
            name = f"{form}: skipped, its estimate"
            axes.plot(skipped["locations"], skipped["estimate_mib"], _CROSS[str(form)], color=shade, label=name)


_CROSS = {"ours": "1", "dense": "x", "skd": "+"}  # of forms that would need more memory than there is

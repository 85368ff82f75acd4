"""The figures of what a loss, a training step and an image cost. No torch here."""

from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from pfs.report.style import LEGEND, MARKERS, PAGE, SMALL, STYLE, colour, save, wrap
from pfs.study.places import TEACHER

MEASURED = ("kernels", "steps", "latency")


def draw_measured(folder: Path, name: str) -> Figure:
    """Draw one of `MEASURED` from its table, `folder/<name>.csv`, and write it to `folder/figures` as PNG and PDF."""
    draw = {"kernels": benchmark_figure, "steps": steps_figure, "latency": pareto_figure}[name]
    figure = draw(pd.read_csv(folder / f"{name}.csv"))
    save(figure, folder / "figures", name)
    return figure


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
    figure = Figure(figsize=(PAGE, 0.7 + 2.5 * len(readings)), layout="constrained")
    for row, reading in zip(figure.subplots(len(readings), 2, squeeze=False), readings, strict=True):
        for axes, column, unit in zip(row, ("milliseconds", "peak_mib"), ("ms", "MiB"), strict=True):
            _draw_forms(axes, losses[losses["reading"] == reading], column)
            kind = "time" if unit == "ms" else "peak memory above the inputs"
            axes.set(title=f"{_READINGS[reading]}: {kind}", xlabel="locations N", ylabel=unit)
        row[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND | {"handlelength": 2.4})
    _note(figure, _FORMS_NOTE)
    return figure


@rc_context(STYLE)
def steps_figure(table: pd.DataFrame) -> Figure:
    """Milliseconds of whole steps, and of the parts of one: a row a setting.

    Args:
        table: `pfs.bench.throughput.run`. The dashed line is the student's step alone, the dotted one its step and the
            teacher's pass together.
    """
    settings = list(table["setting"].unique())
    figure = Figure(figsize=(PAGE, 1.5 + 2.4 * len(settings)), layout="constrained")
    for row, setting in zip(figure.subplots(len(settings), 2, squeeze=False), settings, strict=True):
        rows = table[table["setting"] == setting].set_index("case")["milliseconds"]
        is_part = rows.index.str.startswith("part: ")
        for axes, bars, kind in zip(row, (rows[~is_part], rows[is_part]), ("steps", "parts of a step"), strict=True):
            axes.barh(
                [_CASES.get(case, case) for case in bars.index], bars, color=[_shade(case) for case in bars.index]
            )
            axes.invert_yaxis()
            axes.set(title=f"{setting.replace('_', ' ')}: {kind}", xlabel="ms")
        for limit, style in zip((rows["student"], rows["student"] + rows["teacher"]), _LIMITS.values(), strict=True):
            row[0].axvline(limit, color="black", linestyle=style, linewidth=1.0)
    figure.legend(handles=_explained(), loc="outside upper center", ncols=3, **LEGEND | {"handlelength": 2.4})
    _note(figure, _STEPS_NOTE)
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
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
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


_READINGS = {"squared": "squared differences", "kl": "divergence (KL)"}
_FORMS = {"ours": "ours", "dense": "dense", "skd": "SKD's code"}
_FORMS_NOTE = (
    "Forward and backward of one PFS loss in fp32, C channels. Ours: what a study trains with. Dense: the formula as "
    "it is written, the maps of all N x N pairs built. SKD's code: the pair-wise loss of structured knowledge "
    "distillation without its pooling, which is PFS without the centring."
)

# How the figure calls a step, or a part of one.
_CASES = {
    "student": "student alone",
    "teacher": "teacher's pass alone",
    "cached": "PFS + WSP",
    "cached, KD alone": "KD",
    "cached, PFS alone": "PFS",
    "cached, WSP alone": "WSP",
    "online": "PFS + WSP, online",
    "online, default layout": "the same, default layout",
    "torchdistill": "torchdistill's loop",
    "student, bf16": "student in bf16",
    "student, interpolate": "student, torch's loss",
    "student, compiled": "student, torch.compile",
    "part: data": "reading images",
    "part: cached outputs": "reading cached outputs",
    "part: cached answers": "reading cached outputs",  # as tables of earlier commits call it
    "part: teacher": "teacher forward",
    "part: student forward": "student forward",
    "part: CE": "CE",
    "part: CE + WSP": "CE + WSP",
    "part: PFS": "PFS",
    "part: student backward": "student backward",
    "part: optimiser": "optimiser's step",
}
_STEPS_NOTE = (
    "Every student learns from labels (CE) too. The teacher's outputs are read from disk; online, the teacher computes "
    "them at every step. Default layout: channels before pixels in memory. torchdistill's loop: PFS + WSP, with files "
    "decoded in the process, the teacher online, fp32. torch's loss: interpolate, then cross_entropy. A loss's part "
    "has its gradient in it. digits: the networks of that study; photos: DeepLabV3+ on ResNet-101 teaches ResNet-18, "
    "512 x 512 pixels, PFS where the classifiers read; last stage: the same, PFS on the encoders' last stages."
)


def _note(figure: Figure, text: str) -> None:
    """Write below the axes what their names mean."""
    lines = wrap(text, PAGE - 0.5, SMALL)  # some letters are wider on the canvas than `wrap` knows
    figure.supxlabel(lines, x=0.1 / PAGE, ha="left", fontsize=SMALL, linespacing=1.3)


_HIGHLIGHTED: dict[str, tuple[Any, str]] = {
    "cached": (colour("pfs_wsp"), "PFS + WSP, the teacher's outputs cached"),
    "online": (colour("wsp"), "PFS + WSP, the teacher online"),
}


def _shade(case: str) -> Any:
    return _HIGHLIGHTED[case][0] if case in _HIGHLIGHTED else colour("ce")


_LIMITS: dict[str, Any] = {"the student's step": "--", "the student's step and the teacher's": ":"}


def _explained() -> list[Artist]:
    """What the bars' colours and the two lines are, for a legend."""
    shades = [*_HIGHLIGHTED.values(), (colour("ce"), "any other step or part")]
    bars = [Patch(color=shade, label=meaning) for shade, meaning in shades]
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
        axes.plot(lines["locations"], lines[column], label=f"{_FORMS[str(form)]}, C = {channels}", **style)
        skipped = lines[lines["repeats"] == 0]
        if column == "peak_mib" and len(skipped):
            name = f"{_FORMS[str(form)]}: skipped, its estimate"
            axes.plot(skipped["locations"], skipped["estimate_mib"], _CROSS[str(form)], color=shade, label=name)


_CROSS = {"ours": "1", "dense": "x", "skd": "+"}  # of forms that would need more memory than there is

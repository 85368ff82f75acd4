"""The figures of what a loss and a training step cost. No torch here."""

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfs.report.style import LEGEND, STYLE, colour


@rc_context(STYLE)
def benchmark_figure(table: pd.DataFrame) -> Figure:
    """Time and peak memory of each form over the number of locations, log-log: a row a reading, fp32.

    Args:
        table: `pfs.bench.kernels.run`. A form that was skipped stands as a cross at its estimated peak; peaks below 1
            MiB are noise, and not drawn.
    """
    losses = table[(table["reading"] != "machine") & (table["dtype"] == "float32")]
    losses = losses[losses["batch"] == losses["batch"].min()]
    losses = losses.sort_values("form", key=lambda forms: forms != "ours", kind="stable")  # ours lead the legend
    losses = losses.assign(peak_mib=losses["peak_mib"].where(losses["peak_mib"] >= 1))
    readings = list(losses["reading"].unique())
    figure = Figure(figsize=(7.0, 0.3 + 2.5 * len(readings)), layout="constrained")
    for row, reading in zip(figure.subplots(len(readings), 2, squeeze=False), readings, strict=True):
        for axes, column, unit in zip(row, ("milliseconds", "peak_mib"), ("ms", "MiB"), strict=True):
            _draw_forms(axes, losses[losses["reading"] == reading], column)
            kind = "time" if unit == "ms" else "peak memory above the inputs"
            axes.set(title=f"{reading}: {kind}", xlabel="locations N", ylabel=unit)
        row[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND | {"handlelength": 1.6})
    return figure


@rc_context(STYLE)
def steps_figure(table: pd.DataFrame) -> Figure:
    """Milliseconds of whole steps, and of the parts of one: a row a setting.

    Args:
        table: `pfs.bench.throughput.run`. The dashed lines are the student's step, alone and with the teacher's pass.
    """
    settings = list(table["setting"].unique())
    figure = Figure(figsize=(7.0, 0.3 + 2.6 * len(settings)), layout="constrained")
    for row, setting in zip(figure.subplots(len(settings), 2, squeeze=False), settings, strict=True):
        rows = table[table["setting"] == setting].set_index("case")["milliseconds"]
        is_part = rows.index.str.startswith("part: ")
        for axes, bars, kind in zip(row, (rows[~is_part], rows[is_part]), ("steps", "parts of a step"), strict=True):
            names = bars.index.str.removeprefix("part: ")
            axes.barh(names, bars, color=[colour({"cached": "pfs_wsp", "online": "wsp"}.get(n, "ce")) for n in names])
            axes.invert_yaxis()
            axes.set(title=f"{setting}: {kind}", xlabel="ms")
        for limit in (rows["student"], rows["student"] + rows["teacher"]):
            row[0].axvline(limit, color="black", linestyle="--", linewidth=0.8)
    return figure


def _draw_forms(axes: Axes, losses: pd.DataFrame, column: str) -> None:
    """A line a form and width: ours in green, the darker the more channels."""
    axes.loglog()
    sizes = sorted(losses["locations"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    widths = sorted(losses.loc[losses["form"] == "ours", "channels"].unique())
    shades = dict(zip(widths, sns.light_palette(colour("pfs"), len(widths) + 1)[1:], strict=True))
    for (form, channels), lines in losses.groupby(["form", "channels"], sort=False):
        shade = shades[channels] if form == "ours" else "black" if form == "dense" else colour(str(form))
        style: Any = {"color": shade, "marker": "o", "markersize": 3, "linewidth": 1.3}
        style["linestyle"] = "--" if form == "skd" else "-"  # it lies upon the dense form
        axes.plot(lines["locations"], lines[column], label=f"{form}, C = {channels}", **style)
        if column == "peak_mib":
            skipped = lines[lines["repeats"] == 0]
            axes.plot(skipped["locations"], skipped["estimate_mib"], "x", color=shade, markersize=5)

"""The learning curves of val, and what mIoU costs in multiply-accumulates. No torch here."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfs.config.study import Study
from pfs.report.style import COLUMN, LEGEND, PAGE, STYLE, escape, label, looks, shorten, text_width, wrap
from pfs.study.places import TEACHER

LINE = 0.14  # inches: the least distance of two labels at the ends of curves
TALL = 3.2  # inches
SPREAD = 1.25  # by which factor of the cost the marks of one network lie apart from its own, at most


@rc_context(STYLE)
def curves_figure(curves: pd.DataFrame, methods: Sequence[str], study: Study, width: float = PAGE) -> Figure:
    """Val mIoU over the steps of training: each seed faint, the mean over seeds bold with its name at its end.

    Args:
        curves: `pfs.report.tables.curves.read_curves`.
        methods: those to draw; one without a curve is left out.
        study: whose labels the methods have.
        width: of the figure in inches.
    """
    drawn = looks([method for method in methods if method in set(curves["method"])], study)
    longest = min(1.6, 0.36 * width - 0.1)
    names = {method: shorten(label(method, study), longest, 7) for method in drawn}
    room = max(text_width(name, 7) for name in names.values()) / 0.85
    figure = Figure(figsize=(width, TALL), layout="constrained")
    axes, beside = figure.subplots(1, 2, width_ratios=(1, room / (width - 0.7 - room)))
    means = curves.groupby(["method", "step"])["val_miou"].mean()
    for method, (shade, _) in drawn.items():
        for _, seed in curves[curves["method"] == method].groupby("seed"):
            axes.plot(seed["step"], seed["val_miou"], color=shade, linewidth=0.5, alpha=0.35)
        axes.plot(means[method].index, means[method], color=shade, linewidth=1.6)
    axes.set(title="Mean over seeds bold, each seed faint", xlabel="step", ylabel="val mIoU (%)")
    ends = {method: float(means[method].iloc[-1]) for method in drawn}
    _name_ends(axes, beside, {method: (ends[method], names[method], look.colour) for method, look in drawn.items()})
    return figure


def _name_ends(axes: Axes, beside: Axes, ends: dict[str, tuple[float, str, object]]) -> None:
    """Names in the order of the curves' ends, joined to them by a thin line where they had to move apart."""
    low, high = axes.get_ylim()
    beside.set(xlim=(0, 1), ylim=(low, high))
    beside.set_axis_off()
    ordered = sorted(ends.values(), key=lambda item: item[0])
    places = _apart([end for end, _, _ in ordered], (high - low) * LINE / (TALL - 0.9), high)
    for place, (end, name, shade) in zip(places, ordered, strict=True):
        beside.plot([-0.1, 0.08], [end, place], color=shade, linewidth=0.6, clip_on=False)
        beside.text(0.1, place, escape(name), color=shade, fontsize=7, va="center")


def _apart(ends: Sequence[float], least: float, high: float) -> list[float]:
    """Rising heights near some rising ends, at least so far apart, the last one at most `high`."""
    places: list[float] = []
    for end in ends:
        places.append(max(end, places[-1] + least) if places else end)
    for back, place in enumerate(reversed(places)):
        places[-1 - back] = min(place, high - back * least)
    return places


@rc_context(STYLE)
def macs_figure(table: pd.DataFrame, study: Study, width: float = PAGE) -> Figure:
    """Test mIoU of the teacher and of each method's students over the multiply-accumulates of one image.

    Students of one network have the same cost: they are drawn beside each other, in their order, around it.

    Args:
        table: `pfs.report.tables.main.main_table`; rows without a count are left out.
        study: whose terms and labels the methods have.
        width: of the figure in inches.
    """
    known = table.dropna(subset=["macs", "miou_mean"])
    drawn = looks(list(known["method"]), study)
    figure = Figure(figsize=(width, 3.2), layout="constrained")
    axes = figure.subplots()
    for method, name, macs, miou in known[["method", "label", "macs", "miou_mean"]].itertuples(index=False):
        shade, marker = drawn[method]
        beside = known.loc[known["macs"] == macs, "method"].to_list()
        place = macs / 1e6 * SPREAD ** (np.linspace(-1, 1, len(beside))[beside.index(method)] if beside[1:] else 0)
        style = {"s": 60 if method == TEACHER else 30, "color": shade, "marker": marker, "alpha": 0.85}
        axes.scatter(place, miou, label=escape(shorten(name, 1.6, 7)), linewidths=0, **style)
    axes.set_xscale("log")
    axes.set_xticks(counts := sorted(set(known["macs"] / 1e6)), [f"{count:,.0f}" for count in counts])
    axes.set_xticks([], minor=True)
    title = wrap("What mIoU costs (students of one cost side by side)", 0.75 * width, 8)
    axes.set(title=title, xlabel="million multiply-accumulates an image", ylabel="test mIoU (%)")
    axes.margins(x=0.3)
    narrow = width <= COLUMN
    figure.legend(loc="outside lower center" if narrow else "outside right upper", ncols=1 + narrow, **LEGEND)
    return figure

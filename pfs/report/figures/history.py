"""The figure of one run: its loss during training. No torch here."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from pfs.report.style import LEGEND, PAGE, STYLE, colour


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

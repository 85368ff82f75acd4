"""The figure of the ablations: what each option of the two losses adds or costs, a panel an option. No torch here."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.style import PAGE, REFERENCE, STYLE, escape, label, looks, shorten
from pfs.report.tables.collected import read_runs

NODES = "How many nodes are compared"

# Title of a panel -> the study that answers it.
PANELS = {
    "How WSP measures the gap": "digits_gaps",
    "How PFS reads similarity, in fp32": "digits_readings",
    NODES: "digits_grids",
    "Features before the last ReLU": "digits_before_relu",
    "Features of the third stage": "digits_stage3",
}


class Ablation(NamedTuple):
    """A study of one seed, and the test mIoU of its methods in percent."""

    study: Study
    scores: "pd.Series[float]"


def read_ablations(results: Path) -> dict[str, Ablation]:
    """The ablation of each panel, by its title, from the studies' `runs.csv`."""
    found = {}
    for title, name in PANELS.items():
        runs = read_runs(results / name)
        found[title] = Ablation(
            load_study(f"studies/{name}.yaml"), runs[runs["split"] == "test"].set_index("method")["miou"]
        )
    return found


@rc_context(STYLE)
def ablations_figure(ablations: Mapping[str, Ablation]) -> Figure:
    """The difference in test mIoU of each method to its study's reference, in one seed: a panel an ablation.

    All panels have the same scale but that of the nodes, whose coarsest grid falls far below.
    """
    figure = Figure(figsize=(PAGE, 4.3), layout="constrained")
    titles = list(ablations)
    left, right = figure.subfigures(1, 2, squeeze=False).flat
    for half, chosen in ((left, titles[:2]), (right, titles[2:])):
        heights = [len(ablations[title].study.methods) for title in chosen]
        for axes, title in zip(half.subplots(len(chosen), 1, height_ratios=heights), chosen, strict=True):
            _draw(axes, title, *ablations[title])
    alike = [axes for axes in figure.axes if axes.get_title(loc="left") != NODES]
    ends = [axes.get_xlim() for axes in alike]
    for axes in alike:
        axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    figure.supxlabel("points of test mIoU above the method on the full line; one seed", fontsize=7.5)
    return figure


def _draw(axes: Axes, title: str, study: Study, scores: "pd.Series[float]") -> None:
    """A dot for each method, and a line for the reference."""
    drawn = looks(list(study.methods), study)
    differences = (scores - scores[study.reference]).reindex(list(study.methods))
    for row, (method, difference) in enumerate(differences.items()):
        shade, marker = drawn[str(method)]
        axes.plot([0, difference], [row, row], color=shade, linewidth=1, alpha=0.5, zorder=1)
        axes.scatter(difference, row, s=26, color=shade, marker=marker, linewidths=0, zorder=2)
    names = [escape(shorten(label(method, study), 1.4, 7)) for method in study.methods]
    axes.set_yticks(range(len(names)), names)
    axes.set(title=title, ylim=(len(names) - 0.4, -0.6))
    axes.axvline(0, color=REFERENCE, linewidth=0.8, zorder=0)

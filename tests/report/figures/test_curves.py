"""The learning curves of val, and mIoU over multiply-accumulates."""

import numpy as np
import pandas as pd
import pytest

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.figures.curves import curves_figure, macs_figure
from pfs.report.statistics import MOST_SHOWN
from pfs.report.style import COLUMN, PAGE
from pfs.report.tables.collected import read_runs
from pfs.report.tables.main import main_table
from tests.report.legible import drawn_texts, flaws

STEPS = range(100, 1001, 100)


def curves(methods: list[str], apart: float) -> pd.DataFrame:
    """Curves of two seeds that end at 50 and more, each method's so many points above that of the one before."""
    rows = [
        {"method": method, "seed": seed, "step": step, "val_miou": 0.05 * step + apart * place + seed}
        for place, method in enumerate(methods)
        for seed in (0, 1)
        for step in STEPS
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("apart", [0.0, 0.3, 3.0])
def test_names_stand_at_the_ends_of_the_curves_in_their_order_and_apart(apart: float) -> None:
    study = load_study("studies/digits_main.yaml")  # 14 methods
    figure = curves_figure(curves(list(study.methods), apart), list(study.methods), study)
    assert flaws(figure) == []
    names = [text.get_text() for text in figure.axes[1].texts]
    assert (names[0], names[-1], len(names)) == ("Student alone (CE)", "PFS + WSP", 14)
    assert (np.diff([text.get_position()[1] for text in figure.axes[1].texts]) > 0).all()


def test_a_column_has_room_for_the_methods_that_a_figure_shows() -> None:
    study = load_study("studies/digits_main.yaml")
    methods = list(study.methods)[:MOST_SHOWN]
    assert flaws(curves_figure(curves(methods, 0.3), methods, study, COLUMN)) == []


def test_each_seed_is_faint_and_their_mean_is_bold() -> None:
    study = load_study("studies/digits_main.yaml")
    figure = curves_figure(curves(["ce", "pfs"], 3.0), ["ce", "pfs", "kd"], study)  # kd has no curve
    lines = figure.axes[0].lines
    bold = [line for line in lines if line.get_linewidth() > 1]
    assert (len(lines), len(bold)) == (6, 2)
    assert np.asarray(bold[0].get_ydata()) == pytest.approx([0.05 * step + 0.5 for step in STEPS])


@pytest.mark.parametrize("width", [PAGE, COLUMN])
@pytest.mark.parametrize("name", ["quick", "camvid_cpu"])
def test_mious_stand_over_the_two_networks_counts(name: str, width: float) -> None:
    study = load_study(f"studies/{name}.yaml")
    runs = read_runs(repository() / "results" / name)
    figure = macs_figure(main_table(runs, study), study, width)
    assert flaws(figure) == []
    shown = [text.get_text() for text in drawn_texts(figure)]
    assert {f"{macs / 1e6:,.0f}" for macs in runs["macs"]} <= set(shown)
    assert len(figure.axes[0].collections) == len(study.methods) + 1

"""What committed runs say, and what resampled ones show, against values by hand and the reports' own statistics."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pfs.config.files import repository
from pfs.report.statistics import paired_difference, read_runs
from pfs.walkthrough.lessons.runs import believe
from tests.report.runs_table import FULL, runs_of

TABLE = runs_of(FULL)


def test_the_differences_are_those_of_the_reports() -> None:
    """Of the committed runs of `digits`, with all seeds and paired."""
    own = believe.difference(believe.read_scores("digits"), "pfs_wsp", "ce", [0, 1, 2], paired=True)
    assert own == paired_difference(read_runs(repository() / "results" / "digits"), "pfs_wsp", "ce")


def test_a_seed_that_is_left_out_counts_nowhere() -> None:
    """kd - ce is 3, 2, 4 for the seeds 0, 1, 2."""
    assert believe.difference(TABLE, "kd", "ce", [0, 1], paired=True).mean == pytest.approx(2.5)
    assert believe.difference(TABLE, "kd", "ce", [2], paired=False).mean == pytest.approx(4.0)


def test_the_lucky_seed_is_the_best_beside_the_worst() -> None:
    assert believe.lucky_seed(TABLE, "kd", "ce") == 50.0 - 44.0


def test_five_seeds_halve_the_interval_of_three() -> None:
    """t(2; 0.975) / √3 = 4.3027 / 1.7321 = 2.484; t(4; 0.975) / √5 = 2.7764 / 2.2361 = 1.2417."""
    assert believe.seeds_that_halve(3) == 5


# --- tuning -------------------------------------------------------------------------------------------------


def weights(**scores: tuple[float, float]) -> pd.DataFrame:
    """A study of weights: the scores on val and test of each try, of one seed."""
    rows = [
        (name, 0, split, miou)
        for name, pair in scores.items()
        for split, miou in zip(("val", "test"), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["method", "seed", "split", "miou"])


def test_the_try_that_is_best_on_a_split_is_reported_with_its_test_score() -> None:
    table = weights(pfs_1=(40.0, 30.0), pfs_4=(39.0, 33.0), pfs_4_wsp_1=(50.0, 50.0))
    assert believe.tries(table, "pfs") == ["pfs_1", "pfs_4"]
    assert believe.chosen_try(table, "pfs", "val") == ("pfs_1", 30.0)
    assert believe.chosen_try(table, "pfs", "test") == ("pfs_4", 33.0)
    assert believe.flattery(table) == pytest.approx({"pfs": 3.0, "pfs_wsp": 0.0})


@pytest.mark.parametrize("study", ["digits_weights", "camvid_cpu_weights"])
def test_choosing_on_test_never_makes_a_report_worse(study: str) -> None:
    table = believe.read_scores(study)
    for family in believe.FAMILIES:
        on_test, on_val = (believe.chosen_try(table, family, split)[1] for split in ("test", "val"))
        assert on_test >= on_val


# --- resampled ----------------------------------------------------------------------------------------------


def test_deviations_have_the_variance_of_runs() -> None:
    """ce is 44, 45, 46: about its mean -1, 0, 1, stretched by √(3/2); a method with one run has none."""
    table = runs_of({"ce": {0: 44.0, 1: 45.0, 2: 46.0}, "kd": {0: 47.0}})
    assert believe.deviations(table) == pytest.approx(np.array([-1, 0, 1]) * 1.5**0.5)


def test_the_best_of_one_reading_brings_nothing_and_of_more_ever_more() -> None:
    spread = stats.norm.ppf(np.linspace(0.005, 0.995, 100))
    gains = [believe.best_of(spread, readings) for readings in (1, 2, 10)]
    assert gains[0] == 0
    assert gains[1:] == pytest.approx([0.564, 1.539], abs=0.05)  # the expected maxima of 2 and 10 normal numbers


def test_one_copy_seems_better_in_one_of_forty_tables() -> None:
    drawn = believe.lottery(np.random.default_rng(1).normal(size=2000), methods=1, seeds=5, repeats=20000)
    assert drawn.share == pytest.approx(0.025, abs=0.005)
    assert np.allclose(drawn.bounds.mean(axis=-1), drawn.means)


def test_more_copies_fool_more_often() -> None:
    shares = [
        believe.lottery(believe.deviations(believe.read_scores("camvid_cpu")), methods, seeds=3).share
        for methods in (1, 5, 20)
    ]
    assert shares == sorted(shares) and shares[0] < shares[-1]

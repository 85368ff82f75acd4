"""Paired differences and their intervals against hand-computed values and scipy's own test; what findings say."""

import numpy as np
import pytest
from scipy import stats

from pfs.config.study import Study
from pfs.report.statistics import (
    findings,
    half_width,
    intervals,
    methods_to_show,
    missing_runs,
    paired_difference,
    unpaired_difference,
)
from pfs.report.tables.labels import label
from pfs.report.tables.main import main_table
from tests.report.runs_table import FULL, runs_of

# --- intervals ----------------------------------------------------------------------------------------------


def test_interval_of_three_differences_by_hand() -> None:
    """Differences 3, 2, 4: mean 3, s = 1, t(2 degrees of freedom, .975) = 4.3027, so 3 ± 4.3027 / √3."""
    difference = paired_difference(runs_of(FULL), "kd", "ce")
    assert difference[:3] == pytest.approx((3.0, 3 - 2.4841, 3 + 2.4841), abs=1e-4)


def test_one_common_seed_has_a_difference_and_no_interval() -> None:
    """One seed says nothing of the spread; without a common seed there is no difference either."""
    one = paired_difference(runs_of({**FULL, "kd": {1: 47.0}}), "kd", "ce")
    assert one == pytest.approx((2.0, np.nan, np.nan, np.nan), nan_ok=True)
    assert all(np.isnan(paired_difference(runs_of({**FULL, "kd": {}}), "kd", "ce")))


def test_paired_difference_is_scipys_paired_test() -> None:
    """Differences 3, 2, 4: the paired t-test, not the unpaired one."""
    difference = paired_difference(runs_of(FULL), "kd", "ce")
    expected = stats.ttest_rel([47.0, 47.0, 50.0], [44.0, 45.0, 46.0])
    low, high = expected.confidence_interval(0.95)
    assert difference == pytest.approx((3.0, low, high, expected.pvalue))


def test_pairs_are_of_common_seeds_whatever_the_order_of_the_rows() -> None:
    """Seed 1 of kd is missing: seeds 0 and 2 remain, with the differences 3 and 4; t(1, .975) = 12.7062."""
    miou = {**FULL, "kd": {2: 50.0, 0: 47.0}}
    difference = paired_difference(runs_of(miou).iloc[::-1], "kd", "ce")
    assert difference[:3] == pytest.approx((3.5, 3.5 - 6.3531, 3.5 + 6.3531), abs=1e-4)


def test_unpaired_difference_is_welchs_test_of_all_runs() -> None:
    """kd has lost its seed 0 and ce has all three: nothing is paired, so all five runs count."""
    difference = unpaired_difference(runs_of({**FULL, "kd": {1: 47.0, 2: 50.0}}), "kd", "ce")
    expected = stats.ttest_ind([47.0, 50.0], [44.0, 45.0, 46.0], equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert difference == pytest.approx((3.5, low, high, expected.pvalue))
    alone = unpaired_difference(runs_of({**FULL, "kd": {1: 47.0}}), "kd", "ce")
    assert alone == pytest.approx((2.0, np.nan, np.nan, np.nan), nan_ok=True)


def test_intervals_of_many_sets_are_those_of_each() -> None:
    """Differences 3, 2, 4 of kd, and 2, -1, -1 of skd."""
    both = intervals(np.array([[3.0, 2.0, 4.0], [2.0, -1.0, -1.0]]))
    for bounds, method in zip(both, ("kd", "skd"), strict=True):
        assert bounds == pytest.approx(paired_difference(runs_of(FULL), method, "ce")[1:3])


def test_half_a_width_by_hand() -> None:
    """s = 1 and three seeds: 4.3027 / √3; the interval of 3, 2, 4 has that at each side."""
    assert half_width(1.0, 3) == pytest.approx(2.4841, abs=1e-4)
    assert half_width(2.0, 3) == pytest.approx(2 * half_width(1.0, 3))


# --- findings -----------------------------------------------------------------------------------------------


def test_missing_runs_are_counted_and_named(study: Study) -> None:
    """A method without runs keeps an empty row; sentences name the seeds that are missing and those left."""
    runs = runs_of({**FULL, "kd": {0: 47.0, 2: 50.0}, "wsp": {}})
    table = main_table(runs, study).set_index("method")
    assert table["runs"].to_dict() == {**dict.fromkeys(FULL, 3), "teacher": 1, "kd": 2, "wsp": 0}
    assert missing_runs(runs, study) == [
        "KD has no run of seed 1.",
        "WSP has no run of seeds 0, 1, 2.",
        "KD and Student alone (CE) are compared over seeds 0, 2 only.",
        "PFS and KD are compared over seeds 0, 2 only.",
        "PFS + WSP and KD are compared over seeds 0, 2 only.",
    ]


def test_runs_that_the_study_no_longer_has_are_told(study: Study) -> None:
    """A method was taken out of its file, or a seed, and the runs were not collected again."""
    runs = runs_of({**FULL, "ce": {**FULL["ce"], 7: 45.0}, "gone": {0: 40.0, 1: 41.0}})
    assert missing_runs(runs, study) == [
        "The study no longer has the run of Student alone (CE) of seed 7: collect it again.",
        "The study no longer has the run of gone of seeds 0, 1: collect it again.",
    ]


def test_a_full_study_lacks_nothing(study: Study) -> None:
    """No sentence where every run is there."""
    assert missing_runs(runs_of(FULL), study) == []


def test_findings_say_which_intervals_exclude_zero(study: Study) -> None:
    """Each method against the reference, then the controls; a sentence each."""
    found = {(finding.method, finding.reference): finding for finding in findings(runs_of(FULL), study)}
    both = [("pfs_wsp", other) for other in ("pfs", "wsp", "kd", "skd")]
    assert list(found)[-7:] == [("pfs", "kd"), ("pfs", "skd"), ("wsp", "kd"), *both]
    assert found["kd", "ce"].excludes_zero and not found["skd", "ce"].excludes_zero
    assert str(found["kd", "ce"]) == (
        "KD is above Student alone (CE) by 3.0 [0.5, 5.5] points of test mIoU "
        "(paired over 3 seeds, p = 0.035): the interval excludes 0."
    )


def test_a_loss_is_told_as_one(study: Study) -> None:
    """Below, with the ends of the interval turned to match."""
    worse = runs_of({**FULL, "kd": {0: 41.0, 1: 43.0, 2: 42.0}})
    sentence = str(findings(worse, study)[0])
    assert sentence.startswith("KD is below Student alone (CE) by 3.0 [0.5, 5.5] points")


def test_one_common_seed_decides_nothing(study: Study) -> None:
    """A difference without an interval is told, and is not a finding."""
    finding = findings(runs_of({**FULL, "kd": {1: 47.0}}), study)[0]
    assert not finding.excludes_zero
    assert str(finding) == "KD is above Student alone (CE) by 2.0 points of test mIoU in one seed: no interval."


def test_unknown_method_keeps_its_name() -> None:
    """An ablation needs no entry here."""
    assert label("pfs_kl") == "pfs kl"


def test_figures_show_the_reference_and_the_best_on_val(study: Study) -> None:
    """In the study's order; val is the complement of test here."""
    runs = runs_of(FULL)
    assert methods_to_show(runs, study) == list(study.methods)
    assert methods_to_show(runs, study, most=3) == ["ce", "kd", "skd"]

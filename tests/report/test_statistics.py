"""Intervals, paired differences and the main table, against hand-computed values and scipy's own tests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import findings, mean_interval, methods_to_show, missing_runs, paired_difference, read_runs
from pfs.report.style import label
from pfs.report.tables import class_table, main_table, to_latex, to_markdown
from pfs.study.records import RecordError

ROOT = Path(__file__).parents[2]
COLUMNS = [
    *["method", "label", "runs", "miou_mean", "miou_std", "difference", "difference_low", "difference_high"],
    *["val_miou_mean", "pixel_accuracy_mean", "parameters", "macs"],
]


@pytest.fixture(scope="module")
def study() -> Study:
    """The default study with the six methods of `FULL`: seeds 0 to 2, reference ce."""
    default = load_study(ROOT / "studies" / "digits.yaml")
    return default.model_copy(update={"methods": {name: default.methods[name] for name in FULL if name != "teacher"}})


def runs_of(miou: Mapping[str, Mapping[int, float]]) -> pd.DataFrame:
    """A `runs.csv` with the given test mIoU of method and seed; val is its complement to 100."""
    rows = [
        {
            "method": method,
            "seed": seed,
            "split": split,
            "miou": value if split == "test" else 100 - value,
            "pixel_accuracy": 90.0,
        }
        for method, seeds in miou.items()
        for seed, value in seeds.items()
        for split in ("val", "test")
    ]
    costs = {"parameters": 320_000, "macs": 21_400_000}
    return pd.DataFrame(rows).assign(**costs, iou_background=90.0, iou_0=40.0)


FULL = {
    "teacher": {0: 65.0},
    "ce": {0: 44.0, 1: 45.0, 2: 46.0},
    "kd": {0: 47.0, 1: 47.0, 2: 50.0},
    "skd": {0: 46.0, 1: 44.0, 2: 45.0},
    "pfs": {0: 52.0, 1: 53.0, 2: 55.0},
    "wsp": {0: 50.0, 1: 51.0, 2: 52.5},
    "pfs_wsp": {0: 54.0, 1: 56.0, 2: 56.5},
}


# --- intervals ----------------------------------------------------------------------------------------------


def test_interval_of_three_values_by_hand() -> None:
    """Mean 3, s = 1, t(2 degrees of freedom, .975) = 4.3027: 3 ± 4.3027 / √3."""
    assert mean_interval([2.0, 3.0, 4.0]) == pytest.approx((3.0, 3 - 2.4841, 3 + 2.4841), abs=1e-4)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8, unique=True), st.floats(0.5, 0.99))
def test_interval_is_scipys(values: list[float], confidence: float) -> None:
    """scipy's one-sample t-test gives the same interval."""
    array = np.array(values)
    assume(array.std() > 1e-6)  # scipy warns of data that are all but constant
    expected = stats.ttest_1samp(array, 0).confidence_interval(confidence)
    assert mean_interval(values, confidence)[1:] == pytest.approx((expected.low, expected.high))


def test_one_value_has_a_mean_and_no_interval() -> None:
    """One seed: nothing is known of the spread. No seed: nothing at all."""
    assert mean_interval([5.0]) == pytest.approx((5.0, np.nan, np.nan), nan_ok=True)
    assert all(np.isnan(mean_interval([])))


def test_paired_difference_is_scipys_paired_test() -> None:
    """Differences 3, 2, 4: the paired t-test, not the unpaired one."""
    difference = paired_difference(runs_of(FULL), "kd", "ce")
    expected = stats.ttest_rel([47.0, 47.0, 50.0], [44.0, 45.0, 46.0])
    low, high = expected.confidence_interval(0.95)
    assert difference == pytest.approx((3.0, low, high, expected.pvalue))


def test_pairs_are_of_common_seeds_whatever_the_order_of_the_rows() -> None:
    """Seed 1 of kd is missing: seeds 0 and 2 remain, with the differences 3 and 4."""
    miou = {**FULL, "kd": {2: 50.0, 0: 47.0}}
    difference = paired_difference(runs_of(miou).iloc[::-1], "kd", "ce")
    assert difference[:3] == pytest.approx(mean_interval([3.0, 4.0]))


def test_a_split_is_compared_with_itself() -> None:
    """Here val is the complement of test, so its differences are the opposite."""
    mean, low, high, p = paired_difference(runs_of(FULL), "pfs", "ce")
    assert paired_difference(runs_of(FULL), "pfs", "ce", "val") == pytest.approx((-mean, -high, -low, p))


# --- the main table -----------------------------------------------------------------------------------------


def test_main_table_has_its_columns_and_order(study: Study) -> None:
    """Teacher first, then the study's order, whatever the order of the runs."""
    table = main_table(runs_of(FULL).sample(frac=1, random_state=0), study)
    assert list(table.columns) == COLUMNS
    assert list(table["method"]) == ["teacher", *study.methods]
    assert list(table["label"][:2]) == ["Teacher", "Student alone (CE)"]


def test_main_table_values(study: Study) -> None:
    """Mean, sample deviation and paired difference of kd; none for the reference and the teacher."""
    table = main_table(runs_of(FULL), study).set_index("method")
    kd = [table.loc["kd", column] for column in ("runs", "miou_mean", "miou_std", "difference")]
    assert kd == pytest.approx([3, 48.0, np.sqrt(3), 3.0])
    assert table.loc["kd", "val_miou_mean"] == 52.0
    assert table.loc[["teacher", "ce"], "difference":"difference_high"].isna().to_numpy().all()


def test_one_seed_has_a_difference_without_interval(study: Study) -> None:
    """The interval's cells are empty, the others are not."""
    table = main_table(runs_of({method: {0: seeds[0]} for method, seeds in FULL.items()}), study)
    kd = table.set_index("method").loc["kd"]
    assert kd["difference"] == 3.0
    assert kd[["miou_std", "difference_low", "difference_high"]].isna().all()
    assert "| KD | 1 | 53.0 | 47.0 | +3.0 | 90.0 |" in to_markdown(table)


def test_missing_runs_are_counted_and_named(study: Study) -> None:
    """A method without runs keeps an empty row; sentences name the seeds that are missing and those left."""
    runs = runs_of({**FULL, "kd": {0: 47.0, 2: 50.0}, "wsp": {}})
    table = main_table(runs, study).set_index("method")
    assert table["runs"].to_dict() == {**dict.fromkeys(FULL, 3), "teacher": 1, "kd": 2, "wsp": 0}
    assert missing_runs(runs, study) == [
        "KD has no run of seed 1.",
        "WSP has no run of seeds 0, 1, 2.",
        "KD and Student alone (CE) are compared over seeds 0, 2 only.",
        "PFS + WSP and KD are compared over seeds 0, 2 only.",
    ]


def test_a_full_study_lacks_nothing(study: Study) -> None:
    """No sentence where every run is there."""
    assert missing_runs(runs_of(FULL), study) == []


def test_class_table_is_the_mean_over_seeds_in_the_order_of_the_runs() -> None:
    """Test split only; a class that is absent in one seed does not spoil the mean."""
    runs = runs_of(FULL)
    runs.loc[(runs["method"] == "ce") & (runs["split"] == "test"), "iou_0"] = [30.0, np.nan, 40.0]
    classes = class_table(runs)
    assert list(classes.index) == list(FULL)
    assert list(classes.columns) == ["background", "0"]
    assert classes.loc["ce", "0"] == 35.0


# --- for people ---------------------------------------------------------------------------------------------


def test_markdown_rounds_and_signs(study: Study) -> None:
    """One decimal, ± over seeds, signed differences; the same from the CSV as from the table itself."""
    table = main_table(runs_of(FULL), study)
    markdown = to_markdown(table)
    assert "| KD | 3 | 52.0 | 48.0 ± 1.7 | +3.0 [+0.5, +5.5] | 90.0 | 0.32 | 21 |\n" in markdown
    assert "| SKD pair-wise | 3 | 55.0 | 45.0 ± 1.0 | +0.0 [-4.3, +4.3] |" in markdown
    assert len({line.count("|") for line in markdown.splitlines()}) == 1


def test_markdown_of_the_written_table_is_the_same(study: Study, tmp_path: Path) -> None:
    """A README's table can be held to `main.csv`, empty cells included."""
    table = main_table(runs_of({**FULL, "wsp": {}}), study)
    table.to_csv(tmp_path / "main.csv", index=False, float_format="%.4f")
    assert to_markdown(pd.read_csv(tmp_path / "main.csv")) == to_markdown(table)


def test_latex_has_booktabs_rules_and_escapes(study: Study) -> None:
    """Signs in math mode, percent signs escaped."""
    latex = to_latex(main_table(runs_of(FULL), study))
    assert r"\toprule" in latex and r"Test mIoU (\%)" in latex
    assert r"KD & 3 & 52.0 & 48.0 $\pm$ 1.7 & $+3.0$ [$+0.5$, $+5.5$] & 90.0" in latex


def test_findings_say_which_intervals_exclude_zero(study: Study) -> None:
    """Each method against the reference, then the controls; a sentence each."""
    found = {(finding.method, finding.reference): finding for finding in findings(runs_of(FULL), study)}
    controls = [("pfs", "skd"), ("wsp", "kd"), *(("pfs_wsp", other) for other in ("pfs", "wsp", "kd"))]
    assert list(found)[-5:] == controls
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


def test_hashes_stay_text(tmp_path: Path) -> None:
    """A hash that looks like a number is not read as infinity."""
    hashes = {"commit": "12e4567", "data_checksum": "0123", "code_hash": "77"}
    runs_of(FULL).assign(**hashes).to_csv(tmp_path / "runs.csv", index=False)
    assert read_runs(tmp_path)[list(hashes)].iloc[0].to_dict() == hashes


def test_a_study_without_results_says_what_makes_them(tmp_path: Path) -> None:
    """The error names the file and the command."""
    with pytest.raises(RecordError, match=r"runs\.csv: no such table; `make study`"):
        read_runs(tmp_path)

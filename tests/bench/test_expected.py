"""What is forecast of the studies that have not been run."""

from pathlib import Path

import pytest

from pfs.bench.expected import expected_hours
from pfs.bench.forecast import DEVICES, UTILISATION
from pfs.config.files import repository
from pfs.report.tables.collected import read_runs

RESULTS = repository() / "results"


def test_a_study_that_was_run_is_forecast_to_take_what_it_took() -> None:
    runs = read_runs(RESULTS / "digits").query("split == 'test'")
    teacher = runs.loc[runs["method"] == "teacher", "seconds"].sum()
    students = runs.loc[runs["method"] != "teacher", "seconds"].sum()
    forecast = expected_hours(["digits"], {"digit_scenes": "digits"}, RESULTS)
    assert forecast["two_cores_hours"].item() == pytest.approx((teacher + students / 2) / 3600)
    assert forecast["runs"].item() == 25


def test_without_a_committed_study_of_the_data_there_is_no_forecast_for_two_cores() -> None:
    forecast = expected_hours(["digits"], {}, RESULTS)
    assert forecast["two_cores_hours"].isna().all()
    assert forecast["gpu_hours"].item() > 0


def test_a_gpu_that_was_measured_is_forecast_by_what_it_computed(tmp_path: Path) -> None:
    """At half the share of the peak that is assumed, twice the hours, but for the starts of the runs."""
    assumed = expected_hours(["voc2012"], {}, tmp_path)["gpu_hours"].item()
    (tmp_path / "benchmark").mkdir()
    gflop = DEVICES[0].peak * UTILISATION / 2 / 1e9
    rows = [f"voc2012,{network},{gflop},1000,NVIDIA H100 80GB HBM3" for network in ("teacher", "student")]
    (tmp_path / "benchmark" / "paces.csv").write_text("\n".join(["study,network,gflop,milliseconds,device", *rows]))
    assert expected_hours(["voc2012"], {}, tmp_path)["gpu_hours"].item() == pytest.approx(2 * assumed, rel=0.01)

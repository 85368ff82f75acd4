"""What is forecast of the studies that have not been run."""

import pytest

from pfs.bench.expected import expected_hours
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

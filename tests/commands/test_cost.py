"""`pfs cost`: what it tells of the committed studies, and how it refuses what it cannot tell."""

import re
from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.bench.forecast import START_SECONDS, Rates
from pfs.commands import cost
from pfs.config.load import load_study
from pfs.study.execution.progress.estimate import Measured, Pace
from pfs.study.trial.data_check import published_images

ROOT = Path(__file__).parents[2]
# One of each data set; the studies of MobileNetV2 differ in the student alone.
STUDIES = ["quick", "camvid_cpu", "voc2012", "ade20k", "pascal_context"]
MEASURED = ["voc2012", "ade20k", "pascal_context"]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["cost", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_s_cost_is_told_without_its_data(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, study, "--data", str(tmp_path))
    assert f"{study}: a teacher and" in said
    assert all(device in said for device in ("H100 SXM", "A100 SXM", "RTX 4090"))
    assert ("H100 SXM, measured" in said) == (study in MEASURED)
    assert ("as published" in said) == (study != "quick")
    assert list(tmp_path.iterdir()) == []  # nothing is drawn or placed


def test_what_a_job_of_a_cluster_asks_for_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "quick", "--data", str(tmp_path))
    assert re.search(r"one job on a cluster: \d,\d{3} MiB for the teacher, \d,\d{3} MiB for a student", said)


def test_large_numbers_are_written_out_and_what_is_assumed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "voc2012")  # whose teacher's outputs would take terabytes
    assert re.search(r"Kept they take \d,\d{3} GiB", said) and not re.search(r"\de[+-]\d", said)
    assert f"The start of each run counts as {START_SECONDS:.0f} seconds" in said


def test_a_folder_of_data_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name may be misspelt: a study would draw its images there, or ask for archives that are in place."""
    for command in (["cost"], ["study", "--results", str(tmp_path)]):
        assert main([*command, "quick", "--data", str(tmp_path / "dta")]) == 1
        assert capsys.readouterr().err == (
            f"--data '{tmp_path}/dta': no such folder: correct the name, or make the folder if it is to be new\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_money_is_the_hours_times_the_price(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split() for line in told(capsys, "voc2012", "--price", "3").splitlines()]
    (row,) = [row for row in rows if row[:1] == ["H100"]]
    assert float(row[-2]) == pytest.approx(3 * float(row[-3]), abs=0.02)


def test_half_the_utilisation_takes_twice_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    teacher_hours = []
    for share in ("0.2", "0.1"):
        rows = [line.split() for line in told(capsys, "voc2012", "--utilisation", share).splitlines()]
        (row,) = [row for row in rows if row[:1] == ["A100"]]
        teacher_hours.append(float(row[2]))
    assert teacher_hours[1] == pytest.approx(2 * teacher_hours[0], rel=0.02)


def test_given_step_times_make_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split() for line in told(capsys, "voc2012", "--step-seconds", "0.9", "0.45").splitlines()]
    (row,) = [row for row in rows if row[:1] == ["yours"]]
    assert float(row[1]) == pytest.approx(0.9 * 40_000 / 3600, rel=0.02)  # with scoring, and a start


@pytest.mark.parametrize(("gpus", "threads", "times"), [(False, 1, 8), (True, 8, 1)])
def test_a_processor_trains_a_student_a_core_and_a_gpu_one_at_a_time(
    gpus: bool, threads: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def measure(path: str, images: object, teacher_threads: int, student_threads: int) -> Measured:
        asked.append((teacher_threads, student_threads))
        return Measured(Pace(8e12, 2.0), Pace(1e12, 2.0))

    monkeypatch.setattr("pfs.study.execution.progress.plan.measure_steps", measure)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/nvidia-smi" if gpus else None)
    images = published_images(load_study("studies/voc2012.yaml"))
    assert cost._measured("studies/voc2012.yaml", images) == Rates(teacher=4e12, student=times * 0.5e12)
    assert asked == [(8, threads)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["voc2012", "--price", "free"], "'free' is not a number above 0"),
        (["voc2012", "--utilisation", "0"], "'0' is not a number above 0"),
        (["voc2012", "--utilisation", "15"], "15 is more than all of it"),
        (["voc2013"], "did you mean studies/voc2012.yaml"),
    ],
)
def test_bad_arguments_are_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["cost", *arguments])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status != 0
    assert said in capsys.readouterr().err


def test_one_s_own_data_must_be_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "mine", "--data", str(tmp_path)]) == 1
    assert "pfs data folder" in capsys.readouterr().err

"""Which jobs of Slurm's are a study's own, and what becomes of those that an earlier start has left."""

from pathlib import Path

import pytest

from pfs.config.base import StudyError
from pfs.study.execution.cluster.slurm import SlurmJobs
from pfs.study.places import TEACHER

JOBS = SlurmJobs("pfs-1")
QUEUE = """\
7|RUNNING|pfs-1_a|rule_student_wildcards_ce_0
8|PENDING|pfs-1_a|rule_student_wildcards_wsp_top_-1
9|RUNNING|pfs-12_a|rule_student_wildcards_ce_1
10|COMPLETING|pfs-1_b|rule_teacher
11|RUNNING|somebody's|(null)
12|CANCELLED|pfs-1_a|rule_student_wildcards_ce_1
"""


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What scancel was called with, where squeue prints `QUEUE`."""
    (tmp_path / "queue").write_text(QUEUE)
    for name, does in (("squeue", f"cat {tmp_path}/queue"), ("scancel", f'echo "$@" >> {tmp_path}/called')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "called"


@pytest.mark.usefixtures("called")
def test_jobs_of_other_studies_and_ended_ones_are_none_of_ours() -> None:
    assert [job.number for job in JOBS.now()] == [7, 8, 10]


@pytest.mark.usefixtures("called")
def test_the_job_of_a_run_is_found() -> None:
    runs = [(TEACHER, 0), ("ce", 0), ("ce", 1), ("wsp_top", -1), ("top", -1)]
    assert JOBS.left_of(runs) == {(TEACHER, 0): 10, ("ce", 0): 7, ("wsp_top", -1): 8}


def test_only_jobs_that_wait_are_cancelled_before_a_study_goes_on(called: Path) -> None:
    assert JOBS.cancel_waiting() == 1
    assert called.read_text() == "--state=PENDING 8\n"  # lest it begins meanwhile


def test_all_jobs_are_cancelled_when_everything_ends_at_once(called: Path) -> None:
    JOBS.cancel_all()
    assert called.read_text() == "7 8 10\n"


def test_nothing_is_cancelled_where_there_is_nothing(called: Path) -> None:
    (called.parent / "queue").write_text("")
    JOBS.cancel_all()
    assert not called.exists()


def test_a_slurm_that_does_not_answer_is_told_in_one_line(called: Path) -> None:
    (called.parent / "squeue").write_text("#!/bin/sh\necho 'slurm_load_jobs error:\nUnable' >&2\nexit 1\n")
    with pytest.raises(StudyError, match=r"^squeue failed: slurm_load_jobs error: Unable; does Slurm answer"):
        JOBS.now()


def test_studies_with_results_elsewhere_have_other_jobs(tmp_path: Path) -> None:
    one, other = SlurmJobs.of(tmp_path / "a" / "quick"), SlurmJobs.of(tmp_path / "b" / "quick")
    assert one.prefix != other.prefix
    assert one.prefix.replace("-", "").isalnum() and len(one.prefix) <= 50  # what the plugin allows

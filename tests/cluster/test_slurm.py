"""A study whose runs are jobs of a real Slurm, on which a job, then the node, then the command itself are killed.

One study goes through all of it, because the start of a run takes seconds of computing on its node; the tests look at
what is left. It is a tuning study, which ends with the table of its runs: what draws pages of them needs no cluster.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from pfs.__main__ import main
from pfs.study.execution.progress.stage import BEGAN, read_progress
from tests.cluster.here import train_here
from tests.cluster.on_slurm import CE, COMMENTS, SMALL, TEACHER, WSP, OnSlurm, weights
from tests.cluster.slurm import slurm_cluster, why_not
from tests.whole_study import Clone

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(700),  # beside much other work: alone it takes a minute
]

NODE = "alone"


@dataclass
class Endured:
    """A study after all that was done to it.

    Attributes:
        study: the study.
        began: when the teacher began in the job whose command was killed, in nanoseconds since the epoch.
        said: what the second command wrote on standard error.
    """

    study: OnSlurm
    began: int
    said: str


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[OnSlurm]:
    """A study that was handed to the cluster; two of its runs are held in the midst of their training."""
    with slurm_cluster(NODE) as cluster:
        study = OnSlurm(tmp_path_factory.mktemp("slurm"), data, cluster, SMALL)
        with study.driven():
            study.hold(TEACHER, CE)
            yield study


@pytest.fixture(scope="module")
def struck(held: OnSlurm) -> OnSlurm:
    """The same study after the job of `ce`, the node and the command were killed; the teacher's job is held."""
    kill_job_of_ce(held)
    lose_node_of_teacher(held)
    assert held.driver is not None
    held.driver.kill()
    return held


@pytest.fixture(scope="module")
def endured(struck: OnSlurm) -> Endured:
    """The same study after the command was started again."""
    with struck.driven() as driver:
        began = let_teacher_end_beside_its_second_job(struck)
        _, said = driver.communicate(timeout=250)
        assert driver.returncode == 0, said
    return Endured(struck, began, said)


def kill_job_of_ce(study: OnSlurm) -> None:
    study.control("resume", CE)
    study.cluster.call("scancel", "--signal=KILL", "--full", str(study.jobs(CE)[0][0]))
    study.wait_for(lambda: len(study.jobs(CE)) == 2)
    assert study.states(CE)[0] == "CANCELLED"


def lose_node_of_teacher(study: OnSlurm) -> None:
    """Lose the node while the teacher trains there, and wait until its job has begun again and gone on."""
    study.control("resume", TEACHER)
    study.cluster.lose_node(NODE)
    saved, lost = study.steps(TEACHER)[-1], time.time_ns()
    study.cluster.start_node(NODE)
    study.cluster.begin_waiting_jobs()
    study.hold(TEACHER, since=lost)
    assert study.steps(TEACHER, since=lost)[0] > saved, "it began from its first step"


def let_teacher_end_beside_its_second_job(study: OnSlurm) -> int:
    """Let the job of the first command go on once the second has handed over another; returns when the run began."""
    study.wait_for(lambda: len(study.jobs(TEACHER)) == 2)
    assert study.states(TEACHER) == ["SUSPENDED", "PENDING"], "the run has two jobs at work"
    study.control("resume", TEACHER)
    study.wait_for(lambda: study.states(TEACHER)[0] == "COMPLETED")
    return (study.folder(TEACHER) / BEGAN).stat().st_mtime_ns


def test_runs_that_need_nothing_of_each_other_train_at_once(held: OnSlurm) -> None:
    assert held.states(TEACHER) == held.states(CE) == ["SUSPENDED"]
    assert not held.jobs(WSP)  # which learns from the teacher


def test_a_job_that_was_killed_is_handed_over_again_and_that_of_a_lost_node_goes_on(struck: OnSlurm) -> None:
    assert struck.states(CE)[0] == "CANCELLED" and len(struck.jobs(CE)) == 2
    assert struck.states(TEACHER) == ["SUSPENDED"]  # one job, which Slurm has begun twice


def test_a_job_that_was_killed_is_tried_again_from_its_last_state(endured: Endured) -> None:
    first, second, *_ = endured.study.states(CE)
    assert (first, second) == ("CANCELLED", "COMPLETED")
    progress = read_progress(endured.study.folder(CE))  # None where the first job had just ended its training
    assert progress is None or progress.resumed_at >= 10, "it began from its first step"


def test_a_command_that_was_killed_goes_on_beside_its_jobs(endured: Endured) -> None:
    assert "tiny: an earlier start has left jobs on the cluster" in endured.said
    assert endured.study.states(TEACHER) == ["COMPLETED", "COMPLETED"]  # Slurm began the first one twice
    assert (endured.study.folder(TEACHER) / BEGAN).stat().st_mtime_ns == endured.began, "it was made again"


def test_no_job_failed_and_a_run_that_nothing_befell_has_one(endured: Endured) -> None:
    assert endured.study.states(WSP) == ["COMPLETED"]
    assert {state for _, state, _ in endured.study.cluster.jobs()} == {"CANCELLED", "COMPLETED"}


def test_tables_and_weights_are_those_of_the_same_runs_on_this_machine(
    endured: Endured, tmp_path: Path, data: Path
) -> None:
    here = Clone(tmp_path, data, **SMALL)
    train_here(here)
    assert main(["collect", str(here.file), "--results", str(here.results)]) == 0
    pd.testing.assert_frame_equal(endured.study.clone.runs(), here.runs())
    for run in COMMENTS:
        torch.testing.assert_close(weights(endured.study.clone, run), weights(here, run), rtol=0, atol=0)

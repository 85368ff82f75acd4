"""A study whose runs are jobs of a real Slurm, on which a job, then the node, then the command itself are killed.

One study goes through all of it, because the start of a run takes seconds of computing on its node; the tests look at
what is left. It is a tuning study, which ends with the table of its runs: what draws pages of them needs no cluster.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from pfs.__main__ import main
from pfs.config.files import repository
from pfs.study.execution.progress.stage import BEGAN, read_progress
from tests.cluster.here import train_here
from tests.cluster.slurm import ENDS_WITH_US, SlurmCluster, slurm_cluster, why_not
from tests.whole_study import STUDY, Clone

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(700),  # beside much other work: alone it takes a minute
]

LONG = {"steps": 200, "save_every": 10}  # to be killed in the midst of
SMALL = {
    "teacher": {**STUDY["teacher"], **LONG, "steps": 100},
    "student": {**STUDY["student"], **LONG, "steps": 400},
    "methods": {"ce": {}, "wsp": {"wsp": {"weight": 1.0}}},  # ce can train beside the teacher
    "seeds": [0],
    "tuning": True,
}
TEACHER, CE, WSP = "teacher", "runs/ce/0", "runs/wsp/0"  # folders of the runs
COMMENTS = {  # of their jobs
    TEACHER: "rule_teacher",
    CE: "rule_student_wildcards_ce_0",
    WSP: "rule_student_wildcards_wsp_0",
}


class OnSlurm:
    """A study of its own, the command that hands it to the cluster, and what has become of its runs."""

    def __init__(self, folder: Path, data: Path, cluster: SlurmCluster) -> None:
        self.clone, self.cluster, self.profile = Clone(folder, data, **SMALL), cluster, folder / "profile"
        self.driver: subprocess.Popen[str] | None = None
        text = (repository() / "profiles" / "slurm" / "config.yaml").read_text()
        for old, new in (
            ("checks: 20", "checks: 1"),
            ("wait: 120", "wait: 10"),
            (".snakemake/slurm", f"{folder}/slurm"),
        ):
            assert old in text
            text = text.replace(old, new)
        self.profile.mkdir()
        (self.profile / "config.yaml").write_text(text)

    @contextmanager
    def driven(self) -> Iterator[subprocess.Popen[str]]:
        """The command, which is killed where the test fails."""
        _, _, _, *arguments = self.clone.command()
        pfs = [*ENDS_WITH_US, sys.executable, "-m", "tests.cluster.impatient"]
        command = [*pfs, *arguments[:-1], "1", "--profile", self.profile]
        how = {"cwd": repository(), "env": self.cluster.environment, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **how) as process:  # type: ignore[call-overload]
            self.driver = process
            try:
                yield process
            finally:
                process.kill()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for what the command brings about; if it ends before that, what it said is the test's failure."""
        assert self.driver is not None and self.driver.stderr is not None
        deadline = time.monotonic() + 300
        while not condition():
            assert self.driver.poll() is None, f"the command has ended: {self.driver.stderr.read()}"
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)

    def folder(self, run: str) -> Path:
        return self.clone.results / "tiny" / run

    def steps(self, run: str, since: int = 0) -> list[int]:
        """The steps after which it has saved the states that are there, and are newer than a time in nanoseconds."""
        states = [state for state in self.folder(run).glob("state/*-*") if state.stat().st_mtime_ns > since]
        return sorted(int(state.name.split("-")[1]) for state in states)

    def jobs(self, run: str) -> list[tuple[int, str]]:
        """The jobs of a run as (number, state), the first one first."""
        return [(number, state) for number, state, told in self.cluster.jobs() if told == COMMENTS[run]]

    def states(self, run: str) -> list[str]:
        return [state for _, state in self.jobs(run)]

    def hold(self, *runs: str, since: int = 0) -> None:
        """Suspend the first job of each run once the run has saved a state since then, in the midst of its training."""
        waiting = set(runs)
        while waiting:
            self.wait_for(lambda: any(self.steps(run, since) for run in waiting))
            for run in [run for run in waiting if self.steps(run, since)]:
                self.control("suspend", run)
                waiting.remove(run)
                assert not (self.folder(run) / "record.json").is_file(), f"{run} was done before it could be held"

    def control(self, verb: str, run: str) -> None:
        """Have Slurm suspend or resume the first job of a run."""
        self.cluster.call("scontrol", verb, str(self.jobs(run)[0][0]))


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
    with slurm_cluster() as cluster:
        study = OnSlurm(tmp_path_factory.mktemp("slurm"), data, cluster)
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
    study.cluster.lose_node()
    saved, lost = study.steps(TEACHER)[-1], time.time_ns()
    study.cluster.start_node()
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


def weights(clone: Clone, run: str) -> dict[str, torch.Tensor]:
    file = clone.results / "tiny" / run / "checkpoint.pt"
    read: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return read


def test_tables_and_weights_are_those_of_the_same_runs_on_this_machine(
    endured: Endured, tmp_path: Path, data: Path
) -> None:
    here = Clone(tmp_path, data, **SMALL)
    train_here(here)
    assert main(["collect", str(here.file), "--results", str(here.results)]) == 0
    pd.testing.assert_frame_equal(endured.study.clone.runs(), here.runs())
    for run in COMMENTS:
        torch.testing.assert_close(weights(endured.study.clone, run), weights(here, run), rtol=0, atol=0)

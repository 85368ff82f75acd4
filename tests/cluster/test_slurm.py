"""A study whose runs are jobs of a real Slurm, on which a job, the node and then the driver are killed.

One study goes through all of it, because each start of a run takes ten seconds on a node; the tests look at what is
left. The two students can train at once, `ce` also beside the teacher.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from pfs.__main__ import main
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.statistics import read_runs
from pfs.report.tables.main import main_table, to_markdown
from pfs.study.execution.progress.stage import BEGAN, read_progress
from tests.cluster.here import train_here
from tests.cluster.slurm import SlurmCluster, slurm_cluster, why_not
from tests.whole_study import STUDY, Clone

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(700),  # beside other work: alone it takes a minute
]

SMALL = {
    "student": {**STUDY["student"], "steps": 200, "save_every": 10},
    "methods": {"ce": {}, "wsp": {"wsp": {"weight": 1.0}}},
    "seeds": [0],
}
CE, WSP = "rule_student_wildcards_ce_0", "rule_student_wildcards_wsp_0"  # comments of their jobs


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
        command = [sys.executable, "-m", "tests.cluster.impatient", *arguments[:-1], "1", "--profile", self.profile]
        how = {"cwd": repository(), "env": self.cluster.environment, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **how) as self.driver:  # type: ignore[call-overload]
            try:
                yield self.driver
            finally:
                self.driver.kill()

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

    def last_state(self, run: str) -> int:
        """When the run saved its last state, in nanoseconds since the epoch; 0 if it has saved none."""
        return max((state.stat().st_mtime_ns for state in self.folder(run).glob("state/*-*")), default=0)

    def trains(self, run: str, since: int = 0) -> bool:
        """Whether it has saved a state since that time, and has no record yet."""
        return self.last_state(run) > since and not (self.folder(run) / "record.json").is_file()

    def jobs(self, comment: str) -> list[tuple[int, str]]:
        """The jobs of a run as (number, state), the first one first."""
        return [(number, state) for number, state, told in self.cluster.jobs() if told == comment]


@dataclass
class Endured:
    """A study after all that was done to it.

    Attributes:
        study: the study.
        began: when `wsp` began in the job whose driver was killed, in nanoseconds since the epoch.
        said: what the second driver wrote on standard error.
    """

    study: OnSlurm
    began: int
    said: str


@pytest.fixture(scope="module")
def endured(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Endured]:
    with slurm_cluster() as cluster:
        study = OnSlurm(tmp_path_factory.mktemp("slurm"), data, cluster)
        with study.driven() as driver:
            kill_job_of_ce(study)
            job = lose_node_of_wsp(study)
            os.kill(driver.pid, signal.SIGKILL)
        with study.driven() as driver:
            began = hold_until_it_has_a_second_job(study, job)
            _, said = driver.communicate(timeout=400)
            assert driver.returncode == 0, said
        yield Endured(study, began, said)


def kill_job_of_ce(study: OnSlurm) -> None:
    study.wait_for(lambda: study.trains("runs/ce/0"))
    [(job, _)] = study.jobs(CE)
    study.cluster.call("scancel", "--signal=KILL", "--full", str(job))


def lose_node_of_wsp(study: OnSlurm) -> int:
    """Lose the node while `wsp` trains there; returns the number of its job, which has begun again."""
    study.wait_for(lambda: study.trains("runs/wsp/0"))
    study.cluster.lose_node()
    study.cluster.start_node()
    study.cluster.begin_waiting_jobs()
    [(job, _)] = study.jobs(WSP)
    study.wait_for(lambda: study.jobs(WSP) == [(job, "RUNNING")])
    return job


def hold_until_it_has_a_second_job(study: OnSlurm, job: int) -> int:
    """Hold a job of the first driver in mid-run until the second driver has handed over another one for its run.

    Returns when the run began, once the first job has ended.
    """
    before = study.last_state("runs/wsp/0")
    study.wait_for(lambda: study.trains("runs/wsp/0", since=before))
    study.cluster.call("scontrol", "suspend", str(job))  # or it might end before the other is there
    study.wait_for(lambda: len(study.jobs(WSP)) == 2)
    assert study.jobs(WSP)[1][1] == "PENDING", "the run has two jobs at work"
    study.cluster.call("scontrol", "resume", str(job))
    study.wait_for(lambda: study.jobs(WSP)[0][1] == "COMPLETED")
    return (study.folder("runs/wsp/0") / BEGAN).stat().st_mtime_ns


def test_the_tables_are_those_of_the_same_runs_on_this_machine(
    endured: Endured, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Clone(tmp_path, data, **SMALL)
    train_here(here)
    assert main(["collect", str(here.file), "--results", str(here.results)]) == 0
    pd.testing.assert_frame_equal(endured.study.clone.runs(), here.runs())
    table = to_markdown(main_table(read_runs(here.results / "tiny"), load_study(str(here.file))))
    assert table in endured.study.folder("tables/main.md").read_text()


def test_the_teacher_is_trained_once(endured: Endured) -> None:
    assert [state for _, state in endured.study.jobs("rule_teacher")] == ["COMPLETED"]


def test_a_killed_job_is_tried_again(endured: Endured) -> None:
    first, second, *_ = [state for _, state in endured.study.jobs(CE)]
    assert (first, second) == ("CANCELLED", "COMPLETED")


@pytest.mark.parametrize("run", ["runs/ce/0", "runs/wsp/0"])
def test_a_run_whose_job_or_node_was_lost_goes_on_from_its_last_state(endured: Endured, run: str) -> None:
    progress = read_progress(endured.study.folder(run))
    assert progress is not None and progress.resumed_at >= 10, "it began from its first step"


def test_a_driver_that_was_killed_goes_on_beside_its_jobs(endured: Endured) -> None:
    assert "tiny: an earlier start has left jobs on the cluster" in endured.said
    assert [state for _, state in endured.study.jobs(WSP)] == ["COMPLETED", "COMPLETED"]
    began = (endured.study.folder("runs/wsp/0") / BEGAN).stat().st_mtime_ns
    assert began == endured.began, "it was made again"


def test_each_run_left_no_job_that_failed(endured: Endured) -> None:
    states = {state for _, state, _ in endured.study.cluster.jobs()}
    assert states == {"CANCELLED", "COMPLETED"}

"""A study whose runs are jobs of a real Slurm, on which jobs, the node and the driver are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from pfs.config.files import repository
from pfs.study.execution.progress.stage import BEGAN, read_progress
from tests.cluster.slurm import SlurmCluster, slurm_cluster, why_not
from tests.whole_study import STUDY, Clone, wait_for

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(700),  # beside other work: alone, each takes about two minutes
]

# Two runs that can train at once, and one after them.
SMALL = {
    "student": {**STUDY["student"], "steps": 200, "save_every": 10},
    "methods": {"ce": {}, "wsp": {"wsp": {"weight": 1.0}}},
    "seeds": [0],
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    with slurm_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Clone:
    """The study after one run on this machine."""
    clone = Clone(tmp_path_factory.mktemp("local"), data, **SMALL)
    subprocess.run([*clone.command()[:-1], "1"], cwd=repository(), capture_output=True, check=True, timeout=400)
    return clone


class OnSlurm:
    """A study of its own, the command that hands it to the cluster, and what became of its runs."""

    def __init__(self, folder: Path, data: Path, cluster: SlurmCluster) -> None:
        self.clone, self.cluster = Clone(folder, data, **SMALL), cluster
        self.before = len(cluster.jobs())
        text = (repository() / "profiles" / "slurm" / "config.yaml").read_text()
        for old, new in (
            ("checks: 20", "checks: 1"),
            ("wait: 120", "wait: 10"),
            (".snakemake/slurm", f"{folder}/slurm"),
        ):
            assert old in text
            text = text.replace(old, new)
        self.profile = folder / "profile"
        self.profile.mkdir()
        (self.profile / "config.yaml").write_text(text)

    @contextmanager
    def driver(self) -> Iterator[subprocess.Popen[str]]:
        """The command, which is killed where the test fails."""
        _, _, _, *arguments = self.clone.command()
        command = [
            sys.executable,
            "-m",
            "tests.cluster.impatient",
            *arguments[:-1],
            "1",
            "--profile",
            str(self.profile),
        ]
        how = {"cwd": repository(), "env": self.cluster.environment, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **how) as process:  # type: ignore[call-overload]
            try:
                yield process
            finally:
                process.kill()

    def folder(self, run: str) -> Path:
        return self.clone.results / "tiny" / run

    def trains(self, run: str) -> bool:
        """Whether it has saved a state, and has no record yet."""
        return any(self.folder(run).glob("state/*-*")) and not (self.folder(run) / "record.json").is_file()

    def jobs(self, comment: str) -> list[tuple[int, str]]:
        """The jobs of a run as (number, state), the first one first."""
        return [(number, state) for number, state, told in self.cluster.jobs()[self.before :] if told == comment]


def ends_well(driver: subprocess.Popen[str]) -> str:
    _, said = driver.communicate(timeout=400)
    assert driver.returncode == 0, said
    return said


def assert_same_tables(ours: Clone, theirs: Clone) -> None:
    pd.testing.assert_frame_equal(ours.runs(), theirs.runs())
    one, other = (clone.results / "tiny" / "tables" / "main.md" for clone in (ours, theirs))
    assert one.read_text() == other.read_text()


def test_killed_jobs_and_a_lost_node_lose_nothing_and_change_no_number(
    cluster: SlurmCluster, expected: Clone, tmp_path: Path, data: Path
) -> None:
    study = OnSlurm(tmp_path, data, cluster)
    ce, wsp = "runs/ce/0", "runs/wsp/0"
    with study.driver() as driver:
        wait_for(lambda: study.trains(ce), 300)
        [(job, _)] = study.jobs("rule_student_wildcards_ce_0")
        cluster.call("scancel", "--signal=KILL", "--full", str(job))
        wait_for(lambda: study.trains(wsp), 300)
        cluster.lose_node()
        cluster.start_node()
        cluster.begin_waiting_jobs()
        ends_well(driver)
    assert_same_tables(study.clone, expected)
    assert [state for _, state in study.jobs("rule_teacher")] == ["COMPLETED"]
    assert [state for _, state in study.jobs("rule_student_wildcards_ce_0")] == ["CANCELLED", "COMPLETED"]
    assert [state for _, state in study.jobs("rule_student_wildcards_wsp_0")] == ["COMPLETED"]  # Slurm began it again
    for run in (ce, wsp):
        progress = read_progress(study.folder(run))
        assert progress is not None and progress.resumed_at >= 10, f"{run} began from its first step"


def test_a_driver_that_was_killed_goes_on_beside_its_jobs(
    cluster: SlurmCluster, expected: Clone, tmp_path: Path, data: Path
) -> None:
    study = OnSlurm(tmp_path, data, cluster)
    with study.driver() as driver:
        wait_for(lambda: study.trains("runs/ce/0"), 300)
        [(job, _)] = study.jobs("rule_student_wildcards_ce_0")
        cluster.call("scontrol", "suspend", str(job))  # or it might end before the command is there again
        os.kill(driver.pid, signal.SIGKILL)
    began = (study.folder("runs/ce/0") / BEGAN).stat().st_mtime_ns
    with study.driver() as driver:
        wait_for(lambda: len(study.jobs("rule_student_wildcards_ce_0")) == 2, 300)
        assert study.jobs("rule_student_wildcards_ce_0")[1][1] == "PENDING", "the run has two jobs at work"
        cluster.call("scontrol", "resume", str(job))
        said = ends_well(driver)
    assert "tiny: an earlier start has left jobs on the cluster" in said
    assert_same_tables(study.clone, expected)
    assert (study.folder("runs/ce/0") / BEGAN).stat().st_mtime_ns == began, "it was made again"
    assert [state for _, state in study.jobs("rule_student_wildcards_ce_0")] == ["COMPLETED", "COMPLETED"]

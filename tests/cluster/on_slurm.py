"""A study of its own whose runs are jobs of a Slurm of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pfs.config.files import repository
from tests.cluster.slurm import ENDS_WITH_US, SlurmCluster
from tests.whole_study import STUDY, Clone

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

    def __init__(self, folder: Path, data: Path, cluster: SlurmCluster, study: dict[str, Any], *options: str) -> None:
        self.clone, self.cluster, self.profile = Clone(folder, data, **study), cluster, folder / "profile"
        self.options = options
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
        command = [*pfs, *arguments[:-1], "1", "--profile", self.profile, *self.options]
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

    def record(self, run: str) -> Path:
        return self.folder(run) / "record.json"

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
                assert not self.record(run).is_file(), f"{run} was done before it could be held"

    def control(self, verb: str, run: str) -> None:
        """Have Slurm suspend or resume the first job of a run."""
        self.cluster.call("scontrol", verb, str(self.jobs(run)[0][0]))


def weights(clone: Clone, run: str) -> dict[str, torch.Tensor]:
    file = clone.results / "tiny" / run / "checkpoint.pt"
    read: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return read

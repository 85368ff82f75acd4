"""The jobs of a study that Slurm knows, also those which an earlier start of the study has left there.

A study that is started again while jobs of an earlier start are still there must not do their work twice. Jobs that
wait are cancelled: nothing is lost, for they have not begun. Those that run go on, and the new job of such a run
depends on the old one: it takes no node before that one has ended, and then it finds the run done and ends at once.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pfs.config.base import StudyError
from pfs.study.places import TEACHER

SECONDS = 60.0  # to wait for a command of Slurm's
_ENDED = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE"}


@dataclass(frozen=True)
class Job:
    """A job that waits or runs.

    Attributes:
        number: Slurm's own.
        state: in Slurm's words, such as "RUNNING".
        comment: what the executor's plugin says of the job, such as "rule_student_wildcards_ce_0".
    """

    number: int
    state: str
    comment: str

    def is_of(self, method: str, seed: int) -> bool:
        """Whether the job makes that run."""
        return self.comment == ("rule_teacher" if method == TEACHER else f"rule_student_wildcards_{method}_{seed}")


@dataclass(frozen=True)
class SlurmJobs:
    """The jobs of one study, which Slurm knows by the beginning of their names.

    Attributes:
        prefix: of their names, from the place of the study's results.
    """

    prefix: str

    @classmethod
    def of(cls, folder: Path) -> "SlurmJobs":
        """The jobs of the study whose results are in `folder`."""
        return cls("pfs-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16])

    def now(self) -> list[Job]:
        """Those that wait or run.

        Raises:
            StudyError: Slurm does not answer.
        """
        lines = _slurm("squeue", "--noheader", "--format=%i|%T|%j|%k").splitlines()
        parts = [line.split("|", 3) for line in lines if line.count("|") >= 3]
        return [
            Job(int(number), state, comment)
            for number, state, name, comment in parts
            if name.startswith(f"{self.prefix}_") and number.isdecimal() and state not in _ENDED
        ]

    def cancel_waiting(self) -> int:
        """Cancel the jobs that have not begun; returns how many there were."""
        waiting = [job.number for job in self.now() if job.state == "PENDING"]
        _cancel(waiting, "--state=PENDING")
        return len(waiting)

    def cancel_all(self) -> None:
        """Cancel all jobs; each goes on from its last saved state when the study is started again."""
        _cancel([job.number for job in self.now()])

    def left_of(self, runs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The number of the job that makes a run at this moment, for each of the runs that has one."""
        jobs = self.now()
        return {run: job.number for run in runs for job in jobs if job.is_of(*run)}


def nodes_of_job() -> list[str]:
    """The nodes of the Slurm job in which this process runs, its own node first; none where it runs in no job.

    A shell on a login node that holds an allocation is in no job: its own machine is none of the job's nodes. Nor is a
    container without Slurm's commands.

    Raises:
        StudyError: Slurm does not tell them.
    """
    job, own = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURMD_NODENAME")
    if job is None or own is None or shutil.which("squeue") is None:
        return []
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):  # by its own number squeue may list all jobs of the array
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    # Snakemake's plugin removes the list of nodes from the environment of a job's commands, so Slurm is asked.
    nodes = _slurm("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    return [own, *(name for name in _slurm("scontrol", "show", "hostnames", nodes).split() if name != own)]


def host_count(devices: int) -> int:
    """Over how many hosts the devices of a run are spread: all nodes of a job of Slurm; one device is on one host."""
    return 1 if devices == 1 else max(1, len(nodes_of_job()))


def _cancel(numbers: Sequence[int], *options: str) -> None:
    if numbers:
        _slurm("scancel", *options, *map(str, numbers))


def _slurm(*command: str) -> str:
    """What a command of Slurm's prints."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        raise StudyError(f"{command[0]} failed: {' '.join(str(said).split())}; does Slurm answer to `sinfo`?") from None
    return ended.stdout

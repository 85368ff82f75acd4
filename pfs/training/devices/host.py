"""Another host of a run, a node of the same Slurm job: how its processes are started from here, and what they say."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pfs.study.execution.kernels_end import GO_ON
from pfs.training.devices.group import DeviceError, Failure, Group, unpacked


@dataclass(frozen=True)
class Host:
    """The `srun` that starts, watches and ends the processes of another node.

    Attributes:
        GRACE: seconds that it has to end by itself after a process has failed: longer than its processes have there.
        node: its name.
        process: the `srun`.
        word: the file in which that host leaves word of a failure.
    """

    GRACE: ClassVar[float] = 10.0

    node: str
    process: "subprocess.Popen[bytes]"
    word: Path

    @classmethod
    def start(cls, group: Group, host: int, node: str) -> "Host":
        """Start the processes of a node as a step of the job in which this process runs.

        Args:
            group: all processes of the run.
            host: the number of the node among the group's hosts.
            node: its name.
        """
        # The cores to which Slurm has bound this process are those of its own node.
        command = ["srun", "--overlap", "--nodes=1", "--ntasks=1", "--cpu-bind=none", f"--nodelist={node}"]
        if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
            command.append(f"--cpus-per-task={cores}")
        numbers = (group.hosts, group.devices, group.threads, host)
        command += [sys.executable, "-m", "pfs.training.devices.other_host", str(group.folder), *map(str, numbers)]
        return cls(node, subprocess.Popen(command, stdin=subprocess.DEVNULL, env=_environment()), word_of(group, host))

    @property
    def status(self) -> int | None:
        """The exit status of its `srun`; None while that runs."""
        return self.process.poll()

    def wait(self, seconds: float) -> None:
        """Wait for its end, for at most so long."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    @property
    def has_failed(self) -> bool:
        return bool(self.status) or self.word.is_file()

    def kill(self) -> None:
        """Have its processes end, if they have not ended: `srun` does that when it is asked to end itself."""
        self.process.terminate()

    def join(self) -> None:
        """Wait for its end after `kill`."""
        self.wait(self.GRACE)
        self.process.kill()
        self.process.wait()

    def failure(self) -> Failure:
        """When and why one of its processes failed."""
        if self.word.is_file() and (told := unpacked(self.word.read_bytes())) is not None:
            return told
        return time.time(), DeviceError(
            f"the processes of the run on the node {self.node} ended with status {self.status} without a word; the "
            f"job's log may say why; {GO_ON}"
        )


def _environment() -> dict[str, str]:
    """That of this process without what Slurm has set for it: `srun` would take that for options of the new step."""
    kept = ("SLURM_JOB_ID", "SLURM_CONF")
    own = ("SLURM_", "SRUN_", "SBATCH_")
    return {name: value for name, value in os.environ.items() if name in kept or not name.startswith(own)}


def word_of(group: Group, host: int) -> Path:
    """The file in which a host leaves word of a failure."""
    return group.folder / f"failure-{host}"

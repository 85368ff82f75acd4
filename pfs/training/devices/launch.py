"""Starts, watches and ends the processes of a run on several devices, one process for each device.

They are on this host, or spread over the nodes of the Slurm job in which this process runs.

`torch.multiprocessing.start_processes` also starts and ends such processes, but it passes a failure on as the text of a
traceback, and the type of the exception is lost: a run that was asked to stop could not be told from one that failed,
and the one line that a study shows of an error would be gone. torchrun's elastic launch loses the type in the same way,
and restarts processes by rules of its own, where a study goes on from its saved states.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist

from pfs.study.execution.cluster.slurm import host_count, nodes_of_job
from pfs.study.execution.kernels_end import GO_ON
from pfs.training.devices.group import DeviceError, Failure, Group, KilledError
from pfs.training.devices.host import Host
from pfs.training.devices.worker import Worker

_MEETING = ".devices-"  # how the names of folders begin in which the processes of several hosts meet

Meanwhile = Callable[[], object]


def check_machine(devices: int) -> None:
    """Raise a DeviceError if the hosts that there are do not have so many devices.

    A machine without GPUs has as many devices as one asks for: each is a process with its share of the threads.
    """
    if devices == 1:
        return
    hosts = host_count(devices)
    if devices % hosts:
        raise DeviceError(f"{devices} devices cannot be spread equally over the {hosts} nodes of this job of Slurm")
    if torch.cuda.is_available() and devices > hosts * (gpus := torch.cuda.device_count()):
        raise DeviceError(
            f"{devices} devices were asked for, and this machine has {gpus} GPUs"
            if hosts == 1
            else f"{devices} devices were asked for, and each of the {hosts} nodes has {gpus} GPUs"
        )
    if torch.backends.mps.is_available():
        raise DeviceError(f"{devices} devices were asked for, and Apple's GPU is one: leave `devices` at 1")


def run_on_devices(
    devices: int,
    work: Callable[..., object],
    *arguments: object,
    folder: Path,
    meanwhile: Meanwhile | None = None,
) -> None:
    """Call a function in one new process for each device, and return when it has returned in all of them.

    The processes can exchange tensors. They are spread equally over the nodes of the Slurm job in which this process
    runs; elsewhere all are on this machine.

    Args:
        devices: how many processes. Those of a host have equal shares of this process's threads, and on a machine with
            GPUs each has one of its own.
        work: the function. The new processes import it by its module and name: it cannot be defined in a notebook.
        arguments: what it is called with. Each process gets a copy.
        folder: of the run alone, in which the processes meet. All hosts see it.
        meanwhile: called in this process every second until the others have ended.

    Raises:
        DeviceError: there are fewer devices, or a process was killed. The other processes are ended within seconds.
        Exception: what the first process that failed has raised, with its own type.
    """
    check_machine(devices)
    nodes, hosts = nodes_of_job(), host_count(devices)
    own = devices // hosts
    with _meeting_place(folder) as place:
        group = Group(place, hosts, own, threads=max(1, torch.get_num_threads() // own))
        group.give(work, arguments)
        run_host(group, 0, nodes[1:hosts], meanwhile)


@contextmanager
def _meeting_place(folder: Path) -> Iterator[Path]:
    """A folder within a run's own that its owner alone can open.

    What an earlier start has left there that was killed is deleted, so that its processes do not meet the new ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_MEETING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=_MEETING, dir=folder, ignore_cleanup_errors=True) as place:
        yield Path(place)


def run_host(group: Group, host: int, nodes: Sequence[str] = (), meanwhile: Meanwhile | None = None) -> None:
    """Run the processes of this host until they have ended, and have those of other hosts run too.

    Args:
        group: all processes of the run.
        host: the number of this host among the group's.
        nodes: the hosts that this one starts, which are numbered after it.
        meanwhile: called every second.

    Raises:
        Exception: as `run_on_devices`.
    """
    members: list[Worker | Host] = []
    try:
        for number, node in enumerate(nodes, start=host + 1):
            members.append(Host.start(group, number, node))
        for device in range(group.devices):
            members.append(Worker.start(group, host, device))
        _await(members, meanwhile)
    finally:
        for member in members:
            member.kill()
        for member in members:
            member.join()


def _await(members: Sequence[Worker | Host], meanwhile: Meanwhile | None) -> None:
    """Return when all processes have ended without an error; otherwise raise the error of the first that failed."""
    while any(member.status is None for member in members) and not any(member.has_failed for member in members):
        running = [member for member in members if isinstance(member, Worker) and member.status is None]
        wait([worker.process.sentinel for worker in running], timeout=1.0)
        if meanwhile is not None:
            meanwhile()
    failed_at = time.monotonic()
    for member in members:
        member.wait(max(0.0, failed_at + member.GRACE - time.monotonic()))
    if failures := [member.failure() for member in members if member.has_failed]:
        _, error = min(failures, key=_likely_cause)
        if _is_loss_of_connection(error):
            raise DeviceError(f"a process of the run has lost its connection to another one ({error}); {GO_ON}")
        raise error


def _likely_cause(failure: Failure) -> tuple[int, float]:
    """Sorts failures of one moment: the one that brought the others about comes first.

    A process that was killed comes before any that has raised something; then one that ended without a word, as NCCL
    ends processes where it has lost others. What has only lost its connection comes last. The clocks of hosts decide
    nothing but what is left.
    """
    when, error = failure
    if isinstance(error, KilledError):
        return 0, when
    if _is_loss_of_connection(error):
        return 3, when
    return (2 if isinstance(error, DeviceError) else 1), when


def _is_loss_of_connection(error: Exception) -> bool:
    """For Gloo torch raises a plain RuntimeError then, which names Gloo's source file."""
    return isinstance(error, dist.DistError) or (type(error) is RuntimeError and "gloo" in str(error))

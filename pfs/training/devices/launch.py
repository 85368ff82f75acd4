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

from pfs.study.execution.cluster.slurm import nodes_of_job
from pfs.training.devices.group import DeviceError, Failure, Group
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


def host_count(devices: int) -> int:
    """Over how many hosts the devices of a run are spread: all nodes of a job of Slurm; one device is on one host."""
    return 1 if devices == 1 else max(1, len(nodes_of_job()))


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
        folder: of the run alone. All hosts see it.
        meanwhile: called in this process every second until the others have ended.

    Raises:
        DeviceError: there are fewer devices, or a process was killed. The other processes are ended within seconds.
        Exception: what the first process that failed has raised, with its own type.
    """
    check_machine(devices)
    nodes, hosts = nodes_of_job(), host_count(devices)
    with _meeting_place(folder if hosts > 1 else None) as place:
        own = devices // hosts
        group = Group(place, hosts, own, threads=max(1, torch.get_num_threads() // own))
        group.give(work, arguments)
        others = [Host.start(group, host, node) for host, node in enumerate(nodes) if host > 0]
        run_host(group, 0, others, meanwhile)


@contextmanager
def _meeting_place(shared: Path | None) -> Iterator[Path]:
    """A folder that its owner alone can open; it lies in `shared`, or, if that is None, anywhere on this machine.

    What an earlier start has left there that was killed is deleted, so that its processes do not meet the new ones.
    """
    for left in [] if shared is None else shared.glob(f"{_MEETING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=_MEETING, dir=shared, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run_host(group: Group, host: int, others: Sequence[Host] = (), meanwhile: Meanwhile | None = None) -> None:
    """Run the processes of this host until they have ended, and wait for other hosts too.

    Args:
        group: all processes of the run.
        host: the number of this host among the group's.
        others: those that this host has started.
        meanwhile: called every second.

    Raises:
        Exception: as `run_on_devices`.
    """
    workers: list[Worker] = []
    try:
        for device in range(group.devices):
            workers.append(Worker.start(group, host, device))
        _await(workers, others, meanwhile)
    finally:
        _end((*workers, *others))


def _end(members: Sequence[Worker | Host]) -> None:
    """End all processes that have not ended."""
    for member in members:
        member.end()


def _await(workers: Sequence[Worker], others: Sequence[Host], meanwhile: Meanwhile | None) -> None:
    """Return when all processes have ended without an error; otherwise raise the error of the first that failed."""
    members: Sequence[Worker | Host] = (*workers, *others)
    while any(member.status is None for member in members) and not any(member.status for member in members):
        wait([worker.process.sentinel for worker in workers if worker.status is None], timeout=1.0)
        if meanwhile is not None:
            meanwhile()
    failed_at = time.monotonic()
    for member in members:
        member.wait(max(0.0, failed_at + member.GRACE - time.monotonic()))
    if failures := [member.failure() for member in members if member.status]:
        raise min(failures, key=_likely_cause)[1]


def _likely_cause(failure: Failure) -> tuple[bool, bool, float]:
    """Sorts failures of one moment: the one that brought the others about comes first.

    A process that was killed comes before any that has raised something. Those that have only lost their connection to
    another one come last: torch raises a plain RuntimeError then. The clocks of hosts decide nothing but what is left.
    """
    when, error = failure
    lost = type(error) is RuntimeError or isinstance(error, dist.DistError)
    return not isinstance(error, DeviceError), lost, when

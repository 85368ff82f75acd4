"""Starts, watches and ends the processes of a run on several devices, one process for each device.

The processes are spawned, not forked: a forked process hangs if its parent has computed with several threads, and
cannot use a GPU if its parent has used one. Each process therefore receives a copy of what it works with.

`torch.multiprocessing.start_processes` also starts and ends such processes, but it passes a failure on as the text of a
traceback, and the type of the exception is lost: a run that was asked to stop could not be told from one that failed,
and the one line that a study shows of an error would be gone. torchrun's elastic launch loses the type in the same way,
and restarts processes by rules of its own, where a study goes on from its saved states.
"""

import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import current_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import torch
import torch.distributed as dist

from pfs.study.execution.run import exit_with_parent
from pfs.training.machine import prepare

GRACE = 3.0  # seconds that the other processes have to end by themselves after one has failed
TIMEOUT = timedelta(minutes=10)  # of one exchange of tensors; the slowest waits until one process has saved a state


class DeviceError(RuntimeError):
    """A run cannot be shared among so many devices, or one of its processes has ended."""


@dataclass(frozen=True)
class _Worker:
    """The process of one device, and our end of the pipe through which it receives its work and reports a failure."""

    process: SpawnProcess
    pipe: Connection


def check_machine(devices: int) -> None:
    """Raise a DeviceError if this machine has fewer devices.

    A machine without GPUs has as many devices as one asks for: each is a process with its share of the threads.
    """
    if torch.cuda.is_available() and devices > torch.cuda.device_count():
        raise DeviceError(f"{devices} devices were asked for, and this machine has {torch.cuda.device_count()} GPUs")
    if torch.backends.mps.is_available() and devices > 1:
        raise DeviceError(f"{devices} devices were asked for, and Apple's GPU is one: leave `devices` at 1")


def run_on_devices(
    devices: int, work: Callable[..., object], *arguments: object, meanwhile: Callable[[], object] | None = None
) -> None:
    """Call a function in one new process for each device, and return when it has returned in all of them.

    The processes can exchange tensors.

    Args:
        devices: how many processes. Each has an equal share of this process's threads, and on a machine with GPUs the
            GPU whose number is its rank.
        work: the function. The new processes import it by its module and name: it cannot be defined in a notebook.
        arguments: what it is called with. Each process gets a copy.
        meanwhile: called in this process every second until the others have ended.

    Raises:
        DeviceError: this machine has fewer devices, or a process was killed. The other processes are ended within
            seconds.
        Exception: what the first process that failed has raised, with its own type.
    """
    check_machine(devices)
    context = SpawnContext()
    threads = max(1, torch.get_num_threads() // devices)
    sent = pickle.dumps((work, arguments))
    with TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "store")
        workers = [_start(context, rank, devices, threads, meeting) for rank in range(devices)]
        try:
            for worker in workers:
                with suppress(OSError):  # of a process that has ended already, which is told below
                    worker.pipe.send_bytes(sent)
            _await(workers, meanwhile)
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()


def _start(context: SpawnContext, rank: int, devices: int, threads: int, meeting: str) -> _Worker:
    """Start the process of one device; it then waits until it is sent its work."""
    here, there = context.Pipe()
    arguments = (rank, devices, threads, meeting, os.getpid(), there)
    process = context.Process(target=_work, args=arguments, name=f"device {rank + 1} of {devices}")
    process.start()
    there.close()
    return _Worker(process, here)


def _await(workers: Sequence[_Worker], meanwhile: Callable[[], object] | None) -> None:
    """Return when all processes have ended without an error; otherwise raise the error of the first that failed."""
    while running := [worker.process.sentinel for worker in workers if worker.process.exitcode is None]:
        wait(running, timeout=1.0)
        if meanwhile is not None:
            meanwhile()
        if any(worker.process.exitcode for worker in workers):
            break
    deadline = time.monotonic() + GRACE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
    if failed := [worker for worker in workers if worker.process.exitcode]:
        raise _reason(failed)


def _reason(failed: Sequence[_Worker]) -> Exception:
    """The exception that says why a run ended.

    A process that was killed is named before any that failed: the others fail because they lose their connection to it.
    """
    for process in (worker.process for worker in failed):
        if process.exitcode is not None and process.exitcode < 0:
            name = signal.Signals(-process.exitcode).name
            return DeviceError(
                f"the process of {process.name} was ended by {name}, and the others with it; a system without free "
                "memory does that. The last saved state stays: start the run again to go on from it"
            )
    told = sorted((_told(worker) for worker in failed), key=lambda report: report[0])
    return told[0][1]


def _told(worker: _Worker) -> tuple[float, Exception]:
    """When a process failed, in seconds since the epoch, and the exception that it has reported."""
    with suppress(OSError, EOFError):
        if worker.pipe.poll():
            when, error = pickle.loads(worker.pipe.recv_bytes())
            return when, error
    return time.time(), DeviceError(f"the process of {worker.process.name} ended with status {worker.process.exitcode}")


# --- in the process of a device -----------------------------------------------------------------------------


def _work(rank: int, devices: int, threads: int, meeting: str, parent: int, pipe: Connection) -> None:
    """Join the other processes, receive the work through the pipe and do it; a failure is reported through the pipe."""
    exit_with_parent(parent)
    try:
        _join(rank, devices, threads, meeting)
        work, arguments = pickle.loads(pipe.recv_bytes())
        work(*arguments)
        dist.barrier()
        dist.destroy_process_group()
    except Exception as error:
        _fail(pipe, error)


def _join(rank: int, devices: int, threads: int, meeting: str) -> None:
    """Make this process a member of the group that trains the run.

    Accelerate learns of the group from the environment variables that torchrun sets, so they are set here.
    """
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": str(threads)}
    os.environ |= {"WORLD_SIZE": str(devices), "LOCAL_WORLD_SIZE": str(devices), "TQDM_DISABLE": "1"}
    prepare(threads)
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl"
    else:
        os.environ["ACCELERATE_USE_CPU"] = "true"
    store = dist.FileStore(meeting, devices)  # type: ignore[attr-defined]  # which its stubs do not export
    dist.init_process_group(backend, store=store, rank=rank, world_size=devices, timeout=TIMEOUT)


def _fail(pipe: Connection, error: Exception) -> NoReturn:
    """Report why this process fails, and end it at once: an orderly end would wait for the other processes for ever."""
    error.add_note(f"in {current_process().name}:\n{traceback.format_exc()}")
    try:
        pickle.loads(report := pickle.dumps((time.time(), error)))
    except Exception:  # an exception that cannot be copied is reported by its text
        report = pickle.dumps((time.time(), RuntimeError(f"{type(error).__name__}: {error}")))
    with suppress(OSError):
        pipe.send_bytes(report)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)

"""The processes that train one run together: how many they are, where they meet, and what they are given to do."""

import os
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from pfs.training.machine import prepare

TIMEOUT = timedelta(minutes=10)  # of one exchange of tensors; the slowest waits until one process has saved a state

Failure = tuple[float, Exception]  # when it was, in seconds since the epoch, and what was raised


class DeviceError(RuntimeError):
    """A run cannot be shared among so many devices, or one of its processes has ended."""


class KilledError(DeviceError):
    """One of the processes of a run was killed."""


@dataclass(frozen=True)
class Group:
    """The processes of one run, one for each device, with equally many on each host.

    Attributes:
        folder: where they meet, find their work, and leave word of a failure. All hosts see it, and nobody but its
            owner can write there: the work is a pickle.
        hosts: how many machines there are.
        devices: of each host.
        threads: of each process.
    """

    folder: Path
    hosts: int
    devices: int
    threads: int

    @property
    def size(self) -> int:
        """The number of processes."""
        return self.hosts * self.devices

    def rank(self, host: int, device: int) -> int:
        """The rank of the process of one of a host's devices; hosts and devices are counted from 0."""
        return host * self.devices + device

    def name(self, rank: int) -> str:
        """What a message calls the process of that rank."""
        return f"device {rank + 1} of {self.size}"

    def give(self, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
        """Write down what all processes shall do; each reads a copy of it."""
        with (self.folder / "work").open("wb") as file:
            pickle.dump((work, arguments), file)

    def do_work(self, host: int, device: int) -> None:
        """Join the other processes as the one of that device, and do the work with them."""
        self._join(host, device)
        work, arguments = self._work()
        dist.barrier()
        if self.rank(host, device) == 0:
            (self.folder / "work").unlink()  # all have read it, and it holds the images of a split in memory
        work(*arguments)
        dist.barrier()
        dist.destroy_process_group()

    def _work(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        with (self.folder / "work").open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                raise DeviceError(f"{file.name} belongs to another user, so it is not read")
            work, arguments = pickle.load(file)
        return work, arguments

    def _join(self, host: int, device: int) -> None:
        """Make this process a member of the group.

        Accelerate learns of the group from the environment variables that torchrun sets, so they are set here. It asks
        for the first host's address too, but uses it only to form a group by itself.
        """
        rank = self.rank(host, device)
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(device), "OMP_NUM_THREADS": str(self.threads)}
        os.environ |= {"WORLD_SIZE": str(self.size), "LOCAL_WORLD_SIZE": str(self.devices), "TQDM_DISABLE": "1"}
        os.environ["MASTER_ADDR"] = "not used"
        prepare(self.threads)
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(device)
            backend = "cpu:gloo,cuda:nccl"
        else:
            os.environ["ACCELERATE_USE_CPU"] = "true"
        store = dist.FileStore(str(self.folder / "store"), self.size)  # type: ignore[attr-defined]  # not in its stubs
        dist.init_process_group(backend, store=store, rank=rank, world_size=self.size, timeout=TIMEOUT)


def packed(error: Exception) -> bytes:
    """An exception of this moment, to be unpacked in another process; one that cannot be copied becomes its text."""
    try:
        pickle.loads(failure := pickle.dumps((time.time(), error)))
    except Exception:
        return pickle.dumps((time.time(), RuntimeError(f"{type(error).__name__}: {error}")))
    return failure


def unpacked(failure: bytes) -> Failure | None:
    """What `packed` has written; None of what was not written to its end."""
    with suppress(pickle.UnpicklingError, EOFError):
        when, error = pickle.loads(failure)
        return when, error
    return None

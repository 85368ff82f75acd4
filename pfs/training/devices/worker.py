"""The process of one device of this host: how it is started, and what it does from its first line to its last.

It is spawned, not forked: a forked process hangs if its parent has computed with several threads, and cannot use a GPU
if its parent has used one.
"""

import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import ClassVar, NoReturn

from pfs.study.execution.kernels_end import GO_ON
from pfs.study.execution.run import exit_with_parent
from pfs.training.devices.group import DeviceError, Failure, Group, KilledError, packed, unpacked


@dataclass(frozen=True)
class Worker:
    """The process of one device, and our end of the pipe through which it reports a failure.

    Attributes:
        GRACE: seconds that it has to end by itself after another process has failed.
    """

    GRACE: ClassVar[float] = 3.0

    process: SpawnProcess
    pipe: Connection

    @classmethod
    def start(cls, group: Group, host: int, device: int) -> "Worker":
        """Start the process of one of this host's devices."""
        context = SpawnContext()
        here, there = context.Pipe()
        name = group.name(group.rank(host, device))
        process = context.Process(target=_work, args=(group, host, device, os.getpid(), there), name=name)
        process.start()
        there.close()
        return cls(process, here)

    @property
    def status(self) -> int | None:
        """Its exit status, negative if a signal has ended it; None while it runs."""
        return self.process.exitcode

    def wait(self, seconds: float) -> None:
        """Wait for its end, for at most so long."""
        self.process.join(seconds)

    @property
    def has_failed(self) -> bool:
        return bool(self.status)

    def kill(self) -> None:
        """Have it end at once, if it has not ended."""
        self.process.kill()

    def join(self) -> None:
        """Wait for its end after `kill`."""
        self.process.join()

    def failure(self) -> Failure:
        """When and why it failed."""
        with suppress(OSError, EOFError):
            if self.pipe.poll() and (told := unpacked(self.pipe.recv_bytes())) is not None:
                return told
        return time.time(), self._silent_end()

    def _silent_end(self) -> DeviceError:
        """How it ended that could not say so itself."""
        status = self.process.exitcode or 0
        if status >= 0:
            return DeviceError(f"the process of {self.process.name} ended with status {status}")
        ended = (
            f"the process of {self.process.name} was ended by {signal.Signals(-status).name}, and the others with it"
        )
        if status == -signal.SIGKILL:
            return KilledError(f"{ended}; a system without free memory does that; {GO_ON}")
        return DeviceError(f"{ended}; {GO_ON}")


# --- in the process of a device -----------------------------------------------------------------------------


def _work(group: Group, host: int, device: int, parent: int, pipe: Connection) -> None:
    """Do the group's work with the other processes; a failure is reported through the pipe."""
    exit_with_parent(parent)
    try:
        group.do_work(host, device)
    except Exception as error:
        _fail(pipe, error)


def _fail(pipe: Connection, error: Exception) -> NoReturn:
    """Report why this process fails, and end it at once: an orderly end would wait for the other processes for ever."""
    error.add_note(f"in {current_process().name}, on {socket.gethostname()}:\n{traceback.format_exc()}")
    with suppress(OSError):
        pipe.send_bytes(packed(error))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)

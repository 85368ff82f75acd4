"""What a signal to a running study does: the first asks its runs to stop, the second ends everything at once."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TextIO

import psutil

from pfs.config.base import StudyError
from pfs.study.execution.cluster.slurm import SlurmJobs

ASKED = (
    "{name}: stopping: runs save their state and end, which takes as long as a step (or an evaluation that has begun); "
    "a second signal ends everything at once"
)
SECONDS_TO_END = 3.0
ONE_REQUEST = 0.5  # seconds


@contextmanager
def stopping_on_signals(name: str, stop_file: Path, terminal: TextIO, jobs: SlurmJobs | None = None) -> Iterator[None]:
    """React to SIGTERM and SIGINT while a study runs, in the main thread.

    Signals are read from a pipe by a thread of its own, because Snakemake installs its own handler of SIGTERM, after
    which it starts no further job. A SIGINT is passed on to that handler as a SIGTERM.

    Args:
        name: of the study.
        stop_file: the file that asks its runs to stop.
        terminal: where it is said what happens.
        jobs: of the study, where a cluster makes its runs. The first signal cancels those that have not begun, the
            second cancels all.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers = {number: signal.signal(number, _pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    previous = signal.set_wakeup_fd(writing)
    watcher = Thread(target=_watch, args=(reading, name, stop_file, terminal, jobs), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _pass_on(number: int, _: FrameType | None) -> None:
    if number == signal.SIGINT:
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler):
            handler(signal.SIGTERM, None)


def _watch(reading: int, name: str, stop_file: Path, terminal: TextIO, jobs: SlurmJobs | None) -> None:
    """Tell the first request to stop from the second, until the pipe is closed.

    What comes within `ONE_REQUEST` seconds of the first is that same request: `timeout` signals a process, and at once
    its whole group.
    """
    first = None
    while number := os.read(reading, 1):
        if number[0] not in (signal.SIGINT, signal.SIGTERM):
            continue  # such as that of a child which has ended
        now = time.monotonic()
        if first is None:
            first = now
            stop_file.touch()
            print(f"\n{ASKED.format(name=name)}", file=terminal, flush=True)
            if jobs is not None:
                _told(jobs.cancel_waiting, terminal)
        elif now - first > ONE_REQUEST:
            print(f"\n{name}: ended at once; run the study again to go on", file=terminal, flush=True)
            if jobs is not None:
                _told(jobs.cancel_all, terminal)
            _end_everything()


def _told(cancel: Callable[[], object], terminal: TextIO) -> None:
    """Cancel jobs; where the cluster does not answer that is told, and the study stops all the same."""
    try:
        cancel()
    except StudyError as error:
        print(error, file=terminal, flush=True)


def _end_everything() -> None:
    """End the processes that this one has started, and itself."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        if child.is_running():
            child.kill()
    psutil.wait_procs(children, timeout=SECONDS_TO_END)
    os._exit(1)

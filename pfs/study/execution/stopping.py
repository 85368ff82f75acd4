"""How a study asks its runs to stop: by a file whose path they have in their environment. No torch here.

A file reaches every process of a study, whichever process started it.
"""

import os
from pathlib import Path

STOP_FILE = "PFS_STOP_FILE"  # environment variable: the path of the file


class RunStoppedError(RuntimeError):
    """A run stopped because its study was asked to; the next start of the study goes on with it."""


def stop_requested() -> bool:
    """Whether the study that this process belongs to has been asked to stop."""
    file = os.environ.get(STOP_FILE)
    return file is not None and Path(file).exists()


def await_requests(file: Path) -> None:
    """Name the file for the processes that this one starts, and withdraw a request that an earlier study left."""
    file.unlink(missing_ok=True)
    os.environ[STOP_FILE] = str(file)

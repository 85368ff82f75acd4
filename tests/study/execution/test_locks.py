"""The lock on a folder is one that the system gives up by itself, or there is none."""

import fcntl
import os
import subprocess
import sys
from errno import ENOSYS
from pathlib import Path
from typing import NoReturn

import pytest

from pfs.config.base import StudyError
from pfs.study.execution.locks import folder_lock
from tests.whole_study import wait_for

HOLD = "import sys, time; from pathlib import Path; from pfs.study.execution.locks import folder_lock\n" + (
    "with folder_lock(Path(sys.argv[1])): Path(sys.argv[1], 'held').touch(); time.sleep(60)"
)


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)]) as holder:
        wait_for((tmp_path / "held").is_file, 60)
        with pytest.raises(TimeoutError):
            folder_lock(tmp_path).acquire(blocking=False)
        holder.kill()
    with folder_lock(tmp_path).acquire(blocking=False):
        pass


def test_it_is_a_lock_of_the_whole_file_as_nfs_passes_it_on(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        file = os.open(tmp_path / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(file)


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(file: int, how: int) -> NoReturn:
        raise OSError(ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(StudyError, match=r"has no locks \(flock\): mount it with them .* --results"):
        folder_lock(tmp_path)

"""The first signal asks a study to stop; what comes at once after it is the same request, and a later one ends it."""

import io
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from pfs.config.base import StudyError
from pfs.study.execution import interruption
from pfs.study.execution.cluster.slurm import SlurmJobs


@pytest.mark.parametrize(("pause", "ends"), [(0.0, False), (0.15, True)])
def test_two_signals_at_once_are_one_request(
    pause: float, ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`timeout` signals the process that it started, and at once the group of that process."""
    ended: list[bool] = []
    monkeypatch.setattr(interruption, "ONE_REQUEST", 0.1)
    monkeypatch.setattr(interruption, "_end_everything", lambda: ended.append(True))
    reading, writing = os.pipe()
    terminal = io.StringIO()
    watcher = Thread(target=interruption._watch, args=(reading, "tiny", tmp_path / "stop", terminal, None))
    watcher.start()
    os.write(writing, bytes([signal.SIGCHLD, signal.SIGTERM]))
    time.sleep(pause)
    os.write(writing, bytes([signal.SIGTERM]))
    os.close(writing)
    watcher.join()
    os.close(reading)
    assert bool(ended) == ends
    assert (tmp_path / "stop").is_file()
    assert terminal.getvalue().count("tiny: stopping") == 1


class Jobs(SlurmJobs):
    """Jobs that note how they are cancelled; where Slurm does not answer, that does not keep a study from stopping."""

    def cancel_waiting(self) -> int:
        raise StudyError("squeue failed: nobody there")

    def cancel_all(self) -> None:
        print("all", file=sys.stderr)


def test_jobs_of_a_cluster_are_cancelled_with_their_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interruption, "ONE_REQUEST", 0.1)
    monkeypatch.setattr(interruption, "_end_everything", lambda: None)
    reading, writing = os.pipe()
    terminal = io.StringIO()
    watcher = Thread(target=interruption._watch, args=(reading, "tiny", tmp_path / "stop", terminal, Jobs("pfs-1")))
    watcher.start()
    os.write(writing, bytes([signal.SIGTERM]))
    time.sleep(0.3)
    assert "squeue failed: nobody there" in terminal.getvalue() and "all" not in capsys.readouterr().err
    os.write(writing, bytes([signal.SIGTERM]))
    os.close(writing)
    watcher.join()
    os.close(reading)
    assert capsys.readouterr().err == "all\n"

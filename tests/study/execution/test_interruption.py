"""The first signal asks a study to stop; what comes at once after it is the same request, and a later one ends it."""

import io
import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest

from pfs.study.execution import interruption


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
    watcher = Thread(target=interruption._watch, args=(reading, "tiny", tmp_path / "stop", terminal))
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

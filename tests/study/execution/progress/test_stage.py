"""What one run tells of its progress."""

from pathlib import Path

import pytest

from pfs.study.execution.progress.stage import FollowedBar, RunProgress, StageBar, read_progress


def test_a_resumed_stage_tells_what_was_done_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 103.0, 105.0, 106.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    bar = StageBar(tmp_path, "training", 10, done=4)
    assert bar.is_due
    bar.show(7, loss=0.5)
    assert read_progress(tmp_path) == RunProgress("training", 7, 10, resumed_at=4, seconds=5.0, loss=0.5)
    assert not bar.is_due


def test_the_bar_shows_the_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bar = StageBar(tmp_path, "training", 10)
    bar.show(10, loss=0.5)
    said = capsys.readouterr().err
    assert "training: 100%" in said
    assert "10/10" in said
    assert "loss 0.500" in said


def test_a_bar_follows_what_another_process_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    followed = FollowedBar(tmp_path, "training", 10)
    followed.follow()  # nothing has been told yet
    StageBar(tmp_path, "outputs", 5).show(5)  # nor of this stage
    followed.follow()
    assert followed.bar.n == 0
    StageBar(tmp_path, "training", 10).show(10)
    followed.follow()
    assert followed.bar.n == 10
    assert "training: 100%" in capsys.readouterr().err


def test_a_run_that_has_told_nothing_has_no_progress(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None

"""A tiny study that is asked to stop while it trains, once and twice."""

import signal
import subprocess
import time
from pathlib import Path

import psutil

from pfs.config.files import repository
from tests.whole_study import STUDY, Clone, wait_for


def test_a_study_that_is_asked_to_stop_says_so_and_saves_its_state(tmp_path: Path, data: Path) -> None:
    teacher = {**STUDY["teacher"], "steps": 100_000, "save_every": 100_000}
    clone = Clone(
        tmp_path, data, teacher=teacher, seeds=[0], methods={"pfs": {"pfs": {"weight": 1.0}}}, reference="pfs"
    )
    with subprocess.Popen(clone.command(), cwd=repository(), stderr=subprocess.PIPE, text=True) as study:
        wait_for((clone.results / "tiny" / "teacher" / "progress").is_file)
        children = psutil.Process(study.pid).children(recursive=True)
        study.send_signal(signal.SIGINT)
        _, said = study.communicate(timeout=120)
    assert study.returncode == 1
    assert "tiny: stopping: runs save their state" in said
    assert "tiny: stopped as asked, finished runs: 0 of 2" in said
    assert "failed" not in said
    assert list(clone.results.glob("tiny/teacher/state/*-*"))
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_second_signal_ends_everything(tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data, teacher={**STUDY["teacher"], "steps": 100_000}, seeds=[0])
    with subprocess.Popen(clone.command(), cwd=repository(), stderr=subprocess.PIPE, text=True) as study:
        wait_for((clone.results / "tiny" / "teacher" / "progress").is_file)
        children = psutil.Process(study.pid).children(recursive=True)
        study.send_signal(signal.SIGTERM)
        time.sleep(0.7)  # what comes sooner is the same request
        study.send_signal(signal.SIGINT)
        _, said = study.communicate(timeout=30)
    assert "tiny: stopping: runs save their state" in said
    assert "tiny: ended at once; run the study again to go on" in said
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive

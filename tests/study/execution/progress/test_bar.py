"""What is shown of a study while it runs, from the files of its runs."""

import io
import json
import os
import re
import time
from pathlib import Path

import pytest

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.cost import RunCost
from pfs.study.execution.progress import bar
from pfs.study.execution.progress.bar import look_at, progress_bar
from pfs.study.execution.progress.estimate import Measured, Pace
from pfs.study.execution.progress.plan import Plan
from pfs.study.execution.progress.stage import BEGAN, StageBar
from pfs.study.places import run_folder, runs_of

TEACHER = RunCost(training=60e12, evaluation=4e12, outputs=16e12, memory=0, disk=0)
STUDENT = RunCost(training=9e12, evaluation=1e12, outputs=0.0, memory=0, disk=0)


@pytest.fixture
def study() -> Study:
    digits = load_study(repository() / "studies" / "digits.yaml")
    methods = {name: digits.methods[name] for name in ("ce", "pfs")}
    return digits.model_copy(update={"methods": methods, "seeds": [0]})


@pytest.fixture
def plan(study: Study) -> Plan:
    costs = {run: TEACHER if run[0] == "teacher" else STUDENT for run in runs_of(study)}
    return Plan(costs, frozenset(costs), Measured(Pace(1e12, 1.0), Pace(1e12, 1.0), start=0.0), at_once=2)


def place(study: Study, folder: Path, method: str) -> Path:
    own = run_folder(study, folder, method, 0)
    own.mkdir(parents=True, exist_ok=True)
    return own


def finish(study: Study, folder: Path, method: str, miou: float) -> None:
    own = place(study, folder, method)
    (own / BEGAN).touch()
    (own / "record.json").write_text(json.dumps({"metrics": {"val": {"miou": miou}}}))
    (own / ".done").touch()


def test_a_step_counts_by_its_arithmetic(study: Study, plan: Plan, tmp_path: Path) -> None:
    StageBar(place(study, tmp_path, "teacher"), "training", 100).show(50, loss=1.25)
    seen = look_at(study, tmp_path, plan, elapsed=65)
    assert seen.share == pytest.approx(30 / 100)
    assert re.fullmatch(
        r"digits: about \d\d:\d\d left; teacher: training 50/100, loss 1\.250; 0/3 runs, 30/100 TFLOP, 01:05 gone",
        seen.text,
    )


def test_the_time_left_and_the_loss_stand_within_80_columns(study: Study, plan: Plan, tmp_path: Path) -> None:
    StageBar(place(study, tmp_path, "pfs"), "training", 1000).show(500, loss=1.25)
    line = f"{' 50% |':<16}| {look_at(study, tmp_path, plan, elapsed=65).text}"[:80]
    assert " left; pfs 0: training 500/1000, loss 1.250" in line


def test_when_it_has_ended_nothing_is_foretold(study: Study, plan: Plan, tmp_path: Path) -> None:
    for method in ("teacher", "ce", "pfs"):
        finish(study, tmp_path, method, 50)
    last = look_at(study, tmp_path, plan, elapsed=65, ended=True).text
    assert last == "digits: last: pfs 0, 50.0 % val mIoU; 3/3 runs, 100/100 TFLOP, 01:05 gone"


def test_while_the_pages_are_made_their_time_is_counted_down(study: Study, plan: Plan, tmp_path: Path) -> None:
    timed = Plan(plan.costs, plan.stale, Measured(Pace(1e12, 1.0), Pace(1e12, 1.0), start=10.0), plan.at_once)
    for method in ("teacher", "ce", "pfs"):
        finish(study, tmp_path, method, 50)
    assert "about 01:0" in look_at(study, tmp_path, timed, elapsed=65).text  # 6.5 times 10 s
    for method in ("teacher", "ce", "pfs"):
        done = place(study, tmp_path, method) / ".done"
        os.utime(done, (time.time() - 60, time.time() - 60))
    assert "about 00:0" in look_at(study, tmp_path, timed, elapsed=65).text


def test_the_last_score_and_the_run_at_work_are_told(study: Study, plan: Plan, tmp_path: Path) -> None:
    finish(study, tmp_path, "teacher", 71.26)
    StageBar(place(study, tmp_path, "pfs"), "training", 100).show(10, loss=2.0)
    seen = look_at(study, tmp_path, plan, elapsed=65)
    assert seen.share == pytest.approx((80 + 0.9) / 100)
    assert "; pfs 0: training 10/100, loss 2.000; last: teacher, 71.3 % val mIoU; 1/3 runs" in seen.text


def test_a_run_of_an_earlier_session_is_done_and_no_news(study: Study, plan: Plan, tmp_path: Path) -> None:
    finish(study, tmp_path, "teacher", 71.26)
    later = Plan(plan.costs, plan.stale - {("teacher", 0)}, plan.measured, plan.at_once)
    seen = look_at(study, tmp_path, later, elapsed=0)
    assert seen.share == pytest.approx(0.8)
    assert "71.3" not in seen.text
    assert "about 00:10 left; 1/3 runs" in seen.text  # two students at once, 10 s each


def test_a_study_of_which_nothing_is_to_do_is_at_its_pages(study: Study, tmp_path: Path) -> None:
    for method in ("teacher", "ce", "pfs"):
        finish(study, tmp_path, method, 50)
    seen = look_at(study, tmp_path, Plan(), elapsed=0)
    assert (seen.share, seen.text) == (1.0, "digits: tables, figures, report; 3/3 runs, 00:00 gone")


def test_a_progress_file_of_another_form_tells_nothing(study: Study, plan: Plan, tmp_path: Path) -> None:
    (place(study, tmp_path, "teacher") / "progress").write_text("42")
    assert look_at(study, tmp_path, plan, elapsed=0).share == 0


def test_a_log_has_lines_and_no_moving_bar(
    study: Study, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar, "SECONDS_BETWEEN_LINES", 1000)
    log = io.StringIO()
    with progress_bar(study, tmp_path, plan, log):
        finish(study, tmp_path, "teacher", 50)
    first, last = log.getvalue().splitlines()
    assert first.startswith("  0% digits: about ") and "0/100 TFLOP" in first
    assert last.startswith(" 80% digits: last: teacher") and "80/100 TFLOP" in last
    assert "\r" not in log.getvalue()


def test_a_terminal_has_one_bar(study: Study, plan: Plan, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with progress_bar(study, tmp_path, plan, terminal):
        finish(study, tmp_path, "teacher", 50)
    assert terminal.getvalue().count("\n") == 1
    assert " 80% |" in terminal.getvalue().rsplit("\r", 1)[-1]


def test_a_terminal_without_columns_has_lines(
    study: Study, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 1

    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    terminal = Terminal()
    with progress_bar(study, tmp_path, plan, terminal):
        pass
    assert terminal.getvalue().count("\n") == 2 and "\r" not in terminal.getvalue()

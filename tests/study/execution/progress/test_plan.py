"""What is told of a study before it begins."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.study.execution.progress.estimate import Measured
from pfs.study.execution.progress.plan import Plan, plan_session
from pfs.study.places import runs_of
from pfs.study.trial.data_check import check_data
from tests.whole_study import STUDY


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the process that times a few steps is asked; it answers at once."""
    questions: list[Any] = []
    pace = {"flop": 1e9, "seconds": 1.0}

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        questions.append(json.loads(command[-1]))
        return subprocess.CompletedProcess(command, 0, json.dumps({"teacher": pace, "student": pace, "start": 4.0}))

    monkeypatch.setattr("subprocess.run", run)
    return questions


def test_cost_and_time_are_told_before_anything_trains(
    file: Path, tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    study = load_study(file)
    images = check_data(study, tmp_path)
    plan = plan_session(study, str(file), tmp_path, set(runs_of(study)), images, cores="2", threads=1)
    assert asked[0]["threads"] == {"teacher": 2, "student": 1}
    assert plan.at_once == 2
    said = capsys.readouterr().err
    assert "tiny: 5 runs to do: " in said
    assert " TFLOP, about " in said
    assert "tiny: about " in said.splitlines()[-1]


def test_a_teacher_that_is_there_is_neither_timed_nor_told(
    file: Path, tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = SimpleNamespace(files={"outputs": "outputs-1"})
    monkeypatch.setattr("pfs.study.execution.progress.plan.read_record", lambda _: record)
    study = load_study(file)
    plan_session(study, str(file), tmp_path, {("ce", 0)}, check_data(study, tmp_path), cores="2", threads=None)
    assert asked[0]["threads"]["teacher"] == 0
    assert "tiny: 1 run to do: " in capsys.readouterr().err


def test_a_pace_that_cannot_be_measured_leaves_no_estimate(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr("subprocess.run", fail)
    study = load_study(file)
    images = check_data(study, tmp_path)
    plan = plan_session(study, str(file), tmp_path, set(runs_of(study)), images, cores="2", threads=1)
    assert plan.measured == Measured()
    assert " in all" not in capsys.readouterr().err


def test_for_a_cluster_nothing_is_timed_on_this_machine(
    file: Path, tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    study = load_study(str(file))
    runs, images = set(runs_of(study)), check_data(study, tmp_path)
    plan = plan_session(study, str(file), tmp_path, runs, images, cores="2", threads=1, timed=False)
    assert not asked
    assert plan.measured == Measured() and plan.at_once == len(runs) - 1
    assert "runs to do: " in capsys.readouterr().err


def test_a_finished_study_is_told_nothing(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_study(file)
    assert plan_session(study, str(file), tmp_path, set(), None, cores="all", threads=None) == Plan()
    assert capsys.readouterr().err == ""


@pytest.mark.trains
def test_a_few_steps_are_timed_in_a_process_of_their_own(file: Path) -> None:
    asked = {"study": str(file), "threads": {"teacher": 0, "student": 1}, "classes": 11, "size": [16, 16]}
    command = [sys.executable, "-m", "pfs.bench.pace", json.dumps(asked)]
    told = json.loads(subprocess.run(command, cwd=repository(), capture_output=True, text=True, check=True).stdout)
    assert told["teacher"] == {"flop": 0.0, "seconds": 0.0}
    assert told["student"]["flop"] > 0 < told["student"]["seconds"]
    assert told["start"] > 0


def test_planning_imports_no_torch_where_nothing_is_to_do() -> None:
    code = "import sys, pfs.study.execution.execute; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository(), check=False).returncode == 0

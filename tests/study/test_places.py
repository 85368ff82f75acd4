"""Where a study's runs, results and notebooks lie."""

from pathlib import Path
from typing import Any

import pytest

from pfs.config.files import repository
from pfs.config.study import Study
from pfs.study.places import TEACHER, notebook_of, run_folder, runs_of, study_folder, study_path

SCHEDULE: dict[str, Any] = {"network": {"name": "dilated_resnet", "width": 2}, "steps": 1, "learning_rate": 0.1}


def study(**changes: Any) -> Study:
    """Two methods, two seeds that do not ascend, and a teacher of a seed of its own."""
    content = {
        "name": "small",
        "data": {"name": "digit_scenes"},
        "teacher": {**SCHEDULE, "seed": 7},
        "student": SCHEDULE,
        "methods": {"pfs": {"pfs": {"weight": 1.0}}, "ce": {}},
        "reference": "ce",
        "seeds": [3, 1],
    }
    return Study.model_validate(content | changes)


@pytest.mark.parametrize("name", ["digits", "studies/digits.yaml"])
def test_a_study_is_given_by_its_name_or_by_its_file(name: str) -> None:
    assert study_path(name) == "studies/digits.yaml"


def test_results_lie_in_the_clone_unless_they_are_given_absolutely(tmp_path: Path) -> None:
    assert study_folder(study(), "results") == repository() / "results" / "small"
    assert study_folder(study(), str(tmp_path)) == tmp_path / "small"


def test_the_teacher_is_the_first_run_and_students_follow_in_the_studys_order() -> None:
    assert runs_of(study()) == [(TEACHER, 7), ("pfs", 3), ("pfs", 1), ("ce", 3), ("ce", 1)]


def test_no_two_runs_share_a_folder(tmp_path: Path) -> None:
    folders = {run_folder(study(), tmp_path / "small", *run) for run in runs_of(study())}
    assert len(folders) == 5
    assert {folder.parent for folder in folders} == {tmp_path / "small" / part for part in (".", "runs/pfs", "runs/ce")}


def test_a_study_that_extends_another_takes_its_teacher(tmp_path: Path) -> None:
    extended = study(extends="large")
    assert run_folder(extended, tmp_path / "small", TEACHER, 7) == tmp_path / "large" / TEACHER
    assert run_folder(extended, tmp_path / "small", "ce", 3) == tmp_path / "small" / "runs" / "ce" / "3"


def test_the_notebook_of_a_run_is_there() -> None:
    notebooks = {notebook_of(method) for method, _ in runs_of(study())}
    assert {notebook.stem for notebook in notebooks} == {"train_teacher", "distil_student"}
    assert all(notebook.is_file() for notebook in notebooks)

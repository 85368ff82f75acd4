"""What a tuning study may share with the study that reports: no seed, and not its teacher's place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pfs.config.base import StudyError
from pfs.config.load import load_study
from tests.config.test_study import STUDY

TUNING: dict[str, Any] = {"extends": "small", "tuning": True, "seeds": [100, 101]}


def written(folder: Path, name: str, content: dict[str, Any]) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**content, "name": name}))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study, which is tuned by the one that extends it."""
    written(tmp_path, "small", {**STUDY, "tuned_by": "search"})
    written(tmp_path, "search", TUNING)
    return tmp_path


def refused(file: Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_tuning_study_scores_its_students_on_val_alone(folder: Path) -> None:
    search, study = load_study(folder / "search.yaml"), load_study(folder / "small.yaml")
    method = next(iter(search.methods))
    assert search.scored_splits(method) == ("val",)
    assert search.scored_splits("teacher") == ("val", "test")  # that of the study that reports
    assert study.scored_splits(method) == study.scored_splits("teacher") == ("val", "test")
    assert search.tuned_by is None  # not taken over


def test_a_tuning_study_that_extends_none_scores_its_teacher_on_val_alone_too(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, "search", {**STUDY, "tuning": True}))
    assert study.scored_splits("teacher") == ("val",)


def test_a_seed_on_which_settings_were_chosen_is_not_reported(folder: Path) -> None:
    shared = STUDY["seeds"][0]
    written(folder, "search", {**TUNING, "seeds": [shared, 100]})
    for name, whose in (("small", "tuning study search"), ("search", "study small")):
        message = refused(folder / f"{name}.yaml")
        assert f"seeds: {shared} of the {whose} too" in message
    written(folder, "search", {key: value for key, value in TUNING.items() if key != "seeds"})  # takes those of small
    assert "of the study small too" in refused(folder / "search.yaml")


def test_what_tunes_must_be_a_tuning_study_and_is_not_extended(folder: Path) -> None:
    written(folder, "plain", {**STUDY, "tuned_by": "plain"})
    assert "tuned_by: plain is no tuning study: write tuning: true in it" in refused(folder / "plain.yaml")
    written(folder, "late", {**STUDY, "tuned_by": "nowhere"})
    assert "nowhere.yaml: no such study" in refused(folder / "late.yaml")
    both = written(folder, "both", {**STUDY, "tuning": True, "tuned_by": "search"})
    assert "leave one of them out" in refused(both)
    written(folder, "search", {**STUDY, "tuning": True, "seeds": [100]})
    longer = written(folder, "longer", {"extends": "search", "tuning": False})
    assert "extends: search is a tuning study" in refused(longer)


def test_a_method_may_have_a_learning_rate_of_its_own(tmp_path: Path) -> None:
    study = load_study(
        written(
            tmp_path, "small", {**STUDY, "methods": {"ce": {}, "ce_low": {"learning_rate": 1e-4}}, "reference": "ce"}
        )
    )
    assert study.training("ce") is study.student
    assert study.training("ce_low") == study.student.model_copy(update={"learning_rate": 1e-4})
    assert study.training("teacher") is study.teacher

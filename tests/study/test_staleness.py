"""What a run depends on, and why it must be made again: trained, or only scored."""

from pathlib import Path

import pytest

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.config.study import Study
from pfs.study.code.hashes import Code
from pfs.study.places import STATE_FOLDER, run_folder
from pfs.study.records import Record, write_record
from pfs.study.staleness import Stale, changed_files, run_settings, why_stale
from tests.study.test_records import STUDY, make_record

CODE = Code(training={"pfs/a.py": "1", "pfs/b.py": "2"}, scoring={"pfs/c.py": "3"})


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "small.yaml").write_text(STUDY)
    return load_study(tmp_path / "small.yaml")


@pytest.fixture
def record(study: Study) -> Record:
    """Of a student without a teacher, made with `CODE` on data `d`."""
    record = make_record("ce", 1)
    origin = record.provenance.model_copy(update={"code": CODE})
    return record.model_copy(update={"settings": run_settings(study, "ce", 1), "provenance": origin, "files": {}})


def why(study: Study, folder: Path, record: Record, code: Code = CODE, data: str | None = "d") -> Stale | None:
    own = run_folder(study, folder, "ce", 1)
    write_record(record, own)
    (own / STATE_FOLDER / "key-00000002").mkdir(parents=True, exist_ok=True)
    return why_stale(study, folder, "ce", 1, code, data)


def test_a_run_that_was_never_made_is_not_finished(study: Study, tmp_path: Path) -> None:
    stale = why_stale(study, tmp_path, "ce", 1, CODE, None)
    assert stale is not None
    assert (stale.trains, stale.finished) == (True, False)


def test_a_run_of_todays_settings_code_and_data_is_done(study: Study, tmp_path: Path, record: Record) -> None:
    assert why(study, tmp_path, record) is None


@pytest.mark.parametrize(
    ("code", "reason", "trains"),
    [
        (CODE.model_copy(update={"training": {"pfs/a.py": "1", "pfs/b.py": "9"}}), "training code (pfs/b.py)", True),
        (CODE.model_copy(update={"scoring": {"pfs/c.py": "9"}}), "scoring code (pfs/c.py)", False),
        (
            Code(training={"pfs/a.py": "1"}, scoring={"pfs/c.py": "9"}),
            "training code (pfs/b.py) and scoring code (pfs/c.py)",
            True,
        ),
    ],
)
def test_code_that_differs_is_named_by_its_files(
    study: Study, tmp_path: Path, record: Record, code: Code, reason: str, trains: bool
) -> None:
    stale = why(study, tmp_path, record, code)
    assert stale is not None
    assert f"made with other {reason}" in stale.reason
    assert stale.trains is trains


def test_another_way_to_evaluate_scores_again(study: Study, tmp_path: Path, record: Record) -> None:
    other = Study.model_validate(
        {**study.model_dump(exclude_unset=True), "evaluation": {"scales": [1.0], "flip": True}}
    )
    stale = why(other, tmp_path, record)
    assert stale is not None
    assert "settings (evaluation)" in stale.reason
    assert not stale.trains


def test_what_is_kept_on_the_way_is_a_setting_only_where_it_is_asked_for(study: Study) -> None:
    """Runs of before, whose studies did not ask, are those of today's."""
    asked = {"snapshots": [0, 1], "val_every": 1}
    assert not run_settings(study, "ce", 1)["student"].keys() & asked.keys()
    keeping = study.model_copy(update={"student": study.student.model_copy(update=asked)})
    assert run_settings(keeping, "ce", 1)["student"].items() >= asked.items()


def test_a_rate_that_the_method_s_own_replaces_matters_to_none_of_its_runs(
    study: Study, tmp_path: Path, record: Record
) -> None:
    """Records of before named it; the method's own rate matters to its runs, and the student's to all others."""
    own = study.model_copy(update={"methods": {"ce": Method(learning_rate=0.1)}})
    other = own.model_copy(update={"student": own.student.model_copy(update={"learning_rate": 0.2})})
    named = {**run_settings(own, "ce", 1), "student": run_settings(study, "ce", 1)["student"]}
    assert why(other, tmp_path, record.model_copy(update={"settings": run_settings(own, "ce", 1)})) is None
    assert why(other, tmp_path, record.model_copy(update={"settings": named})) is None
    assert "(method.learning_rate, " in str(why(study, tmp_path, record.model_copy(update={"settings": named})))
    alike = other.model_copy(update={"methods": study.methods})
    assert "settings (student.learning_rate)" in str(why(alike, tmp_path, record))


@pytest.mark.parametrize(("now", "done"), [("e", False), (None, True)], ids=["other data", "data that are not there"])
def test_data_are_compared_where_they_are(
    study: Study, tmp_path: Path, record: Record, now: str | None, done: bool
) -> None:
    assert (why(study, tmp_path, record, data=now) is None) is done


def test_files_that_came_or_went_differ_too() -> None:
    assert changed_files({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == "a, c"

"""What has changed since committed results were made: code, parameters, data, and which runs there are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.site.pages import report_page, summary
from pfs.report.tables import changes as module
from pfs.report.tables.changes import NOT_RECORDED, PROVENANCE, changes, read_provenance
from pfs.report.tables.collect import collect
from pfs.study.places import runs_of, study_folder
from pfs.study.records import RecordError
from tests.commands.test_status import STUDY, finish
from tests.study.test_records import write_run


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study whose runs are of today's code, collected; the records are gone, as in a clone."""
    (tmp_path / "small.yaml").write_text(STUDY)
    study = load_study(tmp_path / "small.yaml")
    folder = study_folder(study, str(tmp_path))
    for run in runs_of(study):
        write_run(study, folder, *run)
        finish(study, tmp_path, *run)
    collect(study, folder, set(runs_of(study)))
    for file in folder.rglob("record.json"):
        file.unlink()
    return study


def edit(tmp_path: Path, change: Callable[[str], str]) -> Study:
    """The study after a change of its file."""
    (tmp_path / "small.yaml").write_text(change(STUDY))
    return load_study(tmp_path / "small.yaml")


def found(study: Study, tmp_path: Path) -> list[str]:
    return changes(study, str(tmp_path), str(tmp_path / "no data"))


def test_nothing_has_changed_since_a_minute_ago(study: Study, tmp_path: Path) -> None:
    assert found(study, tmp_path) == []


def test_parameters_are_named_by_their_keys_with_the_methods_that_they_matter_to(study: Study, tmp_path: Path) -> None:
    other = edit(tmp_path, lambda text: text.replace("steps: 500", "steps: 600").replace("4.0}}", "8.0}}"))
    assert found(other, tmp_path) == [
        "parameters (student.steps) of ce",
        "parameters (method.kd.weight, student.steps) of kd",
    ]


def test_what_changes_no_number_is_no_change(study: Study, tmp_path: Path) -> None:
    labelled = edit(tmp_path, lambda text: text.replace("ce: {}", "ce: {label: Alone}").replace("# A small", "# Our"))
    assert found(labelled, tmp_path) == []


def test_runs_that_were_added_or_taken_out_are_named(study: Study, tmp_path: Path) -> None:
    other = edit(tmp_path, lambda text: text.replace("[0, 1, 2]", "[1, 2, 3, 4]"))
    assert found(other, tmp_path) == [
        "runs that are not in the table: ce/3, ce/4, kd/3 and 1 more",
        "runs that the study no longer has: ce/0, kd/0",
    ]


def test_code_is_named_by_its_files_where_they_are_recorded(study: Study, tmp_path: Path) -> None:
    """Of the methods' and the teacher's code, each its own; without the file beside the table, only that it differs."""
    path = study_folder(study, str(tmp_path)) / PROVENANCE
    content = json.loads(path.read_text())
    for digest, code in content["code"].items():
        code["scoring"]["pfs/scored.py"] = "old"
        (tmp_path / "small" / "runs.csv").write_text(
            (tmp_path / "small" / "runs.csv").read_text().replace(digest, digest[::-1])
        )
    path.write_text(json.dumps({**content, "code": {digest[::-1]: code for digest, code in content["code"].items()}}))
    assert found(study, tmp_path) == ["7 of 7 runs: other scoring code (pfs/scored.py)"]
    path.unlink()
    assert found(study, tmp_path) == [f"7 of 7 runs: {NOT_RECORDED}", "the parameters of then are not recorded"]


def test_other_data_are_told_where_they_are_there(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "current_checksum", lambda spec, root: "e" * 64)
    assert found(study, tmp_path) == ["data (their checksum is now eeeeeeeeeeee)"]


def test_a_damaged_file_is_told(study: Study, tmp_path: Path) -> None:
    path = study_folder(study, str(tmp_path)) / PROVENANCE
    whole = path.read_text()
    for content in (whole[:-20], "", "[]", '{"code": 3}'):
        path.write_text(content)
        with pytest.raises(RecordError, match=rf"^{path}: is damaged \(.+\): restore it: git checkout -- {path}$"):
            read_provenance(path.parent)


def test_the_report_says_at_its_top_what_has_changed(study: Study, tmp_path: Path) -> None:
    assert "Not of today" not in report_page(summary(study, results=str(tmp_path)), [])
    other = edit(tmp_path, lambda text: text.replace("steps: 500", "steps: 600"))
    page = report_page(summary(other, results=str(tmp_path)), [])
    head = page[page.index("<h1>") : page.index('class="verdict"')]
    assert "Not of today:" in head and "parameters (student.steps) of ce, kd." in head

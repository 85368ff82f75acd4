"""Records are written whole, read strictly, and collected in the study's order."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pfs.config.files import atomic_write
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.places import TEACHER, run_folder, runs_of
from pfs.study.records import (
    Record,
    RecordError,
    commit,
    package_versions,
    read_record,
    run_table,
    write_record,
)

STUDY = """
name: small
data: {name: digit_scenes}
teacher: {network: {name: dilated_resnet, width: 4}, steps: 2, learning_rate: 1.0e-3, seed: 7}
student: {network: {name: dilated_resnet, width: 2}, steps: 2, learning_rate: 1.0e-3}
methods: {pfs: {pfs: {weight: 4.0}}, ce: {}}
reference: ce
seeds: [3, 1]
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "small.yaml").write_text(STUDY)
    return load_study(tmp_path / "small.yaml")


def make_record(method: str = "ce", seed: int = 1, miou: float = 44.7) -> Record:
    metrics = {"miou": miou, "pixel_accuracy": 90.0, "iou": {"background": miou, "one": None}}
    content: dict[str, Any] = {
        "study": "small",
        "method": method,
        "seed": seed,
        "settings": {"steps": 2},
        "metrics": {"val": metrics, "test": metrics},
        "history": [{"step": 1, "total": 2.5}],
        "cost": {"parameters": 10, "macs": 20},
        "timing": {"training_seconds": 1.0, "total_seconds": 2.0, "peak_memory_mib": 3.0},
        "provenance": {
            "commit": "abc",
            "dirty": False,
            "packages": {"numpy": "2.0"},
            "python": "3.11.7",
            "machine": "Linux x86_64",
            "instruction_set": "AVX2",
            "threads": 1,
            "precision": "no",
            "device": "cpu",
            "data_checksum": "d",
            "teacher_checksum": None,
            "code_hash": "c",
            "data_seed": 0,
            "teacher_seed": 7,
            "seed": seed,
        },
        "files": {"examples": "examples.npz"},
    }
    return Record.model_validate(content)


def write_run(study: Study, folder: Path, method: str, seed: int) -> None:
    place = run_folder(study, folder, method, seed)
    write_record(make_record(method, seed), place)
    arrays = {"prediction": np.full((2, 4, 4), seed, np.uint8), "similarity": np.zeros((2, 2, 2), np.float16)}
    if method == TEACHER:
        arrays |= {"image": np.zeros((2, 4, 4, 3), np.uint8), "label": np.zeros((2, 4, 4), np.uint8)}
        arrays["probe"] = np.zeros((2, 2), np.int16)
    np.savez(place / "examples.npz", **arrays)  # type: ignore[arg-type]


def test_a_record_is_read_as_it_was_written_and_equal_records_have_equal_bytes(tmp_path: Path) -> None:
    path, again = (write_record(make_record(), tmp_path / name / "folder") for name in ("new", "again"))
    assert read_record(path) == make_record()
    assert path.read_bytes() == again.read_bytes()


def test_classes_keep_their_order_which_is_the_palettes(tmp_path: Path) -> None:
    metrics = {"miou": 1.0, "pixel_accuracy": 1.0, "iou": {"zebra": 1.0, "ant": 2.0}}
    record = Record.model_validate({**make_record().model_dump(), "metrics": {"val": metrics, "test": metrics}})
    table = run_table([read_record(write_record(record, tmp_path))])
    assert [column for column in table if str(column).startswith("iou_")] == ["iou_zebra", "iou_ant"]


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    atomic_write(target, "first")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic_write(target, "second")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "first"


def test_a_broken_record_names_the_file_and_the_fault(tmp_path: Path) -> None:
    path = write_record(make_record(), tmp_path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(RecordError, match=r"record\.json: broken record.*EOF"):
        read_record(path)


# What a record must say: whose it is, and its scores.
NEEDED = ("study", "method", "seed", "metrics")
BLOCKS = ("cost", "timing", "provenance")


@pytest.mark.parametrize("block", [None, *BLOCKS])
def test_a_record_with_a_field_more_or_less_is_read(tmp_path: Path, block: str | None) -> None:
    whole = json.loads(make_record().model_dump_json())
    inner = whole if block is None else whole[block]
    for key in [key for key in inner if block or key not in NEEDED]:
        value = inner.pop(key)
        atomic_write(tmp_path / "record.json", json.dumps(whole))
        assert read_record(tmp_path / "record.json").metrics["test"].miou == 44.7
        inner[key] = value
    inner["field_of_tomorrow"] = {"value": 3}
    atomic_write(tmp_path / "record.json", json.dumps(whole))
    kept = json.loads(read_record(tmp_path / "record.json").model_dump_json())
    assert (kept if block is None else kept[block])["field_of_tomorrow"] == {"value": 3}


def test_what_an_old_record_does_not_say_is_told_as_not_recorded(tmp_path: Path) -> None:
    whole = json.loads(make_record().model_dump_json())
    del whole["provenance"]["instruction_set"], whole["provenance"]["threads"]
    atomic_write(tmp_path / "record.json", json.dumps(whole))
    record = read_record(tmp_path / "record.json")
    assert record.provenance.instruction_set == "not recorded"
    assert record.provenance.threads is None
    assert record.provenance.devices == 1
    assert run_table([record])["instruction_set"].tolist() == ["not recorded"] * 2


@pytest.mark.parametrize("key", NEEDED)
def test_a_record_without_what_it_must_say_names_the_key(tmp_path: Path, key: str) -> None:
    whole = json.loads(make_record().model_dump_json())
    del whole[key]
    atomic_write(tmp_path / "record.json", json.dumps(whole))
    with pytest.raises(RecordError, match=f"broken record: {key} "):
        read_record(tmp_path / "record.json")


def test_a_missing_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="has not finished"):
        read_record(tmp_path / "record.json")


def test_a_number_that_is_not_finite_is_no_result() -> None:
    with pytest.raises(ValidationError, match="finite"):
        make_record(miou=float("nan"))


def test_cells_are_the_teacher_and_then_the_methods_in_the_studys_order(study: Study) -> None:
    assert runs_of(study) == [("teacher", 7), ("pfs", 3), ("pfs", 1), ("ce", 3), ("ce", 1)]


def test_the_table_has_a_row_for_each_run_and_split() -> None:
    table = run_table([make_record("teacher", 7), make_record("ce", 1)])
    assert list(table["method"]) == ["teacher", "teacher", "ce", "ce"]
    assert list(table["split"]) == ["val", "test"] * 2
    first = ["study", "method", "seed", "split", "miou", "pixel_accuracy", "parameters", "macs", "seconds"]
    assert list(table.columns[: len(first)]) == first


def test_provenance_tells_the_packages() -> None:
    assert {"numpy", "pydantic"} <= package_versions().keys()


def test_outside_of_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Snakefile").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit({"pfs/loss.py"}) == ("unknown", True)


@pytest.mark.parametrize(
    ("file", "dirty"),
    [("pfs/loss.py", True), ("pfs/new.py", True), ("pfs/figures.py", False), ("mine.yaml", False), (None, False)],
    ids=["hashed", "hashed and untracked", "not hashed", "an untracked study", "nothing"],
)
def test_dirty_says_whether_hashed_files_differ_from_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, dirty: bool
) -> None:
    (tmp_path / "pfs").mkdir()
    for name in ("Snakefile", "pfs/loss.py", "pfs/figures.py"):
        (tmp_path / name).write_text("committed")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.chdir(tmp_path)
    if file is not None:
        (tmp_path / file).write_text("changed")
    assert commit({"pfs/loss.py", "pfs/new.py"})[1] is dirty

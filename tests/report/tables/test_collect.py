"""What `pfs collect` leaves: whole files in the study's order, the same bytes for the same records."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfs.config.data import CamVidConfig
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.tables.collect import collect
from pfs.report.tables.collected import read_runs
from pfs.report.tables.counts import read_counts
from pfs.study.places import run_folder, runs_of
from pfs.study.records import COLLECTED, Record, RecordError, write_record
from tests.study.test_records import STUDY, make_record, write_run


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "small.yaml").write_text(STUDY)
    return load_study(tmp_path / "small.yaml")


def test_learning_curves_are_collected_where_runs_have_them(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "small"
    for run in runs_of(study):
        write_run(study, folder, *run)
    collect(study, folder, set(runs_of(study)))
    assert not (folder / "curves.csv").exists()
    curve = [{"step": 1.0, "miou": 30.25}, {"step": 2.0, "miou": 44.7}]
    place = run_folder(study, folder, "ce", 3)
    write_record(make_record("ce", 3).model_copy(update={"val_curve": curve}), place)
    collect(study, folder, set(runs_of(study)))
    assert (folder / "curves.csv").read_text() == "method,seed,step,val_miou\nce,3,1,30.2500\nce,3,2,44.7000\n"


def test_a_tuning_study_collects_scores_on_val_alone(study: Study, tmp_path: Path) -> None:
    """The teacher may be that of the study which reports, and have a score on test."""
    folder = tmp_path / "results" / "small"
    for run in runs_of(study):
        write_run(study, folder, *run)
    collect(study.model_copy(update={"tuning": True}), folder, set(runs_of(study)))
    assert set(pd.read_csv(folder / "runs.csv")["split"]) == {"val"}
    assert not (folder / "examples.npz").exists()


def test_collecting_keeps_the_studys_order_and_names_what_is_missing(study: Study, tmp_path: Path) -> None:
    for method, seed in [("ce", 1), ("pfs", 3), ("teacher", 7)]:
        write_run(study, tmp_path, method, seed)
    write_run(study, tmp_path, "pfs", 1)  # its record is of other settings: not among the finished ones
    assert collect(study, tmp_path, [("ce", 1), ("pfs", 3), ("teacher", 7)]) == ["pfs/1", "ce/3"]
    text = (tmp_path / "runs.csv").read_text()
    table = pd.read_csv(tmp_path / "runs.csv")
    assert list(table["method"])[::2] == ["teacher", "pfs", "ce"]
    assert ",44.7000," in text
    assert text.endswith("\n")
    assert table["iou_one"].isna().all()


def test_examples_hold_the_scenes_and_each_method_at_the_first_seed(study: Study, tmp_path: Path) -> None:
    for method, seed in runs_of(study):
        write_run(study, tmp_path, method, seed)
    collect(study, tmp_path, runs_of(study))
    with np.load(tmp_path / "examples.npz") as examples:
        said = {f"{name}/{who}" for name in ("prediction", "similarity") for who in ("teacher", "pfs", "ce")}
        assert set(examples) == {"image", "label", "probe"} | said
        assert (examples["prediction/ce"] == 3).all()


def test_collecting_twice_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    write_run(study, tmp_path, "teacher", 7)
    collect(study, tmp_path, [("teacher", 7)])
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.*")}
    collect(study, tmp_path, [("teacher", 7)])
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.*")} == before


def test_collecting_nothing_says_what_to_do(study: Study, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="run the study first"):
        collect(study, tmp_path, [])


@pytest.mark.parametrize(("key", "what"), [("data_checksum", "data sets"), ("teacher_checksum", "teachers")])
def test_runs_of_two_data_sets_or_teachers_make_no_table(study: Study, tmp_path: Path, key: str, what: str) -> None:
    for (method, seed), value in {("teacher", 7): "first", ("pfs", 3): "first", ("pfs", 1): "other"}.items():
        write_run(study, tmp_path, method, seed)
        record = make_record(method, seed)
        provenance = record.provenance.model_copy(update={key: value})
        write_record(record.model_copy(update={"provenance": provenance}), run_folder(study, tmp_path, method, seed))
    finished = [("teacher", 7), ("pfs", 3), ("pfs", 1)]
    with pytest.raises(RecordError, match=rf"2 {what} .*\(first: teacher/7, pfs/3; other: pfs/1\)"):
        collect(study, tmp_path, finished)
    assert not (tmp_path / "runs.csv").exists()
    collect(study, tmp_path, finished[:2])


def write_counted_run(study: Study, folder: Path, method: str, seed: int) -> None:
    """A run with the confusion matrices of two test images, whose mIoU its record has: (4 / 5 + 2 / 3) / 2."""
    write_run(study, folder, method, seed)
    metrics = {"miou": 100 * 11 / 15, "pixel_accuracy": 600 / 7, "iou": {"background": 80.0, "one": 200 / 3}}
    record = make_record(method, seed).model_dump() | {"metrics": {"val": metrics, "test": metrics}}
    origin = {**record["provenance"], "teacher_checksum": None if method == "ce" else "first"}
    place = run_folder(study, folder, method, seed)
    write_record(Record.model_validate({**record, "provenance": origin}), place)
    matrices = np.array([[[2, 0], [1, 1]], [[2, 0], [0, 1]]], np.int32)
    np.savez(place / "confusion.npz", val=matrices, test=matrices)


def test_the_counts_of_each_test_image_are_kept_with_its_photograph(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    for run in runs_of(study):
        write_counted_run(study, folder, *run)
    collect(study, folder, runs_of(study))
    counts = read_counts(folder, read_runs(folder))
    assert counts is not None
    assert list(counts.runs) == runs_of(study)
    assert counts.labelled.tolist() == [[2, 2], [2, 1]]
    assert counts.groups.kind == "photograph" and len(counts.groups.names) == 2
    before = (folder / "test_counts.npz").read_bytes()
    collect(study, folder, runs_of(study))
    assert (folder / "test_counts.npz").read_bytes() == before
    assert set(json.loads((folder / COLLECTED).read_text())) == {
        *("runs.csv", "provenance.json", "examples.npz", "test_counts.npz")
    }


@pytest.mark.parametrize("same", [True, False])
def test_sequences_that_an_earlier_table_knows_outlive_the_data(study: Study, tmp_path: Path, same: bool) -> None:
    """Where CamVid is not in place, its list of test images cannot tell the sequences; other images have none."""
    study = study.model_copy(update={"data": CamVidConfig(name="camvid")})
    folder, data = tmp_path / "small", tmp_path / "data"
    for run in runs_of(study):
        write_counted_run(study, folder, *run)
    (data / "camvid").mkdir(parents=True)
    (data / "camvid" / "test.txt").write_text("0001TP_1.png a\nSeq05VD_1.png b\n")
    collect(study, folder, runs_of(study), data)
    if not same:
        for file in folder.rglob("confusion.npz"):
            matrices = np.array([[[3, 0], [1, 1]], [[2, 0], [0, 1]]], np.int32)
            np.savez(file, val=matrices, test=matrices)
    collect(study, folder, runs_of(study), tmp_path / "elsewhere")
    with np.load(folder / "test_counts.npz") as counts:
        assert counts["group"].tolist() == (["0001TP", "Seq05VD"] if same else ["0", "1"])
        assert str(counts["group_kind"]) == ("sequence" if same else "image")


def test_runs_without_counts_of_test_are_left_out_of_the_counts(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    for run in runs_of(study):
        write_counted_run(study, folder, *run)
    np.savez(run_folder(study, folder, "pfs", 3) / "confusion.npz", val=np.zeros((1, 2, 2), np.int32))
    collect(study, folder, runs_of(study))
    counts = read_counts(folder, read_runs(folder))
    assert counts is not None and set(runs_of(study)) - set(counts.runs) == {("pfs", 3)}
    for file in folder.rglob("confusion.npz"):
        file.unlink()
    collect(study, folder, runs_of(study))
    assert not (folder / "test_counts.npz").exists()


def test_the_table_names_the_teacher_that_a_run_learnt_from(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    for run in runs_of(study):
        write_counted_run(study, folder, *run)
    collect(study, folder, runs_of(study))
    checksums = read_runs(folder).groupby("method", sort=False)["teacher_checksum"].first()
    assert checksums.fillna("").to_dict() == {"teacher": "first", "pfs": "first", "ce": ""}

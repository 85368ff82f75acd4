"""The whole way of the data on a tiny study: from a YAML file to a page of figures, killed, spoilt and extended."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from pfs.config.files import repository
from pfs.study.execution.run import DRAWN
from pfs.study.records import read_record
from tests.whole_study import STUDY, Clone, wait_for


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Clone:
    """The study after one uninterrupted run."""
    clone = Clone(tmp_path_factory.mktemp("finished"), data)
    result = clone.run()
    assert result.returncode == 0, result.stderr
    return clone


@pytest.mark.trains
def test_every_cell_leaves_a_complete_record(finished: Clone) -> None:
    runs = ["teacher", *(f"runs/{method}/{seed}" for method in STUDY["methods"] for seed in STUDY["seeds"])]
    for run in runs:
        record = read_record(finished.record(run))
        assert record.provenance.threads in (1, 2)
        assert len(record.provenance.data_checksum) == 64
        assert record.history[-1]["step"] == (6 if run == "teacher" else 60)
        for file in record.files.values():
            assert (finished.record(run).parent / file).exists()


def test_students_name_the_teacher_they_learnt_from(finished: Clone) -> None:
    teacher = read_record(finished.record("teacher")).provenance.teacher_checksum
    assert teacher is not None
    assert read_record(finished.record("runs/pfs_wsp/0")).provenance.teacher_checksum == teacher
    assert read_record(finished.record("runs/ce/0")).provenance.teacher_checksum is None


def test_the_scores_are_those_of_the_kept_confusion_counts(finished: Clone) -> None:
    record = read_record(finished.record("runs/ce/1"))
    counts = np.load(finished.record("runs/ce/1").parent / "confusion.npz")
    for split, scenes in (("val", 6), ("test", 8)):
        assert counts[split].shape == (scenes, 11, 11)
        matrix = counts[split].sum(0).astype(float)
        union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
        iou = matrix.diagonal()[union > 0] / union[union > 0]
        assert record.metrics[split].miou == pytest.approx(100 * iou.mean())  # type: ignore[index]


def test_tables_figures_and_page_are_there(finished: Clone) -> None:
    folder = finished.results / "tiny"
    runs = finished.runs()
    assert len(runs) == 2 * (1 + 2 * 2)  # two splits of a teacher and two methods with two seeds
    table = pd.read_csv(folder / "tables" / "main.csv").set_index("method")
    test = runs[runs.split == "test"].groupby("method").miou.mean()
    for method in ("teacher", "ce", "pfs_wsp"):
        assert table.loc[method, "miou_mean"] == pytest.approx(test[method], abs=1e-3)
    figures = {file.stem for file in (folder / "figures").iterdir()}
    assert {"methods", "qualitative", "similarity"} <= figures
    for name in figures:
        assert (folder / "figures" / f"{name}.png").stat().st_size > 1000
        assert (folder / "figures" / f"{name}.pdf").stat().st_size > 1000
    assert "<html" in (folder / "report.html").read_text()


def test_a_finished_study_runs_nothing_again(finished: Clone) -> None:
    before = {file: file.stat().st_mtime_ns for file in finished.results.rglob("record.json")}
    result = finished.run()
    assert result.returncode == 0, result.stderr
    assert {file: file.stat().st_mtime_ns for file in finished.results.rglob("record.json")} == before


def clone_tables(finished: Clone, clone: Clone) -> dict[Path, int]:
    """Put tables without their records into a clone, as a fresh one has; returns them and when they were written."""
    ours, theirs = (which.results / "tiny" for which in (clone, finished))
    shutil.copy2(theirs / "runs.csv", ours)
    shutil.copytree(theirs / "tables", ours / "tables")
    return {file: file.stat().st_mtime_ns for file in (ours / "runs.csv", ours / "tables" / "main.md")}


def test_a_killed_study_goes_on_and_ends_with_the_same_tables(finished: Clone, tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data)
    with subprocess.Popen(
        clone.command(), cwd=repository(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as study:
        # A student that needs the teacher has saved a state, and has not finished.
        wait_for(lambda: any(clone.results.glob("tiny/runs/pfs_wsp/*/state/*-*")))
        children = psutil.Process(study.pid).children(recursive=True)
        study.send_signal(signal.SIGKILL)
    assert len(children) >= 2  # a run, and its kernel
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, "a process of the killed study still trains"
    done = {file: file.stat().st_mtime_ns for file in clone.results.rglob("record.json")}
    assert len(done) < 5
    (clone.record("teacher").parent / ".done").unlink()  # as if killed between its record and the mark
    old = clone_tables(finished, clone)
    result = clone.run()
    assert result.returncode == 0, result.stderr
    for file, written in done.items():
        assert file.stat().st_mtime_ns == written, f"{file} was made again"
    for file, written in old.items():
        assert file.stat().st_mtime_ns > written, f"{file} was taken for the table of runs that there were not"
    pd.testing.assert_frame_equal(clone.runs(), finished.runs())
    ours, theirs = (c.results / "tiny" / "tables" / "main.md" for c in (clone, finished))
    assert ours.read_text() == theirs.read_text()


def test_a_study_that_extends_another_learns_from_its_teacher(finished: Clone) -> None:
    before = finished.record("teacher").stat().st_mtime_ns
    extension = finished.file.with_name("kd.yaml")
    extension.write_text(
        yaml.safe_dump(
            {
                "extends": "tiny",
                "name": "kd",
                "methods": {"kd": {"kd": {"weight": 1.0}}},
                "reference": "kd",
                "seeds": [0],
            }
        )
    )
    places = ["--results", str(finished.results)]
    for command in (
        ["run", str(extension), "kd", "0", *places, "--data", str(finished.data)],
        ["collect", str(extension), *places],
    ):
        subprocess.run([sys.executable, "-m", "pfs", *command], cwd=repository(), check=True, timeout=500)
    assert finished.record("teacher").stat().st_mtime_ns == before
    assert not (finished.results / "kd" / "teacher").exists()
    teacher = read_record(finished.record("teacher")).provenance.teacher_checksum
    student = read_record(finished.results / "kd" / "runs" / "kd" / "0" / "record.json")
    assert student.provenance.teacher_checksum == teacher
    assert set(pd.read_csv(finished.results / "kd" / "runs.csv").method) == {"teacher", "kd"}


def spoil(folder: Path) -> dict[str, Path]:
    """Delete, truncate or edit one file of each kind; returns what must be told of."""
    names = ["runs.csv", "tables/main.md", "figures/methods.png", "report.html", "runs/ce/0/confusion.npz"]
    files = {name: folder / name for name in names}
    files["runs.csv"].write_text(files["runs.csv"].read_text().replace("ce,0,test,", "ce,0,test,9"))
    files["tables/main.md"].unlink()
    for name in names[2:]:
        files[name].write_bytes(b"")
    outputs = next(folder.glob("teacher/outputs-*/logits.raw"))
    content = bytearray(outputs.read_bytes())
    content[1000] ^= 1
    outputs.write_bytes(content)
    return {**files, "logits.raw": outputs}


def test_what_was_deleted_truncated_or_edited_is_told_and_made_again(
    finished: Clone, tmp_path: Path, data: Path
) -> None:
    clone = Clone(tmp_path, data)
    shutil.copytree(finished.results, clone.results)
    spoilt = spoil(clone.results / "tiny")
    student = clone.record("runs/pfs_wsp/0").stat().st_mtime_ns
    result = clone.run()
    assert result.returncode == 0, result.stderr
    for file in spoilt.values():
        assert str(file) in result.stderr
        assert file.stat().st_size > 100
    pd.testing.assert_frame_equal(clone.runs(), finished.runs())
    assert clone.record("runs/pfs_wsp/0").stat().st_mtime_ns == student


def test_tables_are_never_missing_while_they_are_made_again(finished: Clone) -> None:
    folder = finished.results / "tiny"
    tables = [folder / "tables" / f"main.{kind}" for kind in ("csv", "md", "tex")]
    written = [table.stat().st_mtime_ns for table in tables]
    (folder / DRAWN).unlink()
    with subprocess.Popen(finished.command(), cwd=repository(), stderr=subprocess.DEVNULL) as study:
        while study.poll() is None:
            assert all(table.stat().st_size for table in tables)
            time.sleep(0.005)
    assert study.returncode == 0
    assert [table.stat().st_mtime_ns for table in tables] != written

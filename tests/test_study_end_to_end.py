"""The whole way of the data on a tiny study: from a YAML file to a page of figures, killed and failing."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from pfs.config.files import repository
from pfs.study.records import read_record

STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digit_scenes", "train": 24, "val": 6, "test": 8, "seed": 0},
    "teacher": {
        "network": {"name": "dilated_resnet", "width": 16},
        "steps": 6,
        "batch_size": 4,
        "learning_rate": 2.0e-3,
    },
    "student": {
        "network": {"name": "dilated_resnet", "width": 4},
        "steps": 60,
        "batch_size": 4,
        "learning_rate": 6.0e-3,
        "save_every": 10,
    },
    "methods": {"ce": {}, "pfs_wsp": {"pfs": {"weight": 16.0}, "wsp": {"weight": 1.0}}},
    "reference": "ce",
    "seeds": [0, 1],
}
# What two identical runs may differ in.
TIMING = ["seconds", "training_seconds", "peak_memory_mib"]


class Clone:
    """A study of its own in a folder of its own, with the data made once for all tests."""

    def __init__(self, folder: Path, data: Path, **changes: Any) -> None:
        self.file = folder / "tiny.yaml"
        self.results = folder / "results"
        self.data = data
        self.write(**changes)

    def write(self, **changes: Any) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump({**STUDY, **changes}, sort_keys=False))

    def command(self) -> list[str]:
        places = ["--results", str(self.results), "--data", str(self.data)]
        return [sys.executable, "-m", "pfs", "study", str(self.file), *places, "--cores", "2"]

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(), cwd=repository(), capture_output=True, text=True, timeout=500)

    def record(self, cell: str) -> Path:
        return self.results / "tiny" / cell / "record.json"

    def runs(self) -> pd.DataFrame:
        return pd.read_csv(self.results / "tiny" / "runs.csv").drop(columns=TIMING)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Clone:
    """The study after one uninterrupted run."""
    clone = Clone(tmp_path_factory.mktemp("finished"), data)
    result = clone.run()
    assert result.returncode == 0, result.stderr
    return clone


@pytest.mark.trains
def test_every_cell_leaves_a_complete_record(finished: Clone) -> None:
    cells = ["teacher", *(f"runs/{method}/{seed}" for method in STUDY["methods"] for seed in STUDY["seeds"])]
    for cell in cells:
        record = read_record(finished.record(cell))
        assert record.provenance.threads >= 1
        assert len(record.provenance.data_checksum) == 64
        assert record.history[-1]["step"] == (6 if cell == "teacher" else 60)
        for file in record.files.values():
            assert (finished.record(cell).parent / file).exists()


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


def test_tables_without_their_records_are_no_finished_study(finished: Clone, tmp_path: Path, data: Path) -> None:
    """As in a fresh clone, whose tables are older than anything that is run there."""
    clone = Clone(tmp_path, data)
    shutil.copytree(finished.results, clone.results)
    shutil.rmtree(clone.record("runs/ce/1").parent)
    (clone.record("teacher").parent / ".done").unlink()  # as if killed between its record and the mark
    teacher = clone.record("teacher").stat().st_mtime_ns
    result = clone.run()
    assert result.returncode == 0, result.stderr
    assert clone.record("teacher").stat().st_mtime_ns == teacher, "it was evaluated again"
    assert clone.record("runs/ce/1").is_file()
    pd.testing.assert_frame_equal(clone.runs(), finished.runs())


def test_a_killed_study_goes_on_and_ends_with_the_same_tables(finished: Clone, tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data)
    with subprocess.Popen(
        clone.command(), cwd=repository(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as study:
        # A student that needs the teacher has saved a state, and has not finished.
        wait_for(lambda: any(clone.results.glob("tiny/runs/pfs_wsp/*/state/*-*")))
        study.send_signal(signal.SIGKILL)
    done = {file: file.stat().st_mtime_ns for file in clone.results.rglob("record.json")}
    assert len(done) < 5
    result = clone.run()
    assert result.returncode == 0, result.stderr
    for file, written in done.items():
        assert file.stat().st_mtime_ns == written, f"{file} was made again"
    pd.testing.assert_frame_equal(clone.runs(), finished.runs())
    ours, theirs = (c.results / "tiny" / "tables" / "main.md" for c in (clone, finished))
    assert ours.read_text() == theirs.read_text()


def test_a_failing_cell_stops_no_other_and_is_named(tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data, methods={"ce": {}, "boom": {"pfs": {"weight": 1e39}}}, seeds=[0])
    result = clone.run()
    assert result.returncode != 0
    assert clone.record("teacher").is_file()
    assert clone.record("runs/ce/0").is_file()
    assert not clone.record("runs/boom/0").exists()
    executed = clone.record("runs/boom/0").parent / "executed.ipynb"
    assert "not finite" in json.dumps(json.loads(executed.read_text()))
    assert "boom" in result.stderr
    assert "not finite" in result.stderr
    assert str(executed) in result.stderr

    # Mended, the study finishes, and what was done stays.
    before = clone.record("teacher").stat().st_mtime_ns
    clone.write(methods={"ce": {}, "boom": {"pfs": {"weight": 1.0}}}, seeds=[0])
    result = clone.run()
    assert result.returncode == 0, result.stderr
    assert clone.record("teacher").stat().st_mtime_ns == before


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
    command = [str(extension) if argument == str(finished.file) else argument for argument in finished.command()]
    result = subprocess.run(command, cwd=repository(), capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stderr
    assert finished.record("teacher").stat().st_mtime_ns == before
    assert not (finished.results / "kd" / "teacher").exists()
    teacher = read_record(finished.record("teacher")).provenance.teacher_checksum
    student = read_record(finished.results / "kd" / "runs" / "kd" / "0" / "record.json")
    assert student.provenance.teacher_checksum == teacher
    assert set(pd.read_csv(finished.results / "kd" / "runs.csv").method) == {"teacher", "kd"}


@pytest.mark.trains
def test_students_of_augmented_views_ask_a_teacher_whose_answers_are_too_large(tmp_path: Path, data: Path) -> None:
    views = {"count": 3, "crop": [48, 48], "scale": [0.75, 1.5], "color": 0.2}
    student = {**STUDY["student"], "steps": 20}
    method = {"methods": {"pfs": {"pfs": {"weight": 4.0}}}, "reference": "pfs"}
    runs = []
    for name, changes in (("cached", {}), ("asked", {"cache_gib": 0.0})):
        clone = Clone(tmp_path / name, data, **method, views=views, student=student, seeds=[0], **changes)
        result = clone.run()
        assert result.returncode == 0, result.stderr
        assert ("outputs" in read_record(clone.record("teacher")).files) == (name == "cached")
        runs.append(clone.runs())
    executed = (clone.record("teacher").parent / "executed.ipynb").read_text()
    assert "the study's cache_gib allows 0: students ask the teacher at every step" in executed
    pd.testing.assert_frame_equal(runs[0], runs[1])


def test_a_mistake_in_the_study_is_told_before_anything_runs(tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data, methods={"ce": {}, "pfs": {"pfs": {"wieght": 1.0}}})
    result = clone.run()
    assert result.returncode != 0
    assert "unknown key methods.pfs.pfs.wieght; did you mean weight?" in result.stderr
    assert not clone.results.exists()


def test_an_unknown_encoder_is_told_before_anything_runs(tmp_path: Path, data: Path) -> None:
    network = {"name": "segmentation_model", "architecture": "fpn", "encoder": "resnet81"}
    clone = Clone(tmp_path, data, student={**STUDY["student"], "network": network})
    result = clone.run()
    assert result.returncode != 0
    assert "student.network: unknown encoder 'resnet81'; did you mean resnet18?" in result.stderr
    assert not clone.results.exists()


def wait_for(condition: Any, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_study_that_is_asked_to_stop_says_so_and_saves_its_state(
    tmp_path: Path, data: Path, number: signal.Signals
) -> None:
    teacher = {**STUDY["teacher"], "steps": 100_000, "save_every": 100_000}
    clone = Clone(
        tmp_path, data, teacher=teacher, seeds=[0], methods={"pfs": {"pfs": {"weight": 1.0}}}, reference="pfs"
    )
    with subprocess.Popen(clone.command(), cwd=repository(), stderr=subprocess.PIPE, text=True) as study:
        wait_for((clone.results / "tiny" / "teacher" / "progress").is_file)
        children = psutil.Process(study.pid).children(recursive=True)
        study.send_signal(number)
        _, said = study.communicate(timeout=60)
    assert study.returncode == 1
    assert "tiny: stopping: runs save their state" in said
    assert "tiny: stopped as asked, 0 of 2 cells are done" in said
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
        study.send_signal(signal.SIGINT)
        _, said = study.communicate(timeout=10)
    assert "tiny: ended at once; run the study again to go on" in said
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_killing_the_study_leaves_no_process_that_trains(tmp_path: Path, data: Path) -> None:
    clone = Clone(tmp_path, data, teacher={**STUDY["teacher"], "steps": 100_000}, seeds=[0])
    with subprocess.Popen(
        clone.command(), cwd=repository(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as study:
        progress = clone.results / "tiny" / "teacher" / "progress"
        wait_for(progress.is_file)
        children = psutil.Process(study.pid).children(recursive=True)
        study.send_signal(signal.SIGKILL)
    assert len(children) >= 2  # the cell, and its kernel
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive

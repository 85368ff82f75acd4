"""A tiny study of which something fails, or cannot begin."""

import json
from pathlib import Path

import pandas as pd

from pfs.study.records import read_record, run_table
from tests.whole_study import STUDY, TIMING, Clone


def test_a_failing_cell_stops_no_other_and_is_named(tmp_path: Path, data: Path) -> None:
    changes = {"seeds": [0], "tuning": True}  # a study without pages: its runs are what is looked at
    clone = Clone(tmp_path, data, methods={"ce": {}, "boom": {"pfs": {"weight": 1e39}}}, **changes)
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

    # Mended, the run goes through.
    clone.write(methods={"ce": {}, "boom": {"pfs": {"weight": 1.0}}}, **changes)
    clone.make("boom")
    assert read_record(clone.record("runs/boom/0")).history[-1]["step"] == 60


def test_students_of_augmented_views_ask_a_teacher_whose_answers_are_too_large(tmp_path: Path, data: Path) -> None:
    views = {"count": 3, "crop": [48, 48], "scale": [0.75, 1.5], "color": 0.2}
    student = {**STUDY["student"], "steps": 20}
    method = {"methods": {"pfs": {"pfs": {"weight": 4.0}}}, "reference": "pfs", "tuning": True}  # no pages
    runs = []
    for name, changes in (("cached", {}), ("asked", {"cache_gib": 0.0})):
        clone = Clone(tmp_path / name, data, **method, augmentation=views, student=student, seeds=[0], **changes)
        clone.make("teacher")
        clone.make("pfs")
        records = [read_record(clone.record(run)) for run in ("teacher", "runs/pfs/0")]
        assert ("outputs" in records[0].files) == (name == "cached")
        runs.append(run_table(records).drop(columns=TIMING))
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

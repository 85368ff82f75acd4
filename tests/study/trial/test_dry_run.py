"""A dry run is the study at its true size but for steps, data and students, and leaves nothing like results."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
import yaml

from pfs import __main__
from pfs.__main__ import main
from pfs.commands import study as commands
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.augmentation import AugmentedSplit, AugmentedViews, augmented_split
from pfs.data.build import PLACED, build
from pfs.data.splits import ImageSplit
from pfs.study.execution.execute import failures
from pfs.study.execution.run import DONE
from pfs.study.places import run_folder, runs_of
from pfs.study.trial import dry_run, preflight
from pfs.study.trial.dry_run import write_trial

NETWORK = {"name": "dilated_resnet", "width": 2}
SCHEDULE = {
    "network": NETWORK,
    "steps": 40_000,
    "batch_size": 4,
    "optimizer": {"name": "sgd"},
    "schedule": {"name": "poly"},
    "learning_rate": 0.01,
}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "folder", "folder": "mine", "holdout": 100},
    "augmentation": {"count": 60, "crop": [33, 40], "scale": [0.5, 2.0]},
    "evaluation": {"window": [256, 256], "flip": True},
    "cache_gib": 0.0,
    "teacher": SCHEDULE,
    "student": SCHEDULE,
    "methods": {
        "ce": {},
        "pfs": {"pfs": {"weight": 4.0}},
        "pfs_wsp": {"pfs": {"weight": 64.0}, "wsp": {"weight": 1.0}},
        "kd": {"kd": {"weight": 1.0}},
    },
    "reference": "ce",
    "seeds": [0, 1, 2],
}


def tiny(**changes: object) -> Study:
    return Study.model_validate(STUDY | changes)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where dry runs put their folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(__main__, "prepare_temporary_folder", lambda: None)  # which replaces a long one
    return folder


def write(folder: Path, **changes: object) -> Path:
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return file


@pytest.mark.trains
def test_a_dry_run_goes_the_whole_way_and_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    before = sorted((repository() / "results").rglob("*"))
    command = [sys.executable, "-m", "pfs", "dry-run", str(write(tmp_path)), "--cores", "2"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    result = subprocess.run(command, cwd=repository(), env=environment, capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert said[0] == "tiny: crop 33 x 40, batch 4, as in the study; 2 steps, images of noise"
    assert said[1] == "tiny: one student with all terms: pfs, wsp, kd"
    assert said[2] == "tiny: images of noise have three classes and sizes of VOC's; yours may take more memory, or less"
    for line, name in zip(said[3:5], ("teacher", "student"), strict=True):
        assert line.startswith(f"tiny: {name}: ") and "for 2 steps" in line and "GiB of main memory" in line
    assert "went through, to tables, figures and report; deleted" in said[5]
    assert not list(temporary.glob("pfs-*"))
    assert sorted((repository() / "results").rglob("*")) == before


@pytest.mark.parametrize("cores", ["two", "0", "-1"])
def test_cores_are_a_number_or_all(cores: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dry-run", str(write(tmp_path)), f"--cores={cores}"])
    assert f"{cores!r} is neither a number of cores nor 'all'" in capsys.readouterr().err


def test_a_dry_run_that_fails_says_where_and_keeps_what_there_is(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(study: Study, path: str, *, results: str, **_: Any) -> bool:
        file = Path(results) / study.name / "teacher" / "error.txt"
        file.parent.mkdir(parents=True)
        file.write_text("train_teacher.ipynb: the kernel died")
        return False

    monkeypatch.chdir(repository())
    monkeypatch.setattr(commands, "bring_up_to_date", failing)
    assert main(["dry-run", str(write(tmp_path))]) == 1
    (kept,) = temporary.iterdir()
    said = capfd.readouterr().err
    assert "failed: teacher, seed 0: train_teacher.ipynb: the kernel died" in said
    assert f"tiny: the dry run failed; all of it is still in {kept}" in said


def test_a_page_that_fails_after_all_cells_is_told_with_its_reason(tmp_path: Path) -> None:
    study = load_study(write(tmp_path))
    for method, seed in runs_of(study):
        mark = run_folder(study, tmp_path / "tiny", method, seed) / DONE
        mark.parent.mkdir(parents=True)
        mark.touch()
    (tmp_path / "tiny" / "snakemake.log").write_text("rule figures:\nfigures.ipynb: ValueError: no scenes\nExiting.\n")
    reason, summary = failures(study, tmp_path / "tiny")
    assert reason == "failed: figures.ipynb: ValueError: no scenes"
    assert "all runs are done, a page of theirs failed; log: " in summary and "snakemake.log" in summary


def test_a_mistake_in_the_study_is_told_before_anything_is_written(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository())
    assert main(["dry-run", str(write(tmp_path, seeds=[]))]) == 1
    assert "seeds" in capfd.readouterr().err
    assert not any(temporary.iterdir())


def test_networks_crop_batch_schedules_and_scoring_are_the_studys_own(tmp_path: Path) -> None:
    study = tiny()
    file, _ = write_trial(study, tmp_path)
    trial = load_study(file)
    assert trial.name == "tiny_dry_run"
    for block in ("evaluation", "cache_gib"):
        assert getattr(trial, block) == getattr(study, block)
    assert trial.augmentation is not None and study.augmentation is not None
    assert trial.augmentation == study.augmentation.model_copy(update={"count": 2})
    for own, tried in ((study.teacher, trial.teacher), (study.student, trial.student)):
        assert tried == own.model_copy(update={"steps": 2})
    (method,) = trial.methods.values()
    assert method.pfs == study.methods["pfs"].pfs  # of several the first
    assert set(method.terms) == {"kd", "pfs", "wsp"}


@pytest.mark.parametrize(
    ("count", "cache_gib", "way"), [(60, 0.0, AugmentedSplit), (60, 100.0, ImageSplit), (1, 0.0, ImageSplit)]
)
def test_views_are_drawn_at_each_step_where_the_study_draws_them_so(
    count: int, cache_gib: float, way: type, tmp_path: Path
) -> None:
    """60 views of VOC's 10,582 images at 33 x 40 pixels are more than 2 GiB, and one view is not.

    Where the teacher's outputs for all views may be kept, few are enough.
    """
    views = {"count": count, "crop": [33, 40]}
    study = tiny(data={"name": "voc2012", "holdout": 500}, augmentation=views, cache_gib=cache_gib)
    trial = load_study(write_trial(study, tmp_path)[0])
    assert trial.augmentation is not None
    assert isinstance(
        augmented_split(AugmentedViews(build(trial.data, tmp_path / "data")["train"], trial.augmentation)), way
    )


DATA = [
    {"name": "voc2012", "holdout": 500},
    {"name": "ade20k", "holdout": 1000},
    {"name": "pascal_context", "classes": 60, "holdout": 500},
    {"name": "camvid"},
    {"name": "folder", "folder": "mine", "holdout": 100},
    {"name": "folder", "folder": "mine"},
    {"name": "digit_scenes"},
]


@pytest.mark.parametrize("data", DATA, ids=str)
def test_the_data_are_a_miniature_that_the_study_finds(data: dict[str, Any], tmp_path: Path) -> None:
    file, _ = write_trial(tiny(data=data), tmp_path)
    trial = load_study(file)
    splits = build(trial.data, tmp_path / "data")
    assert list(splits) == ["train", "val", "test"]
    assert len(splits["train"]) >= trial.teacher.batch_size
    assert (len(splits["val"]), len(splits["test"])) == (1, 1)
    if data["name"] in PLACED and data["name"] != "camvid":
        assert len({splits["train"][index][0].size for index in range(4)}) > 1


def test_a_study_that_extends_another_is_tried_on_its_own(tmp_path: Path) -> None:
    file, _ = write_trial(load_study("studies/voc2012_mobilenet.yaml").model_copy(update=_small()), tmp_path)
    trial = load_study(file)
    assert (trial.extends, trial.teacher_study) == (None, "voc2012_mobilenet_dry_run")


@pytest.mark.parametrize("name", ["digits_main", "digits_tuning", "camvid_pretrained"])
def test_what_only_a_whole_study_can_have_is_left_out_of_its_trial(name: str, tmp_path: Path) -> None:
    """Steps that a trial does not reach, the tuning study, and a sequence that the miniature does not have."""
    small = _small()
    student = small["student"].model_copy(update={"steps": 100, "snapshots": [0, 100], "val_every": 50})
    study = load_study(f"studies/{name}.yaml").model_copy(update={**small, "student": student})
    trial = load_study(write_trial(study, tmp_path)[0])
    assert (trial.tuning, trial.tuned_by, trial.student.snapshot_steps) == (False, None, [])
    (method,) = trial.methods.values()
    assert (method.label, method.learning_rate) == (None, None)
    assert list(build(trial.data, tmp_path / "data")) == ["train", "val", "test"]


def _small() -> dict[str, Any]:
    """Networks that are built in no time."""
    study = tiny()
    return {"teacher": study.teacher, "student": study.student}


NETWORK_OF_THE_HUB = {"name": "segmentation_model", "architecture": "fpn", "encoder": "resnet18", "weights": "imagenet"}


def test_weights_that_cannot_be_had_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(spec: object, classes: int) -> None:
        raise StudyError("no network; connect to it once")

    monkeypatch.setattr(dry_run, "build_network", offline)
    schedule = SCHEDULE | {"network": NETWORK_OF_THE_HUB}
    file, said = write_trial(tiny(teacher=schedule, student=schedule), tmp_path)
    assert "teacher: from scratch, and the study itself will stop, for no network" in said
    assert "student: from scratch, and the study itself will stop, for no network" in said
    assert load_study(file).teacher.network.weights is None  # type: ignore[union-attr]


@pytest.mark.parametrize("command", ["study", "dry-run"])
def test_a_hub_out_of_reach_is_asked_once(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def unreachable(request: Request, **_: object) -> None:
        asked.append(request.full_url)
        raise OSError("no route")

    def stop(_: Study) -> None:
        assert os.environ["HF_HUB_OFFLINE"] == "1"  # before its library is imported, which reads it once
        raise StudyError("far enough")

    monkeypatch.setattr(preflight, "urlopen", unreachable)
    monkeypatch.setattr(commands, "check_networks", stop)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub")
    assert main([command, str(write(tmp_path, student=SCHEDULE | {"network": NETWORK_OF_THE_HUB}))]) == 1
    told, stopped = capsys.readouterr().err.splitlines()
    assert told == "http://hub does not answer (no route): of pre-trained weights there are those fetched before"
    assert (stopped, asked) == ("far enough", ["http://hub"])


@pytest.mark.parametrize("weights", [None, "wheel", "mine.pt"])
def test_a_study_that_needs_no_hub_does_not_ask_it(weights: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(preflight, "urlopen", None)  # would be a TypeError
    preflight.set_hub_offline_if_unreachable(
        tiny(student=SCHEDULE | {"network": NETWORK_OF_THE_HUB | {"weights": weights}})
    )


def test_a_command_imports_the_hub_s_library_only_after_it_has_asked() -> None:
    loaded = "import sys, pfs.__main__, pfs.study.trial.dry_run; sys.exit('huggingface_hub' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded], cwd=repository(), check=True, timeout=100)


FIELD = ["voc2012", "ade20k", "pascal_context", "camvid"]


@pytest.mark.parametrize("name", FIELD)
def test_the_studies_at_the_scale_of_the_field_never_show_a_view_twice(name: str) -> None:
    study = load_study(f"studies/{name}.yaml")
    counts: Callable[[str], int] = PLACED[name].counts.__getitem__
    images = counts(getattr(study.data, "train", "train")) - getattr(study.data, "holdout", 0)
    for training in (study.teacher, study.student):
        epochs = -(-training.steps // (images // training.batch_size))
        assert study.augmentation is not None and study.augmentation.count == epochs

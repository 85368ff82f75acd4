"""One run, from its name to its record."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from pfs.config import data as config
from pfs.config.base import StudyError
from pfs.config.methods import Method
from pfs.data.build import build
from pfs.data.splits import ImageSplit
from pfs.models import build_network, count_parameters
from pfs.study.records import read_record
from pfs.study.staleness import why_stale
from pfs.training.checkpoint import weights_checksum
from pfs.training.loop import Progress, train
from pfs.training.objective import Objective
from pfs.training.run import (
    Run,
    evaluate,
    finish,
    load_eval_splits,
    load_training,
    open_run,
    save_weights,
    val_curve,
    write_arrays,
)

SCHEDULE: dict[str, Any] = {"network": {"name": "dilated_resnet", "width": 2}, "batch_size": 2, "learning_rate": 0.01}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digit_scenes", "train": 4, "val": 2, "test": 3},
    "teacher": {**SCHEDULE, "steps": 3, "seed": 5},
    "student": {**SCHEDULE, "steps": 1},
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}


def opened(folder: Path, method: str = "ce", seed: int | None = 0, **changes: Any) -> Run:
    """A run of the study above, whose results go to `folder`."""
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(STUDY | changes), encoding="utf-8")
    return open_run(str(file), method, seed, str(folder / "results"), threads=1)


def network_of(run: Run) -> nn.Module:
    torch.manual_seed(0)
    return build_network(run.training.network, 11)


def test_a_run_knows_its_folder_and_its_part_of_the_study(tmp_path: Path) -> None:
    teacher, student = opened(tmp_path, "teacher", None), opened(tmp_path)
    assert (teacher.seed, teacher.training.steps) == (5, 3)
    assert (student.seed, student.training.steps) == (0, 1)
    assert teacher.folder == tmp_path / "results" / "tiny" / "teacher"
    assert student.folder == tmp_path / "results" / "tiny" / "runs" / "ce" / "0"


def test_a_method_that_the_study_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="unknown method 'cd'"):
        opened(tmp_path, "cd")


def test_the_key_of_the_weights_sees_seed_teacher_and_schedule_and_not_the_scoring(tmp_path: Path, data: Path) -> None:
    dataset = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)["train"]
    key = opened(tmp_path).key(dataset)
    assert opened(tmp_path).key(dataset) == key
    assert opened(tmp_path, evaluation={"flip": True}).key(dataset) == key
    others = [
        opened(tmp_path).key(dataset, "of a teacher"),
        opened(tmp_path, seed=1, seeds=[0, 1]).key(dataset),
        opened(tmp_path, student={**SCHEDULE, "steps": 2}).key(dataset),
    ]
    assert len({key, *others}) == 4


def test_training_images_come_as_they_are_or_as_the_views_that_the_study_names(tmp_path: Path, data: Path) -> None:
    dataset = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)["train"]
    plain = load_training(opened(tmp_path), dataset)
    assert (len(plain), plain.views, plain.size) == (4, 1, (64, 64))
    views = load_training(opened(tmp_path, augmentation={"count": 3, "crop": [32, 48]}), dataset)
    assert (len(views), views.views, views.size) == (4, 3, (32, 48))


def test_a_finished_run_has_its_weights_counts_and_record(tmp_path: Path, data: Path) -> None:
    run = opened(tmp_path)
    splits = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)
    network = network_of(run)
    assert save_weights(run, network) == weights_checksum(network)
    metrics = evaluate(run, network, splits, load_eval_splits(run, splits, (64, 64)))
    counts = np.load(run.folder / "confusion.npz")
    assert {split: counts[split].shape for split in counts} == {"val": (2, 11, 11), "test": (3, 11, 11)}
    progress = Progress(step=1, seconds=2.0, history=[{"step": 1.0, "learning_rate": 0.1, "total": 1.5}])
    finish(run, network, progress, metrics, splits["train"], size=(64, 64), teacher_checksum=None)
    record = read_record(run.folder / "record.json")
    assert record.metrics == metrics and record.history == progress.history
    assert (record.method, record.seed, record.settings) == ("ce", 0, run.settings)
    assert record.cost.parameters == count_parameters(network)
    assert record.timing.training_seconds == 2.0
    assert record.provenance.teacher_checksum is None


def test_the_learning_curve_is_of_the_weights_after_its_steps(tmp_path: Path, data: Path) -> None:
    """Two steps of five, and the last, whose score is the record's own."""
    run = opened(tmp_path, student={**SCHEDULE, "steps": 5, "val_every": 2, "snapshots": [1]})
    splits = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)
    network = network_of(run)
    progress = train(
        network,
        Objective(Method(), ignore_index=splits["train"].ignore_index),
        load_training(run, splits["train"]),
        run.training,
        seed=0,
        folder=run.folder,
        key=run.key(splits["train"]),
    )
    scenes = load_eval_splits(run, splits, (64, 64))
    metrics = evaluate(run, network, splits, scenes)
    curve = val_curve(run, network, splits["val"], scenes["val"])
    assert [point["step"] for point in curve] == [2, 4, 5]
    assert curve[-1]["miou"] == metrics["val"].miou != curve[0]["miou"]
    save_weights(run, network)
    np.savez(run.folder / "examples.npz")
    finish(run, network, progress, metrics, splits["train"], size=(64, 64), teacher_checksum=None, curve=curve)
    assert read_record(run.folder / "record.json").val_curve == curve
    (run.folder / "snapshots" / "step-000001.pt").unlink()
    why = why_stale(run.study, tmp_path / "results" / "tiny", "ce", 0, run.code, None)
    assert why is not None and why.trains and "step-000001.pt" in why.reason


def test_a_study_without_a_curve_has_none(tmp_path: Path, data: Path) -> None:
    run = opened(tmp_path)
    splits = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)
    assert val_curve(run, network_of(run), splits["val"], load_eval_splits(run, splits, (64, 64))["val"]) == []


def test_arrays_are_written_as_they_are_returned(tmp_path: Path) -> None:
    returned = write_arrays(tmp_path / "a.npz", {"one": torch.arange(3), "two": torch.eye(2).to(torch.float16)})
    written = np.load(tmp_path / "a.npz")
    assert set(written) == {"one", "two"}
    for name, array in returned.items():
        assert array.dtype == written[name].dtype
        np.testing.assert_array_equal(array, written[name])


def test_a_split_in_memory_is_scored_all_at_once_and_one_of_many_sizes_image_by_image(
    tmp_path: Path, data: Path
) -> None:
    """Both give the same counts: a window of the size of the images shows each as it is."""
    splits = build(config.DigitScenesConfig.model_validate(STUDY["data"]), data)
    counts = []
    ways: list[dict[str, Any]] = [{}, {"evaluation": {"window": [64, 64]}}]
    for changes in ways:
        run = opened(tmp_path, **changes)
        scenes = load_eval_splits(run, splits, (64, 64))
        assert isinstance(scenes["test"], ImageSplit) == (not changes)
        evaluate(run, network_of(run).eval(), splits, scenes)
        counts.append(np.load(run.folder / "confusion.npz")["test"])
    np.testing.assert_array_equal(counts[0].sum((1, 2)), counts[1].sum((1, 2)))
    assert (counts[0] != counts[1]).mean() < 0.01

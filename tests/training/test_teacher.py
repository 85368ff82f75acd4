"""The teacher's outputs: cached whole or not at all, as the teacher itself says them, and none that is not finite."""

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from torch import nn

from pfs.config.checksums import LIST, files_under, write_checksums
from pfs.config.methods import Method
from pfs.data.build import build
from pfs.data.splits import ImageSplit, normalize
from pfs.losses import Prediction
from pfs.losses.pfs import squared_norm
from pfs.models.dilated_resnet import DilatedResNet
from pfs.study.records import RecordError
from pfs.training.machine import autocast
from pfs.training.objective import Objective
from pfs.training.run import Run, open_run
from pfs.training.teacher import (
    CacheError,
    CacheTooLargeError,
    cache_outputs,
    cache_teacher,
    load_teacher,
    open_teacher_outputs,
)
from tests.data.digits import SPEC
from tests.data.noise import images, small_teacher


def scenes_of(pixels: torch.Tensor) -> ImageSplit:
    return ImageSplit(pixels, torch.zeros(len(pixels), *pixels.shape[2:], dtype=torch.uint8))


def test_cached_answers_are_the_teachers_own(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes_of(scenes), tmp_path / "outputs", batch_size=2)
    chosen = torch.tensor([3, 0, 4])
    cached = open_teacher_outputs(tmp_path / "outputs").outputs(chosen, scenes)
    with torch.no_grad(), autocast(teacher):
        expected = teacher(normalize(scenes[chosen]))
    for kept, answer in ((cached.logits, expected.logits), (cached.features, expected.features)):
        assert kept.dtype == torch.float32
        torch.testing.assert_close(kept, answer.bfloat16().float(), rtol=0.01, atol=1e-4)
    torch.testing.assert_close(cached.teacher_terms, squared_norm(cached.features), rtol=1e-5, atol=0)


def test_a_cache_of_another_version_is_told(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    file = tmp_path / "outputs" / "shapes.json"
    file.write_text(file.read_text().replace("teacher_terms", "squared_norm"))
    write_checksums(file.with_name(LIST), files_under(file.parent))  # not broken: written so by other code
    with pytest.raises(CacheError, match=r"outputs: the teacher's outputs are of another version; run train_teacher"):
        open_teacher_outputs(tmp_path / "outputs")


def test_a_new_cache_takes_the_place_of_old_ones_and_of_what_a_killed_process_left(tmp_path: Path) -> None:
    for name in ("outputs-old", "outputs-new.unfinished"):
        (tmp_path / name).mkdir()
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs-new", batch_size=5)
    assert [folder.name for folder in tmp_path.iterdir() if folder.is_dir()] == ["outputs-new"]


def test_what_a_reader_writes_stays_with_it(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    before = open_teacher_outputs(tmp_path / "outputs").logits.clone()
    open_teacher_outputs(tmp_path / "outputs").logits.zero_()
    assert torch.equal(open_teacher_outputs(tmp_path / "outputs").logits, before)


def test_a_copy_for_another_process_maps_the_same_files(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    outputs = open_teacher_outputs(tmp_path / "outputs")
    sent = pickle.dumps(outputs)
    assert len(sent) < 1000
    copies = [pickle.loads(sent), pickle.loads(pickle.dumps(replace(outputs, folder=None)))]
    for copy in copies:
        assert torch.equal(copy.features, outputs.features) and torch.equal(copy.teacher_terms, outputs.teacher_terms)


def test_a_loss_from_the_cache_is_the_loss_on_the_fly(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes_of(scenes), tmp_path / "outputs", batch_size=5)
    labels = torch.randint(0, 11, (5, 16, 16), dtype=torch.uint8)
    everything = torch.arange(5)
    inputs, cached, target = ImageSplit(scenes, labels, open_teacher_outputs(tmp_path / "outputs")).batch(
        everything, torch.device("cpu")
    )
    torch.manual_seed(1)
    with torch.no_grad():
        student, answer = DilatedResNet(4, 11)(inputs), teacher(inputs)
    method = Method.model_validate({"pfs": {"weight": 1.0}, "wsp": {"weight": 1.0}, "kd": {"weight": 1.0}})
    objective = Objective(method, ignore_index=255)
    from_cache, on_the_fly = objective(student, cached, target), objective(student, answer, target)
    for name, loss in on_the_fly.items():
        torch.testing.assert_close(from_cache[name], loss, rtol=0.02, atol=1e-5)


def test_an_answer_that_is_not_finite_is_refused_and_leaves_no_cache(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> Prediction:
            return Prediction(x, x.new_full((len(x), 2, 4, 4), torch.nan))

    with pytest.raises(CacheError, match="features for rows 0 to 1 are not finite"):
        cache_teacher(Broken(), scenes_of(images()), tmp_path / "outputs", batch_size=2)
    assert not (tmp_path / "outputs").exists()
    with pytest.raises(CacheError, match=r"run train_teacher\.ipynb first"):
        open_teacher_outputs(tmp_path / "outputs")


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(CacheTooLargeError, match=r"outputs for 5 images take \S+ GiB, \S+ GiB are free$"):
        cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_cache_above_its_limit_is_refused_with_the_sizes(tmp_path: Path) -> None:
    limit = 1e-9
    with pytest.raises(CacheTooLargeError, match=r"the study's cache_gib allows 1e-09"):
        cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5, limit_gib=limit)
    assert not any(tmp_path.iterdir())


# --- as a study takes them ----------------------------------------------------------------------------------


def run_of(folder: Path, method: str, **changes: object) -> Run:
    """A run of a study of small digits, whose results go to `folder`."""
    schedule = {"network": {"name": "dilated_resnet", "width": 4}, "steps": 1, "batch_size": 2, "learning_rate": 0.01}
    content: dict[str, object] = {"name": "tiny", "data": SPEC.model_dump(), "teacher": schedule, "student": schedule}
    content |= {"methods": {"kd": {"kd": {"weight": 1.0}}}, "reference": "kd", "seeds": [0], **changes}
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return open_run(str(file), method, 0, str(folder / "results"), threads=1)


def test_a_study_without_room_for_a_cache_asks_the_teacher_at_every_step(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = build(SPEC, data)["train"]
    for limit, said in ((0, "allows 0"), (1e-9, "the study's cache_gib allows 1e-09")):
        run = run_of(tmp_path, "teacher", cache_gib=limit)
        assert cache_outputs(run, small_teacher(), scenes_of(images()), dataset, "checksum") == {}
        assert said in (told := capsys.readouterr().out) and "students ask the teacher at every step" in told
        assert not list(run.folder.glob("outputs-*"))


def test_a_cache_is_named_by_what_it_depends_on(tmp_path: Path, data: Path) -> None:
    run, dataset = run_of(tmp_path, "teacher"), build(SPEC, data)["train"]
    (name,) = cache_outputs(run, small_teacher(), scenes_of(images()), dataset, "one").values()
    assert open_teacher_outputs(run.folder / name).channels == 16
    (other,) = cache_outputs(run, small_teacher(), scenes_of(images()), dataset, "two").values()
    assert other != name and not (run.folder / name).exists()  # the teacher of the first is no more


def test_a_student_whose_teacher_has_not_been_trained_is_told_where_it_would_lie(tmp_path: Path, data: Path) -> None:
    with pytest.raises(RecordError, match=r"tiny/teacher/record.json"):
        load_teacher(run_of(tmp_path, "kd"), build(SPEC, data)["train"])

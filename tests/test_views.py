"""The order of the scenes, and the teacher's cached answers."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from pfs.networks import DilatedResNet
from pfs.objective import Objective
from pfs.prediction import Prediction
from pfs.study import Method
from pfs.views import CacheError, Scenes, batch_order, cache_teacher, normalize, open_teacher_outputs


def images(scenes: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (scenes, 3, 16, 16), generator=generator, dtype=torch.uint8)


def small_teacher() -> nn.Module:
    torch.manual_seed(0)
    return DilatedResNet(4, 11).eval()


def test_an_epoch_shows_every_scene_once_but_for_the_last_incomplete_batch() -> None:
    order = batch_order(10, 3, 7, seed=0)
    assert order.shape == (7, 3)
    for epoch in (order[:3], order[3:6]):
        assert len(torch.unique(epoch)) == 9
    assert not torch.equal(order[:3], order[3:6])


def test_the_order_is_a_function_of_the_seed_alone() -> None:
    assert torch.equal(batch_order(10, 3, 7, seed=1), batch_order(10, 3, 7, seed=1))
    assert not torch.equal(batch_order(10, 3, 7, seed=1), batch_order(10, 3, 7, seed=2))
    # A longer schedule begins with the shorter one.
    assert torch.equal(batch_order(10, 3, 9, seed=1)[:7], batch_order(10, 3, 7, seed=1))


def test_fewer_scenes_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="a batch takes 16 scenes and the split has 10"):
        batch_order(10, 16, 1, seed=0)


def test_normalised_images_are_about_zero_mean_and_unit_variance() -> None:
    values = normalize(images(50))
    assert values.dtype == torch.float32
    assert abs(float(values.mean())) < 0.05
    assert 0.8 < float(values.std()) < 1.3


def test_cached_answers_are_the_teachers_own(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes, tmp_path / "outputs", batch_size=2)
    chosen = torch.tensor([3, 0, 4])
    cached = open_teacher_outputs(tmp_path / "outputs")[chosen]
    with torch.no_grad():
        expected = teacher(normalize(scenes[chosen]))
    for kept, answer in zip(cached, expected, strict=True):
        assert kept.dtype == torch.float32
        torch.testing.assert_close(kept, answer.bfloat16().float(), rtol=0.01, atol=1e-4)


def test_a_new_cache_takes_the_place_of_old_ones_and_of_what_a_killed_process_left(tmp_path: Path) -> None:
    for name in ("outputs-old", "outputs-new.unfinished"):
        (tmp_path / name).mkdir()
    cache_teacher(small_teacher(), images(), tmp_path / "outputs-new")
    assert [folder.name for folder in tmp_path.iterdir()] == ["outputs-new"]


def test_what_a_reader_writes_stays_with_it(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), images(), tmp_path / "outputs")
    before = open_teacher_outputs(tmp_path / "outputs").logits.clone()
    open_teacher_outputs(tmp_path / "outputs").logits.zero_()
    assert torch.equal(open_teacher_outputs(tmp_path / "outputs").logits, before)


def test_a_loss_from_the_cache_is_the_loss_on_the_fly(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes, tmp_path / "outputs")
    labels = torch.randint(0, 11, (5, 16, 16), dtype=torch.uint8)
    everything = torch.arange(5)
    inputs, cached, target = Scenes(scenes, labels, open_teacher_outputs(tmp_path / "outputs")).batch(
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

    with pytest.raises(CacheError, match="features for scenes 0 to 1 are not finite"):
        cache_teacher(Broken(), images(), tmp_path / "outputs", batch_size=2)
    assert not (tmp_path / "outputs").exists()
    with pytest.raises(CacheError, match=r"run train_teacher\.ipynb first"):
        open_teacher_outputs(tmp_path / "outputs")


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(CacheError, match=r"answers take \d+ MiB, and 0 MiB are free"):
        cache_teacher(small_teacher(), images(), tmp_path / "outputs")
    assert os.listdir(tmp_path) == []  # noqa: PTH208

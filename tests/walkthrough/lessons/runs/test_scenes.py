"""The scenes that a student learns from, the teacher's outputs for them, and the finished networks."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pfs.config.data import DigitScenesConfig
from pfs.data.build import build
from pfs.data.class_weights import class_weights
from pfs.data.loading.cache import decoded
from pfs.data.splits import ImageSplit, normalize
from pfs.models.dilated_resnet import DilatedResNet
from pfs.walkthrough.arrays import load_walkthrough
from pfs.walkthrough.arrays.read import FILE, WEIGHTS, WalkthroughError
from pfs.walkthrough.lessons.runs import scenes as scenes_module
from pfs.walkthrough.lessons.runs.scenes import CLASS_WEIGHTS, AskedOnce, Scenes, draw_scenes, finished_network

CPU = torch.device("cpu")


def test_a_batch_brings_the_teacher_s_outputs_for_its_own_images(scenes: Scenes, teacher: DilatedResNet) -> None:
    rows = torch.tensor([5, 0, 3])
    images, outputs, labels = scenes.train.batch(rows, CPU)
    assert outputs is not None
    with torch.no_grad():
        expected = teacher(normalize(scenes.train.images[rows]))
    torch.testing.assert_close(outputs.logits, expected.logits)
    torch.testing.assert_close(outputs.features, expected.features)
    assert images.shape == (3, 3, 64, 64) and labels.equal(scenes.train.labels[rows].long())


def test_the_teacher_is_asked_about_each_image_once(scenes: Scenes, teacher: DilatedResNet) -> None:
    asked: list[int] = []
    forget = teacher.register_forward_hook(lambda _, inputs, __: asked.append(len(inputs[0])))
    fresh = ImageSplit(scenes.train.images, scenes.train.labels, AskedOnce(teacher, 8))
    for rows in ([5, 0, 3], [0, 3, 1], [1, 5]):
        fresh.batch(torch.tensor(rows), CPU)
    forget.remove()
    assert asked == [3, 1]


def test_the_images_are_the_first_ones_of_the_study(scenes: Scenes, data: Path) -> None:
    """The studies write them to files; the walkthrough has the same pixels and the same class weights without."""
    splits = build(DigitScenesConfig(name="digit_scenes", train=8, val=1, test=3), data)
    for split, held in (("train", scenes.train), ("test", scenes.test)):
        images, labels = decoded(splits[split])
        assert held.images.equal(images) and held.labels.equal(labels)
    weights = class_weights(splits["train"], CLASS_WEIGHTS)
    assert weights is not None and scenes.class_weights.equal(weights)


def test_images_are_drawn_once(scenes: Scenes, teacher: DilatedResNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes_module, "draw_scene", None)
    assert draw_scenes(8, teacher, test=3).train.images is scenes.train.images


def test_class_weights_are_one_on_average(scenes: Scenes) -> None:
    labels = scenes.train.labels[scenes.train.labels != scenes.ignore_index].long()
    torch.testing.assert_close(scenes.class_weights[labels].mean(), torch.tensor(1.0))


def test_a_finished_network_has_the_weights_that_are_kept(walkthrough_folder: Path) -> None:
    network = finished_network(load_walkthrough(walkthrough_folder / FILE), "ce")
    kept = load_file(walkthrough_folder / WEIGHTS / "ce.safetensors")
    assert all(tensor.equal(kept[name]) for name, tensor in network.state_dict().items())
    assert not network.training


def test_a_network_that_is_not_kept_is_named(walkthrough_folder: Path) -> None:
    with pytest.raises(WalkthroughError, match="no weights of 'kd' are kept"):
        finished_network(load_walkthrough(walkthrough_folder / FILE), "kd")

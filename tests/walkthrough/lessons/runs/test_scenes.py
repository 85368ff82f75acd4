"""The scenes that a student learns from, the teacher's outputs for them, and the finished networks."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pfs.data.splits import normalize
from pfs.models.dilated_resnet import DilatedResNet
from pfs.walkthrough.arrays import load_walkthrough
from pfs.walkthrough.arrays.read import FILE, WEIGHTS, WalkthroughError
from pfs.walkthrough.lessons.runs.scenes import Scenes, draw_scenes, finished_network

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


def test_fewer_scenes_are_the_first_of_more(scenes: Scenes, teacher: DilatedResNet, data: Path) -> None:
    """So a short walkthrough and the study `quick` show the same scenes."""
    fewer = draw_scenes(4, teacher, data, test=1)
    assert fewer.train.images.equal(scenes.train.images[:4])
    assert fewer.test.labels.equal(scenes.test.labels[:1])


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

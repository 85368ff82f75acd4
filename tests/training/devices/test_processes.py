"""Two processes with half of each batch compute what one process computes with all of it."""

from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfs.config.base import StudyError
from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import ImageSplit
from pfs.losses import Prediction
from pfs.losses.pfs import squared_norm
from pfs.models.dilated_resnet import DilatedResNet
from pfs.study.execution.stopping import RunStoppedError
from pfs.training import loop
from pfs.training.devices.batch_norm import whole_batch_norm
from pfs.training.devices.launch import run_on_devices
from pfs.training.devices.processes import add_up_gradients, process_count, process_rank
from pfs.training.evaluation import confusion_counts
from pfs.training.machine import MAX_ISA
from pfs.training.objective import Objective
from pfs.training.teacher import TeacherOutputs

pytestmark = pytest.mark.trains

STEPS, IGNORED, CLASSES = 20, 255, 3
METHODS: dict[str, dict[str, Any]] = {
    "ce": {},
    "pfs": {"pfs": {"weight": 4.0}},
    "pfs of the batch": {"pfs": {"weight": 4.0, "scope": "batch"}},
    "pfs by kl": {"pfs": {"weight": 4.0, "distance": "kl"}},
    "wsp": {"wsp": {"weight": 1.0}},
    "wsp by loss, not normalised": {"wsp": {"weight": 1.0, "gap": "loss", "normalize": False}},
    "kd and hard pixels": {"kd": {"weight": 1.0}, "hard_pixels": {"weight": 1.0}},
    "fitnet": {"fitnet": {"weight": 1.0}},
    "maps": {name: {"weight": 1.0} for name in ("at", "sp", "cwd", "ifvd")} | {"skd": {"weight": 1.0, "grid": 2}},
}


class InDoublePrecision(DilatedResNet):
    """A network whose rounding is too small to grow, step by step, into a difference that the tests would see."""

    def forward(self, images: Tensor) -> Prediction:
        return super().forward(images.double())


def images(*, with_teacher: bool) -> ImageSplit:
    """Eight images of 8 x 16 pixels, of which nearly all of two are ignored: 94 %."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (8, 3, 8, 16), generator=generator, dtype=torch.uint8)
    labels = pixels[:, 0] // 86
    labels[:2, :, 1:] = IGNORED
    logits, features = (torch.randn(8, c, 2, 4, generator=generator).bfloat16() for c in (CLASSES, 6))
    teacher = TeacherOutputs(logits, features, squared_norm(features.float()))
    return ImageSplit(pixels, labels, teacher if with_teacher else None)


def schedule() -> Training:
    network = {"name": "dilated_resnet", "width": 4}
    how = {"steps": STEPS, "batch_size": 4, "save_every": STEPS, "learning_rate": 0.01}
    return Training.model_validate({"network": network, **how})


def train(name: str, folder: Path) -> None:
    """Train by a method in the processes that there are, and write what has been learnt to a file."""
    torch.manual_seed(0)
    method, network = Method.model_validate(METHODS[name]), InDoublePrecision(4, CLASSES).double()
    weights = torch.tensor([0.2, 1.0, 3.0])
    objective = Objective(method, ignore_index=IGNORED, channels=(16, 6), class_weights=weights).double()
    split = images(with_teacher=method.needs_teacher)
    progress = loop.train_share(network, objective, split, schedule(), 0, folder / name, "key")
    counts = confusion_counts(network, split, classes=CLASSES, ignore_index=IGNORED)
    if process_rank() == 0:
        learnt = {"weights": network.state_dict(), "terms": objective.state_dict(), "counts": counts}
        torch.save(learnt | {"history": progress.history}, folder / f"{name}.pt")


class WithDropout(InDoublePrecision):
    """A network that draws random numbers, in each process its own."""

    def forward(self, images: Tensor) -> Prediction:
        return super().forward(F.dropout(images, 0.5))


def stop_and_go_on(folder: Path) -> None:
    """Train without a stop; and again, stopped by a request that the second process alone sees, and then to the end."""
    whole = weights_of(WithDropout, folder / "whole")
    calls = count(1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunStoppedError) as stopped:
        patch.setattr(loop, "stop_requested", lambda: process_rank() == 1 and next(calls) == 6)
        weights_of(WithDropout, folder / "cut")
    (folder / f"{process_rank()}: {stopped.value}").touch()
    resumed = weights_of(WithDropout, folder / "cut")
    if torch.equal(whole, resumed):
        (folder / f"{process_rank()}: equal").touch()


def weights_of(network: type[DilatedResNet], folder: Path) -> Tensor:
    """All numbers of a network's state after a training by cross-entropy."""
    torch.manual_seed(0)
    trained, objective = network(4, CLASSES).double(), Objective(Method(), ignore_index=IGNORED)
    loop.train_share(trained, objective, images(with_teacher=False), schedule(), 0, folder, "key")
    return torch.cat([tensor.double().flatten() for tensor in trained.state_dict().values()])


def gradient_of(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def normalise(folder: Path) -> None:
    """What layers of batch normalisation make of half of a batch, with all of it to compare with."""
    rows = slice(process_rank(), None, process_count())
    for name, (layer, shape) in LAYERS.items():
        torch.manual_seed(0)
        whole, direction = (torch.randn(4, *shape) * 3 + 100).requires_grad_(), torch.randn(4, *shape)
        part, alone = whole.detach()[rows].requires_grad_(), deepcopy(layer)
        alone(whole).backward(direction)
        with whole_batch_norm():
            layer(part).backward(direction[rows])
        add_up_gradients(layer.parameters())
        pairs = {"gradient of the input": (gradient_of(whole)[rows], gradient_of(part))}
        pairs |= {key: (value, layer.state_dict()[key]) for key, value in alone.state_dict().items()}
        for (key, value), own in zip(alone.named_parameters(), layer.parameters(), strict=True):
            pairs[f"gradient of the {key}"] = (gradient_of(value), gradient_of(own))
        torch.save(pairs, folder / f"{name}-{process_rank()}.pt")


LAYERS = {
    "plain": (nn.BatchNorm2d(3), (3, 5, 7)),
    "without weights": (nn.BatchNorm2d(3, affine=False), (3, 5, 7)),
    "without statistics": (nn.BatchNorm2d(3, track_running_stats=False), (3, 5, 7)),
    "cumulative": (nn.BatchNorm2d(3, momentum=None), (3, 5, 7)),
    "of vectors": (nn.BatchNorm1d(3), (3,)),
}


def train_all(folder: Path) -> None:
    """Train by all methods, one after the other, with every step in the history."""
    loop.LOG_EVERY = 1
    for name in METHODS:
        train(name, folder)
    if process_count() == 2:
        stop_and_go_on(folder)
        normalise(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A folder with what each method has learnt, by the number of processes."""
    folders = {number: tmp_path_factory.mktemp(f"by-{number}") for number in (1, 2)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MAX_ISA, "DEFAULT")  # no bf16, in which two processes round otherwise than one
        for number, folder in folders.items():
            run_on_devices(number, train_all, folder, folder=folder)
    return folders


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_shared_by_two_processes_trains_as_in_one(name: str, trained: dict[int, Path]) -> None:
    one, two = (torch.load(trained[number] / f"{name}.pt", weights_only=True) for number in (1, 2))
    assert len(one["history"]) == STEPS
    for alone, shared in zip(one["history"], two["history"], strict=True):
        assert shared == pytest.approx(alone, rel=1e-9)
    for learnt in ("weights", "terms"):
        for key, tensor in one[learnt].items():
            torch.testing.assert_close(two[learnt][key], tensor, rtol=1e-9, atol=1e-9)
    assert torch.equal(one["counts"], two["counts"])


def test_a_request_that_one_process_sees_stops_both_and_they_go_on_bit_for_bit(trained: dict[int, Path]) -> None:
    """Each with its own random numbers, which the state keeps."""
    told = {file.name for file in trained[2].glob("?: *")}
    stopped = f"stopped at step 6 of {STEPS}, whose state is saved"
    assert told == {f"{rank}: {text}" for rank in (0, 1) for text in (stopped, "equal")}
    state = trained[2] / "cut" / "state" / f"key-{STEPS:08d}"
    drawn = [torch.load(state / f"random_states_{n}.pkl", weights_only=False)["torch_manual_seed"] for n in (0, 1)]
    assert not torch.equal(*drawn)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rank", [0, 1])
def test_batch_normalisation_is_that_of_the_whole_batch(name: str, rank: int, trained: dict[int, Path]) -> None:
    """With the running statistics, and the gradients of input, weight and bias; a large mean costs no digits."""
    for key, (alone, shared) in torch.load(trained[2] / f"{name}-{rank}.pt", weights_only=True).items():
        torch.testing.assert_close(shared, alone, rtol=1e-4, atol=1e-4, msg=f"{key}: {shared} is not {alone}")


def test_a_run_on_two_devices_is_taken_up_by_the_process_that_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_again() -> tuple[Tensor, loop.Progress]:
        torch.manual_seed(0)
        network, objective = DilatedResNet(4, CLASSES), Objective(Method(), ignore_index=IGNORED)
        first = torch.cat([weight.flatten() for weight in network.parameters()])
        split, how = images(with_teacher=False), schedule()
        progress = loop.train(network, objective, split, how, seed=0, folder=tmp_path, key="key", devices=2)
        assert not network.training
        weights = torch.cat([weight.detach().flatten() for weight in network.parameters()])
        assert not torch.equal(weights, first)
        return weights, progress

    weights, progress = train_again()
    assert (
        progress.seconds > 0 and progress.earlier_seconds == 0
    )  # this session's, although a process of its own took them
    assert progress.step == STEPS and progress.history[-1]["total"] > 0
    monkeypatch.setattr(loop, "run_on_devices", None)  # a finished run starts no processes
    again, same = train_again()
    assert torch.equal(weights, again) and same.history == progress.history


def test_a_batch_that_cannot_be_shared_equally_is_refused_with_what_can_be(tmp_path: Path) -> None:
    network, objective = DilatedResNet(4, CLASSES), Objective(Method(), ignore_index=IGNORED)
    split, how = images(with_teacher=False), schedule()
    with pytest.raises(StudyError, match="batch_size of 4 cannot be shared equally by 3 devices: choose 1, 2, 4"):
        loop.train(network, objective, split, how, seed=0, folder=tmp_path, key="key", devices=3)

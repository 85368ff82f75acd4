"""Two processes with half of each batch compute what one process computes with all of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import ImageSplit
from pfs.losses import Prediction
from pfs.losses.pfs import squared_norm
from pfs.models.dilated_resnet import DilatedResNet
from pfs.training import loop
from pfs.training.devices.batch_norm import whole_batch_norm
from pfs.training.devices.launch import run_on_devices
from pfs.training.devices.processes import process_rank
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
    progress = loop._train_share(network, objective, split, schedule(), 0, folder / name, "key")
    counts = confusion_counts(network, split, classes=CLASSES, ignore_index=IGNORED)
    if process_rank() == 0:
        learnt = {"weights": network.state_dict(), "terms": objective.state_dict(), "counts": counts}
        torch.save(learnt | {"history": progress.history}, folder / f"{name}.pt")


def train_all(folder: Path) -> None:
    """Train by all methods, one after the other, with every step in the history."""
    loop.LOG_EVERY = 1
    for name in METHODS:
        train(name, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A folder with what each method has learnt, by the number of processes."""
    folders = {number: tmp_path_factory.mktemp(f"by-{number}") for number in (1, 2)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MAX_ISA, "DEFAULT")  # no bf16, in which two processes round otherwise than one
        for number, folder in folders.items():
            run_on_devices(number, train_all, folder)
    return folders


def difference(one: Tensor, two: Tensor) -> float:
    return float((one - two).norm() / one.norm())


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_shared_by_two_processes_trains_as_in_one(name: str, trained: dict[int, Path]) -> None:
    one, two = (torch.load(trained[number] / f"{name}.pt", weights_only=True) for number in (1, 2))
    h=max(abs(a[k]-b[k])/max(abs(a[k]),1e-12) for a,b in zip(one["history"],two["history"]) for k in a)
    d={k: difference(w.double(), two["weights"][k].double()) for k,w in one["weights"].items() if w.double().norm()>0 }
    print("XX",name,h,max(d.items(), key=lambda p:p[1]), len(one["history"]), torch.equal(one["counts"],two["counts"]))

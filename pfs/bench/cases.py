"""The training steps whose time `pfs.bench.throughput` measures: ours, ours without one lever each, and torchdistill's.

Nothing here is used by a study. All steps of a setting see the same networks and images.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator, PartialState
from PIL import Image
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import Dataset, RandomSampler

from pfs.config.methods import Method
from pfs.config.networks import Network
from pfs.data.splits import ImageSplit, batch_order, normalize
from pfs.losses import Prediction
from pfs.models import build_network
from pfs.training.loop import take_step
from pfs.training.machine import mixed_precision
from pfs.training.objective import Objective
from pfs.training.teacher import OnlineTeacher, cache_teacher, open_teacher_outputs

IGNORED = 255
DISTILLED = Method.model_validate({"pfs": {"weight": 64.0}, "wsp": {"weight": 1.0, "temperature": 2.0}})
ONE_TERM = {
    "KD": Method.model_validate({"kd": {"weight": 1.0, "temperature": 2.0}}),
    "PFS": Method.model_validate({"pfs": {"weight": 4.0}}),
    "WSP": Method.model_validate({"wsp": {"weight": 1.0, "temperature": 2.0}}),
}
Step = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """Networks and the shape of a batch: what a step's time depends on.

    Attributes:
        size: of the square images, in pixels a side.
        batch: images a step.
    """

    name: str
    student: Network
    teacher: Network
    classes: int
    size: int
    batch: int


# --- pictures, on disk as torchdistill reads them and decoded as we do --------------------------------------


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Images as JPEG and labels as PNG, decoded as they are asked for: what a DataLoader is usually given."""

    def __init__(self, folder: Path) -> None:
        self.pictures = sorted(folder.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """An image (3, H, W), normalised, and its labels (H, W) int64."""
        image, label = self.read(index)
        return (image.float() - 127.5) / 63.75, label.long()

    def read(self, index: int) -> tuple[Tensor, Tensor]:
        """An image (3, H, W) and its labels (H, W), uint8."""
        with Image.open(self.pictures[index]) as image, Image.open(self.pictures[index].with_suffix(".png")) as label:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1), torch.from_numpy(np.array(label))


def write_pictures(setting: Setting, folder: Path, count: int) -> Files:
    """Smooth noise for pictures, and for labels the strongest of as many smooth fields as there are classes."""
    generator = torch.Generator().manual_seed(0)
    folder.mkdir(parents=True)
    for index in range(count):
        fields = torch.rand(1, 3 + setting.classes, 8, 8, generator=generator)
        fine = F.interpolate(fields, size=(setting.size, setting.size), mode="bicubic")[0]
        pixels = (255 * fine[:3].clamp(0, 1)).byte().permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(folder / f"{index:03d}.jpg", quality=90)
        Image.fromarray(fine[3:].argmax(0).byte().numpy()).save(folder / f"{index:03d}.png")
    return Files(folder)


# --- the cases: each is one step, to be called again and again ----------------------------------------------


class Contiguous(nn.Module):
    """A network in torch's default order of memory, channels before pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).to(memory_format=torch.contiguous_format)

    def forward(self, images: Tensor) -> Prediction:
        output: Prediction = self.network(images.contiguous())
        return output


class InHalf(nn.Module):
    """A network under bf16 autocast, whether or not that is fast here."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network)

    def forward(self, images: Tensor) -> Prediction:
        with torch.autocast(images.device.type, torch.bfloat16):
            output: Prediction = self.network(images)
        return output


class PlainCrossEntropy(nn.Module):
    """The cross-entropy as it is usually written: `interpolate`, then the loss of the fine logits."""

    def forward(self, student: Prediction, _: Prediction | None, target: Tensor) -> dict[str, Tensor]:
        logits = F.interpolate(student.logits.float(), size=target.shape[1:], mode="bilinear", align_corners=False)
        return {"total": F.cross_entropy(logits, target, ignore_index=IGNORED)}


def our_step(
    student: nn.Module, objective: nn.Module, split: ImageSplit, batch: int, *, compiled: bool = False
) -> Step:
    """A step of `pfs.training.loop`, with a copy of the student."""
    accelerator = Accelerator(mixed_precision=mixed_precision())
    network = deepcopy(student).train()
    if compiled:
        network.compile()
    optimizer = AdamW(network.parameters(), lr=1e-4, fused=True)
    network, optimizer = accelerator.prepare(network, optimizer)
    rows = _rows(split, batch)
    return lambda: take_step(accelerator, network, objective, optimizer, split.batch(next(rows), accelerator.device))


def torchdistill_step(student: nn.Module, teacher: nn.Module, files: Files, batch: int) -> Step:
    """A step of torchdistill's `DistillationBox` with its defaults: files, the teacher at every step, fp32.

    The loss is ours, so that the loops are compared and nothing else. Its teacher is frozen and in eval mode, as in
    its examples.
    """
    from torchdistill.core.distillation import DistillationBox  # of the development environment

    nodes = [Contiguous(network) for network in (teacher, student)]
    device = next(teacher.parameters()).device
    loss = {"criterion": _ForTorchdistill(), "weight": 1.0}
    loader: dict[str, Any] = {"dataset_id": "train", "sampler": {"class_or_func": RandomSampler}}
    configuration = {
        "num_epochs": 1,
        "train_data_loader": loader | {"kwargs": {"batch_size": batch, "drop_last": True}},
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"ours": loss}}},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": 1e-4}},
    }
    box = DistillationBox(*nodes, {"train": files}, configuration, device, None, False, 1)
    box.pre_epoch_process(epoch=0)
    box.teacher_model.eval()
    batches = _without_end(box.train_data_loader)

    def step() -> None:
        images, labels, supplement = next(batches)
        images, labels = images.to(device), labels.to(device)
        box.post_forward_process(loss=box.forward_process(images, labels, supplement))

    return step


class _ForTorchdistill(nn.Module):
    """Our objective as torchdistill calls a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.objective = _objective(DISTILLED)

    def forward(self, student: Any, teacher: Any, target: Tensor) -> Tensor:
        total: Tensor = self.objective(student["."]["output"], teacher["."]["output"], target)["total"]
        return total


def _rows(split: ImageSplit, batch: int) -> Iterator[Tensor]:
    return cycle(batch_order(len(split), batch, len(split) // batch, seed=0))


def _without_end(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


@dataclass(frozen=True)
class Bench:
    """What is measured of a setting.

    Attributes:
        cases: whole steps, by name.
        student: of those steps, in train mode.
        teacher: in eval mode.
        split: the images, decoded, with the teacher's cached outputs.
        batch: images a step.
    """

    cases: Mapping[str, Step]
    student: nn.Module
    teacher: nn.Module
    split: ImageSplit
    batch: int


def bench(setting: Setting, folder: Path, *, pictures: int, compiled: bool) -> Bench:
    """All cases of a setting, each ready for its first step.

    Args:
        setting: networks and shapes.
        folder: where images and the teacher's outputs are written.
        pictures: how many; at least a batch.
        compiled: also measure the student under `torch.compile`, where there is a C++ compiler.
    """
    student, teacher = _networks(setting)
    files = write_pictures(setting, folder / "pictures", pictures)
    images, labels = (torch.stack(x) for x in zip(*map(files.read, range(len(files))), strict=True))
    alone = ImageSplit(images, labels)
    cache_teacher(teacher, alone, folder / "outputs", batch_size=setting.batch)
    cached = replace(alone, teacher=open_teacher_outputs(folder / "outputs"))
    cases = _with_teacher(student, teacher, alone, cached, setting.batch)
    cases["torchdistill"] = torchdistill_step(student, teacher, files, setting.batch)
    cases |= _without_teacher(student, alone, setting.batch)
    if compiled and shutil.which(os.environ.get("CXX", "g++")):
        cases["student, compiled"] = our_step(student, _objective(Method()), alone, setting.batch, compiled=True)
    return Bench(cases, student.train(), teacher, cached, setting.batch)


def _networks(setting: Setting) -> tuple[nn.Module, nn.Module]:
    """Student and teacher with random weights, the latter in eval mode, channels last."""
    torch.manual_seed(0)
    device = PartialState().device  # an Accelerator here would fix the precision before a step asks for its own
    student, teacher = (build_network(spec, setting.classes) for spec in (setting.student, setting.teacher))
    student, teacher = (x.to(device).to(memory_format=torch.channels_last) for x in (student, teacher.eval()))
    return student, teacher


def _with_teacher(
    student: nn.Module, teacher: nn.Module, alone: ImageSplit, cached: ImageSplit, batch: int
) -> dict[str, Step]:
    """The student alone, the teacher's pass, and the steps that distil: from cached outputs or the teacher itself."""
    online, default = (replace(alone, teacher=OnlineTeacher(x)) for x in (teacher, Contiguous(teacher)))
    rows, inputs = torch.arange(batch), normalize(alone.images[:batch].to(next(teacher.parameters()).device))
    ce, distilled = _objective(Method()), _objective(DISTILLED)
    one_term = {f"cached, {name} alone": _objective(method) for name, method in ONE_TERM.items()}
    return {
        "student": our_step(student, ce, alone, batch),
        "teacher": partial(OnlineTeacher(teacher).outputs, rows, inputs),
        "cached": our_step(student, distilled, cached, batch),
        **{name: our_step(student, objective, cached, batch) for name, objective in one_term.items()},
        "online": our_step(student, distilled, online, batch),
        "online, default layout": our_step(Contiguous(student), distilled, default, batch),
    }


def _without_teacher(student: nn.Module, alone: ImageSplit, batch: int) -> dict[str, Step]:
    """The student's step with one lever each taken away, or another put in its place."""
    ce = _objective(Method())
    return {
        "student, default layout": our_step(Contiguous(student), ce, alone, batch),
        "student, bf16": our_step(InHalf(student), ce, alone, batch),
        "student, interpolate": our_step(student, PlainCrossEntropy(), alone, batch),
    }


def _objective(method: Method) -> Objective:
    return Objective(method, ignore_index=IGNORED)

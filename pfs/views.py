"""What the networks see: scenes decoded once, in an order that the seed sets, and the teacher's cached
answers."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pfs.prediction import Prediction


class CacheError(ValueError):
    """The teacher's answers cannot be kept or found."""


@dataclass(frozen=True)
class TeacherOutputs:
    """The teacher's answers for all N training scenes, memory-mapped: every student's process shares one
    copy.

    Attributes:
        logits: (N, classes, h, w) in bf16.
        features: (N, C, h', w') in bf16.
    """

    logits: Tensor
    features: Tensor

    @property
    def channels(self) -> int:
        """Of the features."""
        return self.features.shape[1]

    def __getitem__(self, scenes: Tensor) -> Prediction:
        """The answers for the scenes (B,) of a batch, in fp32."""
        return Prediction(self.logits[scenes].float(), self.features[scenes].float())


@dataclass(frozen=True)
class Scenes:
    """One split in memory, as a network takes it in batches.

    Attributes:
        images: (N, 3, H, W) uint8.
        labels: (N, H, W) uint8.
        teacher: the teacher's answers for these scenes, where a method wants them.
    """

    images: Tensor
    labels: Tensor
    teacher: TeacherOutputs | None = None

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, scenes: Tensor, device: torch.device) -> tuple[Tensor, Prediction | None, Tensor]:
        """Of scenes (B,): images (B, 3, H, W), the teacher's prediction, labels (B, H, W) int64."""
        teacher = None
        if self.teacher is not None:
            teacher = Prediction(*(x.to(device) for x in self.teacher[scenes]))
        return normalize(self.images[scenes].to(device)), teacher, self.labels[scenes].to(device).long()


def normalize(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) of uint8 as fp32 of about zero mean and unit variance, in channels_last order."""
    return images.to(torch.float32, memory_format=torch.channels_last).sub_(127.5).div_(63.75)


def batch_order(scenes: int, batch_size: int, steps: int, seed: int) -> Tensor:
    """Which scenes each step sees: (steps, batch_size), a function of its arguments alone.

    Each epoch is a new permutation; its last incomplete batch is left out.

    Raises:
        ValueError: there are fewer scenes than a batch takes.
    """
    if scenes < batch_size:
        raise ValueError(f"a batch takes {batch_size} scenes and the split has {scenes}: lower the study's batch_size")
    generator = torch.Generator().manual_seed(seed)
    per_epoch = scenes // batch_size
    epochs = [
        torch.randperm(scenes, generator=generator)[: per_epoch * batch_size] for _ in range(-(-steps // per_epoch))
    ]
    return torch.cat(epochs).view(-1, batch_size)[:steps]


def cache_teacher(teacher: nn.Module, images: Tensor, folder: Path, *, batch_size: int = 50) -> None:
    """Run the teacher once over all training scenes and keep its answers in `folder`, whole or not at all.

    Args:
        teacher: in eval mode; its answers under the caller's autocast are kept in bf16.
        images: (N, 3, H, W) uint8.
        folder: `outputs-<key>`, made by this; an earlier cache of this name is taken as it is. Those of other keys
            beside it, from teachers that are no more, are deleted.
        batch_size: scenes a forward pass.

    Raises:
        CacheError: the disk is too small, or an answer is not finite.
    """
    if folder.is_dir():
        return
    device = next(teacher.parameters()).device
    for other in folder.parent.glob("outputs-*"):  # one that a killed process left unfinished, too
        shutil.rmtree(other)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True)
    outputs: TeacherOutputs | None = None
    with torch.no_grad():
        for start in tqdm(range(0, len(images), batch_size), desc="teacher's answers", mininterval=1):
            answer = teacher(normalize(images[start : start + batch_size].to(device)))
            outputs = outputs or _allocate(answer, len(images), unfinished)
            for name, values in zip(Prediction._fields, answer, strict=True):
                if not values.isfinite().all():
                    raise CacheError(
                        f"the teacher's {name} for scenes {start} to {start + len(values) - 1} are not finite"
                    )
                getattr(outputs, name)[start : start + len(values)] = values
    unfinished.rename(folder)


def open_teacher_outputs(folder: Path) -> TeacherOutputs:
    """The cache that `cache_teacher` made, memory-mapped.

    Raises:
        CacheError: there is none.
    """
    if not folder.is_dir():
        raise CacheError(f"{folder}: the teacher's answers are not there; run train_teacher.ipynb first")
    return _map(folder, json.loads((folder / "shapes.json").read_text()))


def _allocate(answer: Prediction, scenes: int, folder: Path) -> TeacherOutputs:
    shapes = {name: [scenes, *values.shape[1:]] for name, values in zip(Prediction._fields, answer, strict=True)}
    needed = sum(2 * torch.Size(shape).numel() for shape in shapes.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        shutil.rmtree(folder)
        raise CacheError(
            f"{folder.parent}: the teacher's answers take {needed / 2**20:.0f} MiB, and {free / 2**20:.0f} MiB are free"
        )
    (folder / "shapes.json").write_text(json.dumps(shapes))
    return _map(folder, shapes, writable=True)


def _map(folder: Path, shapes: dict[str, list[int]], *, writable: bool = False) -> TeacherOutputs:
    """The files of a cache as tensors; what is written to them reaches the files only if `writable`."""
    tensors = {
        name: torch.from_file(
            str(folder / f"{name}.bf16"), shared=writable, size=torch.Size(shape).numel(), dtype=torch.bfloat16
        ).view(shape)
        for name, shape in shapes.items()
    }
    return TeacherOutputs(**tensors)

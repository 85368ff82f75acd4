"""What the networks see: images in memory or read one by one, in an order that the seed sets.

A row is a view of a image: view v of image n of N is row v N + n.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pfs.data.dataset import SegmentationDataset
from pfs.data.loading.workers import read_ahead
from pfs.losses import Prediction

# --- the teacher --------------------------------------------------------------------------------------------


class Teacher(Protocol):
    """Who answers for the rows of a batch: `pfs.training.teacher.TeacherOutputs`, or its `OnlineTeacher`."""

    @property
    def channels(self) -> int:
        """How many channels the features have."""

    def outputs(self, rows: Tensor, images: Tensor, /) -> Prediction:
        """The outputs for the rows (B,) of a batch, whose normalised images are (B, 3, H, W)."""


Batch = tuple[Tensor, Prediction | None, Tensor]  # images (B, 3, H, W), the teacher's outputs, labels (B, H, W) int64


# --- images -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImageSplit:
    """One split in memory, or some views of each of its images, as a network takes it in batches.

    Attributes:
        images: (rows, 3, H, W) uint8.
        labels: (rows, H, W) uint8.
        teacher: who answers for these images, where a method wants a teacher.
        views: of each image, one after the other; 1: the image itself.
    """

    images: Tensor
    labels: Tensor
    teacher: Teacher | None = None
    views: int = 1

    def __len__(self) -> int:
        return len(self.images) // self.views

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.labels.shape[1], self.labels.shape[2]

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and labels (B, H, W), uint8."""
        return self.images[list(rows)], self.labels[list(rows)]

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """The rows (B,) as a step takes them."""
        return as_batch(rows, self.images[rows], self.labels[rows], self.teacher, device)

    def batches(self, order: Sequence[Tensor] | Tensor, device: torch.device) -> Iterator[Batch]:
        """The rows of each step, (B,) each, one step after the other."""
        return (self.batch(rows, device) for rows in order)


class TrainingSplit(Protocol):
    """What the loop and the cache ask of a training split: `ImageSplit`, or `pfs.data.augmentation.AugmentedSplit`."""

    @property
    def views(self) -> int:
        """How many views there are of each image."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and labels (B, H, W), uint8."""

    def batches(self, order: Sequence[Tensor] | Tensor, device: torch.device) -> Iterator[Batch]:
        """The rows of each step, (B,) each, one step after the other."""


def as_batch(rows: Tensor, images: Tensor, labels: Tensor, teacher: Teacher | None, device: torch.device) -> Batch:
    """What was read, uint8, with the teacher's outputs, as a step takes it."""
    inputs = normalize(images.to(device))
    outputs = teacher.outputs(rows, inputs) if teacher is not None else None
    return inputs, outputs, labels.to(device).long()


def normalize(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) of uint8 as fp32 of about zero mean and unit variance, in channels_last order."""
    return images.to(torch.float32, memory_format=torch.channels_last).sub_(127.5).div_(63.75)


def batch_order(images: int, batch_size: int, steps: int, seed: int, *, views: int = 1) -> Tensor:
    """Which rows each step sees: (steps, batch_size), a function of its arguments alone.

    Each epoch is a new permutation of the images; its last incomplete batch is left out. Epoch e shows view e mod
    `views`.

    Raises:
        ValueError: there are fewer images than a batch takes.
    """
    if images < batch_size:
        raise ValueError(f"a batch takes {batch_size} images and the split has {images}: lower the study's batch_size")
    generator = torch.Generator().manual_seed(seed)
    per_epoch = images // batch_size
    epochs = [
        torch.randperm(images, generator=generator)[: per_epoch * batch_size] + epoch % views * images
        for epoch in range(-(-steps // per_epoch))
    ]
    return torch.cat(epochs).view(-1, batch_size)[:steps]


@dataclass(frozen=True)
class EvalSplit(Dataset[tuple[Tensor, Tensor]]):
    """A split that networks are scored on, read as it is asked for: its images may differ in size.

    Attributes:
        dataset: the split.
        size: height and width of the frames in which `read` shows them.
    """

    dataset: SegmentationDataset
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        """Image (3, H, W) and label (H, W) of a row, uint8, as they are."""
        image, mask = self.dataset[row]
        return torch.from_numpy(np.array(image)).permute(2, 0, 1), torch.from_numpy(np.array(mask))

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The middles of some images, in frames of one size: images (B, 3, H, W) and labels (B, H, W), uint8.

        What a smaller image leaves of its frame is grey, and is not scored.
        """
        images, labels = zip(*(self[row] for row in rows), strict=True)
        ignored = self.dataset.ignore_index
        return (
            torch.stack([_framed(image, self.size, 127) for image in images]),
            torch.stack([_framed(label, self.size, ignored) for label in labels]),
        )

    def batches(self, order: Sequence[Tensor] | Tensor, device: torch.device) -> Iterator[Batch]:
        """Rows of one size, (B,) each, one step after the other; processes beside this one read ahead."""
        read = read_ahead(self, [rows.tolist() for rows in order])
        for rows, (images, labels) in zip(order, read, strict=True):
            yield as_batch(rows, images, labels, None, device)


def _framed(pixels: Tensor, size: tuple[int, int], fill: int) -> Tensor:
    """The middle of pixels (..., H, W) in the corner of a frame (..., *size)."""
    frame = pixels.new_full((*pixels.shape[:-2], *size), fill)
    height, width = (min(pair) for pair in zip(size, pixels.shape[-2:], strict=True))
    top, left = (pixels.shape[-2] - height) // 2, (pixels.shape[-1] - width) // 2
    frame[..., :height, :width] = pixels[..., top : top + height, left : left + width]
    return frame

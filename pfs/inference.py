"""Predictions at the labels' own resolution, for pictures of any size: whole or in pieces, at several scales, mirrored.

No label is ever resized: what a network says is brought to the size of the picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from pfs.datasets import SegmentationDataset
from pfs.prediction import upsample
from pfs.scenes import Batch, as_batch
from pfs.study import Evaluation
from pfs.workers import read_ahead


@dataclass(frozen=True)
class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """A split that networks are scored on, read as it is asked for: its pictures may differ in size.

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
        image, mask = self.dataset.read(row)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1), torch.from_numpy(np.array(mask))

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The middles of some pictures, in frames of one size: images (B, 3, H, W) and labels (B, H, W), uint8.

        What a smaller picture leaves of its frame is grey, and is not scored.
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


@torch.no_grad()
def class_probabilities(network: nn.Module, images: Tensor, spec: Evaluation) -> Tensor:
    """What a network makes of images of any size, averaged as the study's `evaluation` says.

    Args:
        network: in eval mode. Its `multiple` divides the sides of all that it is shown.
        images: (B, 3, H, W), normalised.
        spec: window, scales, mirror images.

    Returns:
        (B, classes, H, W) in fp32, each pixel's sum being 1.
    """
    size = (images.shape[-2], images.shape[-1])
    total = torch.zeros(())
    for scale in spec.scales:
        scaled = _scaled(images, scale)
        total = upsample(_in_windows(network, scaled, spec.window), size) + total.to(images.device)
        if spec.flip:
            mirrored = _in_windows(network, scaled.flip(-1), spec.window).flip(-1)
            total += upsample(mirrored, size)
    return total / (len(spec.scales) * (1 + spec.flip))


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(scale * side)) for side in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def _in_windows(network: nn.Module, images: Tensor, window: list[int] | None) -> Tensor:
    """Class probabilities (B, classes, H, W), each pixel's the mean over the windows that see it."""
    H, W = images.shape[-2:]
    height, width = window or (H, W)
    total, seen = torch.zeros(()), images.new_zeros(H, W)
    for top in _starts(H, height):
        for left in _starts(W, width):
            rows, columns = slice(top, top + height), slice(left, left + width)
            answer = _padded(network, images[..., rows, columns])
            if not total.dim():
                total = answer.new_zeros(len(images), answer.shape[1], H, W)
            total[..., rows, columns] += answer
            seen[rows, columns] += 1
    return total.div_(seen)


def _starts(length: int, window: int) -> list[int]:
    """Where windows begin along a side: two thirds of a window apart, the last one at the end of the side."""
    last = max(0, length - window)
    return [*range(0, last, round(2 * window / 3)), last]


def _padded(network: nn.Module, images: Tensor) -> Tensor:
    """Class probabilities (B, classes, H, W): shown on grey to the next size that the network takes, and cut back."""
    H, W = images.shape[-2:]
    multiple = cast(int, network.multiple)
    padded = F.pad(images, (0, -W % multiple, 0, -H % multiple))
    logits = upsample(network(padded).logits.float(), (padded.shape[-2], padded.shape[-1]))
    return logits[..., :H, :W].softmax(1)

"""Predictions at the labels' own resolution, for images of any size: whole or in pieces, at several scales, mirrored.

No label is ever resized: what a network says is brought to the size of the image.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfs.config.data import Evaluation
from pfs.losses.prediction import upsample


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
            output = _padded(network, images[..., rows, columns])
            if not total.dim():
                total = output.new_zeros(len(images), output.shape[1], H, W)
            total[..., rows, columns] += output
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


def predict(network: nn.Module, images: Tensor, size: tuple[int, int], evaluation: Evaluation | None = None) -> Tensor:
    """The most likely class of each pixel, (B, *size) int64, for normalised images (B, 3, H, W), as `how` says."""
    scores = (
        upsample(network(images).logits.float(), size)
        if evaluation is None
        else class_probabilities(network, images, evaluation)
    )
    return scores.argmax(1)

"""What every network returns and every loss takes, and how coarse logits meet fine labels."""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Prediction(NamedTuple):
    """A network's answer for a batch of B images.

    Attributes:
        logits: (B, classes, h, w) class scores before the softmax, at the network's own resolution, which may
            be coarser than the labels': `upsample` brings them up.
        features: (B, C, h', w') high-level features at the tap that the network names.
    """

    logits: Tensor
    features: Tensor


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of a (B, C, h, w) map to `size`, as `F.interpolate(align_corners=False)` gives
    it.

    Interpolation is linear and separable, so it is two small matrix products: the same values, in half the
    time on a CPU, and with a deterministic backward on a GPU. Returns the map itself where it has that size
    already.
    """
    if logits.shape[-2:] == size:
        return logits
    rows, columns = (_interpolation_matrix(n, m) for n, m in zip(logits.shape[-2:], size, strict=True))
    logits = logits.contiguous()  # class planes: the losses' softmax over classes then runs over whole rows
    return rows.to(logits) @ logits @ columns.to(logits).T


@lru_cache
def _interpolation_matrix(source: int, target: int) -> Tensor:
    """(target, source): row i holds the weights of the source pixels in target pixel i."""
    identity = torch.eye(source)[None]  # (1, source, source): each source pixel once as a signal of its own
    return F.interpolate(identity, size=target, mode="linear", align_corners=False)[0].T.contiguous()

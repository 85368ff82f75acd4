"""What every network returns and every loss takes, and how coarse logits meet fine labels."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import NamedTuple, ParamSpec, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.losses.derivatives import product

P = ParamSpec("P")
T = TypeVar("T")


class Prediction(NamedTuple):
    """A network's output for a batch of B images.

    Attributes:
        logits: (B, classes, h, w) class scores before the softmax, at the network's own resolution, which may
            be coarser than the labels': `upsample` brings them up.
        features: (B, C, h', w') high-level features of the layer that the network names.
    """

    logits: Tensor
    features: Tensor


class CachedPrediction(Prediction):
    """A cached teacher output, with what PFS would otherwise compute of the teacher's features in every epoch.

    Attributes:
        teacher_terms: of the features, `pfs.losses.pfs.precompute_teacher_terms`: (B,), or (B, N, N).
    """

    teacher_terms: Tensor

    def __new__(cls, logits: Tensor, features: Tensor, teacher_terms: Tensor) -> Self:
        """The prediction, and the teacher terms."""
        cached = super().__new__(cls, logits, features)
        cached.teacher_terms = teacher_terms
        return cached


def in_full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function of tensors compute in their own precision, whatever autocast stands around the call.

    Similarities, softmaxes and losses lose too much in half precision.
    """

    @wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> T:
        tensor = next(x for x in (*arguments, *options.values()) if isinstance(x, Tensor))
        with torch.autocast(tensor.device.type, enabled=False):
            return function(*arguments, **options)

    return wrapped


def at_least_single(x: Tensor) -> Tensor:
    """A tensor in half precision in fp32; any other as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sum_dtype(device: torch.device) -> torch.dtype:
    """What long sums are accumulated in: fp64, but for MPS, which has none."""
    return torch.float32 if device.type == "mps" else torch.float64


@in_full_precision
def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of a (B, C, h, w) map to `size`, as `F.interpolate(align_corners=False)` gives
    it.

    Interpolation is linear and separable, so it is two small matrix products: the same values, with a
    deterministic backward on a GPU. Returns the map itself where it has that size
    already.
    """
    if logits.shape[-2:] == size:
        return logits
    rows, columns = (interpolation_matrix(n, m) for n, m in zip(logits.shape[-2:], size, strict=True))
    logits = logits.contiguous()  # class planes: the losses' softmax over classes then runs over whole rows
    return product(product(rows.to(logits), logits), columns.to(logits).T)


@lru_cache
def interpolation_matrix(source: int, target: int) -> Tensor:
    """(target, source): row i holds the weights of the source pixels in target pixel i."""
    with torch.inference_mode(False):  # it is kept for later calls, which may want a gradient through it
        identity = torch.eye(source)[None]  # (1, source, source): each source pixel once as a signal of its own
        return F.interpolate(identity, size=target, mode="linear", align_corners=False)[0].T.contiguous()

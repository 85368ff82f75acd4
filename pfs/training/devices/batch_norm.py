"""Batch normalisation over the images of all processes of a run, in whatever network, on any device.

`torch.nn.SyncBatchNorm` does the same on GPUs alone, and needs the layers of a network to be replaced.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from pfs.training.devices.processes import of_all, process_count


def whole_batch_norm() -> AbstractContextManager[object]:
    """The context in which a network in training mode normalises by the whole batch; of no effect in one process."""
    return _WholeBatchNorm() if process_count() > 1 else nullcontext()


class _WholeBatchNorm(TorchFunctionMode):
    """Replaces `torch.nn.functional.batch_norm`, which every layer of batch normalisation calls."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return (_batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`, with the mean and variance of the whole batch where it is in training mode."""
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    mean, variance = whole_statistics(input.detach())
    if running_mean is not None and running_var is not None:
        count = input[:, 0].numel() * process_count()
        running_mean.lerp_(mean.to(running_mean), momentum)
        running_var.lerp_(variance.to(running_var) * (count / max(count - 1, 1)), momentum)
    normalised: Tensor = _Normalise.apply(input, weight, bias, mean, variance, eps)
    return normalised


def whole_statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of values (B, C, ...) over the images of all processes, at least in fp32.

    The variance is that of the processes' parts plus that of their means: no digits are lost where the mean is large.
    """
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    own = torch.stack(torch.batch_norm_update_stats(exact, None, None, 0.0))  # (2, C): mean, variance
    means, variances = torch.stack(of_all(own), dim=1)  # (processes, C) each
    mean = means.mean(0)
    return mean, (variances + (means - mean).square()).mean(0)


class _Normalise(Function):
    """(x - mean) / √(variance + eps) · weight + bias, whose mean and variance depend on the images of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        # With x̂ the normalised x, k = weight / √(variance + eps), and means over the whole batch:
        # dx = k (dy - mean(dy) - x̂ mean(dy x̂)); torch gives k dy, and the sums of dy x̂ and of dy over the own images.
        x, weight, mean, variance = ctx.saved_tensors
        arguments = (outer, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True])
        dx, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(*arguments)
        sums = torch.stack(of_all(torch.stack([d_weight, d_bias]))).sum(0)
        mean_dyx, mean_dy = sums / (x[:, 0].numel() * process_count())
        inverse = (variance + ctx.eps).rsqrt()
        k = inverse if weight is None else inverse * weight
        dx += F.batch_norm(x, mean, variance, -k * mean_dyx, -k * mean_dy, training=False, eps=ctx.eps)
        return dx, d_weight if weight is not None else None, d_bias if weight is not None else None, None, None, None

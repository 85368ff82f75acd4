"""Backward passes that keep their digits inside autocast, and that refuse a second derivative instead of losing it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function

T = TypeVar("T")


def first_derivative(backward: Callable[..., T]) -> Callable[..., T]:
    """Make the `backward` of an autograd function compute in full precision, and refuse to be differentiated itself.

    torch's own `once_differentiable` tells only where the incoming gradient has a gradient. Of a sum of losses it has
    none, and the second derivative of this one would be missing from that of the sum without a word.

    Raises:
        RuntimeError: the backward pass was asked for with `create_graph=True`.
    """

    @wraps(backward)
    def wrapped(ctx: Any, *gradients: Tensor) -> T:
        if torch.is_grad_enabled():  # autograd sets this to the `create_graph` of the call
            raise RuntimeError(
                f"{type(ctx).__name__}: this loss has a first derivative only, and the backward pass was called with "
                "create_graph=True; leave it out, or take the second derivative of the other terms alone"
            )
        with torch.autocast(gradients[0].device.type, enabled=False):
            return backward(ctx, *gradients)

    return wrapped


class _Product(Function):
    """The product of two matrices, or of batches of them, whose backward pass never runs in half precision."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        with torch.autocast(g.device.type, enabled=False):
            return (
                product(g, b.mT) if ctx.needs_input_grad[0] else None,
                product(a.mT, g) if ctx.needs_input_grad[1] else None,
            )


def product(a: Tensor, b: Tensor) -> Tensor:
    """The product of matrices a (..., N, K) and b (..., K, M): (..., N, M); any number of times differentiable.

    Autocast around the call of `backward` would compute the gradient of `a @ b` in half precision, although the losses
    have been computed in full; here it does not. A factor that is broadcast must be a constant.
    """
    result: Tensor = _Product.apply(a, b)
    return result

"""Backward passes keep their digits inside autocast, and a second derivative is right or refused."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import Function, gradcheck, gradgradcheck

from pfs.losses.derivatives import first_derivative, product


def pair(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Matrices (2, 3, 4) and (2, 4, 5), which want gradients."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, *size, generator=generator, dtype=dtype) for size in ((3, 4), (4, 5)))
    return a.requires_grad_(), b.requires_grad_()


def test_a_product_can_be_differentiated_again_and_again() -> None:
    a, b = pair(torch.float64)
    torch.testing.assert_close(product(a, b), a @ b)
    assert gradcheck(product, (a, b))
    assert gradgradcheck(product, (a, b))


def test_the_gradient_of_a_product_is_in_full_precision_inside_autocast() -> None:
    a, b = pair(torch.float32)
    expected = torch.autograd.grad((a @ b).square().sum(), (a, b))
    loss = product(a, b).square().sum()
    with torch.autocast("cpu", torch.bfloat16):
        gradients = torch.autograd.grad(loss, (a, b))
    torch.testing.assert_close(gradients, expected)


class Doubled(Function):
    """Twice a matrix times a vector of ones, whose gradient is a product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 2 * x.sum()

    @staticmethod
    @first_derivative
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * gradient * torch.ones_like(x) @ torch.eye(x.shape[1])


def test_a_first_derivative_is_taken_in_full_precision() -> None:
    x = torch.randn(3, 3, requires_grad=True)
    scaled = 1.001 * Doubled.apply(x)
    with torch.autocast("cpu", torch.bfloat16):
        (gradient,) = torch.autograd.grad(scaled, x)
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(gradient, torch.full((3, 3), 2.002))


def test_a_second_derivative_is_refused_with_the_way_out() -> None:
    x = torch.randn(3, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"this loss has a first derivative only.*create_graph=True; leave it"):
        torch.autograd.grad(Doubled.apply(x) + x.square().sum(), x, create_graph=True)

"""Coarse logits are brought to the labels' grid by bilinear interpolation, in full precision, with a gradient."""

import pytest
import torch
import torch.nn.functional as F

from pfs.losses.prediction import CachedPrediction, Prediction, at_least_single, in_full_precision, upsample


def test_upsampling_first_seen_without_gradients_can_have_them_later() -> None:
    coarse = torch.randn(1, 2, 3, 3, requires_grad=True)
    with torch.inference_mode():
        upsample(coarse, (11, 13))
    upsample(coarse, (11, 13)).sum().backward()  # type: ignore[no-untyped-call]
    assert coarse.grad is not None


def test_upsample_is_bilinear_interpolation() -> None:
    coarse = torch.randn(2, 3, 5, 7)
    expected = F.interpolate(coarse, size=(20, 33), mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(coarse, (20, 33)), expected)
    assert upsample(coarse, (5, 7)) is coarse


def test_a_cached_output_is_a_prediction_with_what_is_known_of_it() -> None:
    logits, features, teacher_terms = torch.zeros(1, 2, 3, 3), torch.ones(1, 4, 3, 3), torch.tensor([5.0])
    cached = CachedPrediction(logits, features, teacher_terms)
    assert isinstance(cached, Prediction) and len(cached) == 2
    assert cached.logits is logits and cached.features is features and cached.teacher_terms is teacher_terms


def test_a_decorated_function_computes_in_the_precision_of_its_tensors() -> None:
    multiply = in_full_precision(torch.matmul)
    x = torch.randn(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        assert multiply(x, x).dtype == torch.float32
        assert multiply(input=x, other=x).dtype == torch.float32


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float64, torch.float64)],
)
def test_half_precision_is_raised_and_double_is_left(dtype: torch.dtype, expected: torch.dtype) -> None:
    assert at_least_single(torch.ones(2, dtype=dtype)).dtype == expected

"""PFS where numbers are very small, very large, of few bits or nearly equal, and what its gradient refuses."""

from typing import Any

import pytest
import torch

from pfs.losses import pfs_loss
from pfs.losses.pfs import Distance
from tests.losses.similarity_definition import READINGS, dense_pfs, features


@pytest.mark.parametrize("distance", ["squared", "kl"])
def test_a_teacher_may_be_of_another_precision_or_asked_in_inference_mode(distance: Distance) -> None:
    student, teacher = features(1, 3, 4, 4).requires_grad_(), features(1, 5, 4, 4, seed=1)
    expected = pfs_loss(student, teacher, distance=distance)
    with torch.inference_mode():
        asked = 1 * teacher
    torch.testing.assert_close(pfs_loss(student, asked, distance=distance), expected)
    mixed = pfs_loss(student.float(), teacher, distance=distance), pfs_loss(student, teacher.float(), distance=distance)
    for loss in mixed:
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
        torch.autograd.grad(loss, student)


@pytest.mark.parametrize("changed", ["student", "teacher"])
def test_features_changed_before_the_backward_pass_are_noticed(changed: str) -> None:
    leaf = features(1, 3, 4, 4).requires_grad_()
    both: dict[str, Any] = {"student": 1 * leaf, "teacher": features(1, 3, 4, 4, seed=1)}
    loss = pfs_loss(**both)
    with torch.no_grad():
        both[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("distance", "channels"), [("squared", 3), ("squared", 30), ("kl", 3)])
@pytest.mark.parametrize("inference", [True, False])
def test_a_teacher_changed_before_the_backward_pass_is_noticed_or_no_longer_needed(
    distance: Distance, channels: int, inference: bool
) -> None:
    """A tensor of inference mode, of which autograd cannot tell whether it was changed, is not needed either."""
    student = features(2, channels, 4, 4).requires_grad_()
    with torch.inference_mode(inference):
        teacher = features(2, 5, 4, 4, seed=1)
    (expected,) = torch.autograd.grad(pfs_loss(student, teacher, distance=distance), student)
    loss = pfs_loss(student, teacher, distance=distance)
    with torch.inference_mode(inference):
        teacher.add_(features(2, 5, 4, 4, seed=2))
    if (distance, channels, inference) == ("squared", 3, False):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            torch.autograd.grad(loss, student)
    else:
        torch.testing.assert_close(torch.autograd.grad(loss, student)[0], expected)


@pytest.mark.parametrize("channels", [3, 30])
@pytest.mark.parametrize("distance", ["squared", "kl"])
def test_a_second_derivative_is_refused_also_beside_another_term(distance: Distance, channels: int) -> None:
    """The gradient of the sum would have a second derivative that lacks this loss's part."""
    student, teacher = features(1, channels, 4, 4).requires_grad_(), features(1, 5, 4, 4, seed=1)
    total = pfs_loss(student, teacher, distance=distance) + student.pow(3).sum()
    with pytest.raises(RuntimeError, match=r"has a first derivative only, .* create_graph=True"):
        torch.autograd.grad(total, student, create_graph=True)


@pytest.mark.parametrize("exponent", [-100, -65, 65, 100])
@pytest.mark.parametrize("channels", [3, 30])
@pytest.mark.parametrize("reading", READINGS, ids=lambda r: "-".join(map(str, r.values())))
def test_features_whose_squares_are_no_fp32_numbers(exponent: int, channels: int, reading: dict[str, Any]) -> None:
    """A power of two changes no digit of the value nor of the gradient; the squares would be 0 or infinite."""
    student, teacher = features(2, channels, 4, 4).float().requires_grad_(), features(2, 5, 4, 4, seed=1).float()
    scaled = (2.0**exponent * student.detach()).requires_grad_()
    expected, loss = pfs_loss(student, teacher, **reading), pfs_loss(scaled, 2.0**exponent * teacher, **reading)
    torch.testing.assert_close(loss, expected)
    gradient = torch.autograd.grad(loss, scaled)[0] * 2.0**exponent
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, student)[0])


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("distance", ["squared", "kl"])
def test_lengths_beyond_the_largest_number_give_nan(distance: Distance, center: bool) -> None:
    student = 2e38 * features(1, 8, 4, 4).float().sign()
    assert pfs_loss(student, features(1, 8, 4, 4, seed=1).float(), distance=distance, center=center).isnan()


@pytest.mark.parametrize("channels", [2, 4, 64])
@pytest.mark.parametrize("distance", ["squared", "kl"])
def test_an_offset_of_10000_deviations_leaves_the_value_right(distance: Distance, channels: int) -> None:
    student, teacher = (features(2, channels, 8, 8, seed=seed).float() + 1e4 for seed in (0, 1))
    student.requires_grad_()
    loss = pfs_loss(student, teacher, distance=distance)
    expected = dense_pfs(
        student, teacher, distance=distance, temperature=0.1, similarity="cosine", center=True, scope="image"
    )
    torch.testing.assert_close(loss.double(), expected, rtol=1e-3, atol=0)
    difference = torch.autograd.grad(loss, student)[0] - torch.autograd.grad(expected, student)[0]
    assert (
        difference.norm() < 0.02 * torch.autograd.grad(pfs_loss(student, teacher, distance=distance), student)[0].norm()
    )


@pytest.mark.parametrize("distance", ["squared", "kl"])
@pytest.mark.parametrize(
    ("apart", "digits_of_value", "digits_of_gradient"), [(1e-2, 3, 4), (1e-3, 1, 3), (1e-4, -1, 2)]
)
def test_near_the_teacher_it_has_the_digits_that_it_promises(
    distance: Distance, apart: float, digits_of_value: int, digits_of_gradient: int
) -> None:
    teacher = features(2, 64, 32, 32).float()
    student = (teacher + apart * features(2, 64, 32, 32, seed=1).float()).requires_grad_()
    loss = pfs_loss(student, teacher, distance=distance)
    expected = dense_pfs(
        student, teacher, distance=distance, temperature=0.1, similarity="cosine", center=True, scope="image"
    )
    ours, true = (torch.autograd.grad(x, student, retain_graph=True)[0].double() for x in (loss, expected))
    assert abs(float((loss / expected).detach()) - 1) < 10.0**-digits_of_value
    assert (ours - true).norm() < 10.0**-digits_of_gradient * true.norm()


@pytest.mark.parametrize("distance", ["squared", "kl"])
def test_features_in_half_precision_are_averaged_in_single(distance: Distance) -> None:
    coarse, fine = features(2, 4, 2, 2).bfloat16(), features(2, 5, 8, 8, seed=1).bfloat16()
    for pair in ((coarse, fine), (fine, coarse)):
        assert torch.equal(pfs_loss(*pair, distance=distance), pfs_loss(*(x.float() for x in pair), distance=distance))


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (2, 4, 1, 1)])
@pytest.mark.parametrize("reading", READINGS, ids=lambda r: "-".join(map(str, r.values())))
def test_constant_maps_are_finite(scale: float, shape: tuple[int, ...], reading: dict[str, Any]) -> None:
    student = (scale * features(shape[0], shape[1], 1, 1).float()).expand(shape).clone().requires_grad_()
    loss = pfs_loss(student, features(*shape, seed=1).float(), **reading)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_a_dead_location_is_finite_and_the_others_learn() -> None:
    student = features(1, 4, 3, 3).float()
    student[..., 1, 1] = 0
    student.requires_grad_()
    pfs_loss(student, features(1, 4, 3, 3, seed=1).float(), center=False).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert student.grad.abs().sum() > 0


def test_half_precision_features_are_compared_in_single() -> None:
    student, teacher = features(2, 16, 8, 8).float().requires_grad_(), features(2, 32, 8, 8, seed=1).float()
    for distance in ("squared", "kl"):
        expected = torch.autograd.grad(pfs_loss(student, teacher, distance=distance), student)
        with torch.autocast("cpu", torch.bfloat16):
            loss = pfs_loss(student, teacher, distance=distance)
            rounded = pfs_loss(student.bfloat16(), teacher.bfloat16(), distance=distance)
            assert torch.equal(torch.autograd.grad(loss, student, retain_graph=True)[0], expected[0])
        assert loss.dtype == rounded.dtype == torch.float32
        assert torch.equal(loss, pfs_loss(student, teacher, distance=distance))
        torch.testing.assert_close(rounded, loss, rtol=0.01, atol=0)

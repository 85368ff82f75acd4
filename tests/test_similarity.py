"""PFS against its definition, and what must not change it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pfs.similarity import pfs_loss


def naive_pfs(student: Tensor, teacher: Tensor, *, center: bool) -> Tensor:
    """The definition, location by location: mean over images and pairs of (cos_S(i, j) - cos_T(i, j))²."""
    B, _, H, W = student.shape
    total = torch.zeros((), dtype=torch.float64)
    for b in range(B):
        vectors = []
        for features in (student[b], teacher[b]):
            rows = features.double().flatten(1).T  # (N, C)
            vectors.append(rows - rows.mean(0) if center else rows)
        for i in range(H * W):
            for j in range(H * W):
                cosines = [torch.cosine_similarity(v[i], v[j], dim=0) for v in vectors]
                total += (cosines[0] - cosines[1]) ** 2
    return total / (B * (H * W) ** 2)


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# C < N takes the products of channels, C > N those of locations.
@pytest.mark.parametrize("channels", [(3, 5), (30, 7)])
@pytest.mark.parametrize("center", [True, False])
def test_equals_the_definition(channels: tuple[int, int], center: bool) -> None:
    student, teacher = features(2, channels[0], 3, 4), features(2, channels[1], 3, 4, seed=1)
    expected = naive_pfs(student, teacher, center=center)
    torch.testing.assert_close(pfs_loss(student, teacher, center=center), expected)


@pytest.mark.parametrize("channels", [(3, 5), (30, 7)])
@pytest.mark.parametrize("center", [True, False])
def test_gradient(channels: tuple[int, int], center: bool) -> None:
    student, teacher = features(2, channels[0], 2, 4).requires_grad_(), features(2, channels[1], 2, 4, seed=1)
    assert torch.autograd.gradcheck(lambda s: pfs_loss(s, teacher, center=center), student)


def test_teacher_gets_no_gradient() -> None:
    student, teacher = (features(1, 4, 3, 3, seed=s).requires_grad_() for s in (0, 1))
    pfs_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert teacher.grad is None


seeds = st.integers(0, 2**31)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_student_like_teacher_is_zero(seed: int) -> None:
    student = features(2, 8, 4, 5, seed=seed, dtype=torch.float32)
    loss = float(pfs_loss(student, student.clone()))
    assert 0 <= loss < 1e-6


@given(seed=seeds, scale=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_a_feature_space_may_be_rotated_rescaled_and_shifted(seed: int, scale: float) -> None:
    student, teacher = features(2, 6, 4, 4, seed=seed), features(2, 9, 4, 4, seed=seed + 1)
    rotation = torch.linalg.qr(features(6, 6, seed=seed + 2)).Q
    moved = scale * torch.einsum("dc,bchw->bdhw", rotation, student) + features(1, 6, 1, 1, seed=seed + 3)
    torch.testing.assert_close(pfs_loss(moved, teacher), pfs_loss(student, teacher), rtol=1e-6, atol=1e-9)


def test_not_centred_a_shift_counts() -> None:
    student, teacher = features(2, 6, 4, 4), features(2, 6, 4, 4, seed=1)
    losses = [float(pfs_loss(x, teacher, center=False)) for x in (student, student + 1)]
    assert abs(losses[0] - losses[1]) > 1e-3


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_permuting_the_pixels_of_both_changes_nothing(seed: int) -> None:
    student, teacher = features(2, 6, 4, 4, seed=seed), features(2, 9, 4, 4, seed=seed + 1)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    shuffled = [x.flatten(2)[..., order].view_as(x) for x in (student, teacher)]
    torch.testing.assert_close(pfs_loss(*shuffled), pfs_loss(student, teacher))


def test_permuting_the_pixels_of_one_counts() -> None:
    student = features(1, 6, 4, 4)
    assert float(pfs_loss(student.flip(-1), student)) > 1e-3


def test_the_finer_map_is_averaged_to_the_coarser_grid() -> None:
    coarse, teacher = features(2, 4, 3, 3), features(2, 5, 3, 3, seed=1)
    fine = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(pfs_loss(fine, teacher), pfs_loss(coarse, teacher))
    torch.testing.assert_close(pfs_loss(teacher, fine), pfs_loss(teacher, coarse))


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (2, 4, 1, 1)])
def test_constant_maps_are_finite(scale: float, shape: tuple[int, ...]) -> None:
    student = (scale * features(shape[0], shape[1], 1, 1).float()).expand(shape).clone().requires_grad_()
    loss = pfs_loss(student, features(*shape, seed=1).float())
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
    student, teacher = features(2, 16, 8, 8), features(2, 32, 8, 8, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = pfs_loss(student.bfloat16(), teacher.bfloat16())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), pfs_loss(student, teacher), rtol=0.01, atol=0)


def test_maps_of_different_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"student \(2, 4, 3, 3\) and teacher \(3, 4, 3, 3\)"):
        pfs_loss(features(2, 4, 3, 3), features(3, 4, 3, 3))

"""The definitions are what the studies' losses compute, in value and gradient, and say what the paper's ideas say."""

from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pfs.losses import definition, pfs_loss, wsp_loss
from pfs.losses.baselines import kd_sums
from pfs.losses.pixelwise import pixel_means


def noise(*size: int, seed: int) -> Tensor:
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def labels(seed: int, ignored: float = 0.3) -> Tensor:
    """(2, 6, 5) labels of 4 classes, some of them ignored."""
    drawn = torch.randint(0, 4, (2, 6, 5), generator=torch.Generator().manual_seed(seed))
    return drawn.masked_fill(noise(2, 6, 5, seed=seed + 1).sigmoid() < ignored, 255)


def assert_same(ours: Tensor, defined: Tensor, student: Tensor) -> None:
    """Equal values, and equal gradients for the student."""
    torch.testing.assert_close(ours, defined)
    gradients = [torch.autograd.grad(loss, student)[0] for loss in (ours, defined)]
    torch.testing.assert_close(*gradients)


@given(seed=st.integers(0, 1000), channels=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_pfs_is_the_loss_of_the_studies(seed: int, channels: int, width: int) -> None:
    student, teacher = noise(2, channels, 4, width, seed=seed).requires_grad_(), noise(2, 6, 4, width, seed=seed + 1)
    assert_same(pfs_loss(student, teacher), definition.pfs(student, teacher), student)


@given(seed=st.integers(0, 1000), temperature=st.sampled_from([0.5, 1.0, 2.0, 8.0]))
@settings(max_examples=30, deadline=None)
def test_wsp_and_kd_are_the_losses_of_the_studies(seed: int, temperature: float) -> None:
    student, teacher = noise(2, 4, 6, 5, seed=seed).requires_grad_(), noise(2, 4, 6, 5, seed=seed + 1)
    label = labels(seed)
    ours = wsp_loss(student, teacher, label, temperature=temperature)
    assert_same(ours, definition.wsp(student, teacher, label, temperature=temperature), student)
    (plain,) = pixel_means([partial(kd_sums, temperature=temperature)], student, teacher, label, ignore_index=255)
    assert_same(plain, definition.kd(student, teacher, label, temperature=temperature), student)


def test_a_place_is_like_itself_and_maps_do_not_change_with_scale_offset_or_rotation_of_channels() -> None:
    features = noise(2, 5, 3, 4, seed=0)
    maps = definition.similarity_maps(features)
    assert maps.shape == (2, 12, 12)
    torch.testing.assert_close(maps.diagonal(dim1=1, dim2=2), torch.ones(2, 12, dtype=torch.float64))
    rotation = torch.linalg.qr(noise(5, 5, seed=1))[0]
    changed = 3 * torch.einsum("dc,bchw->bdhw", rotation, features) + noise(1, 5, 1, 1, seed=2)
    torch.testing.assert_close(definition.similarity_maps(changed), maps)


def test_the_gap_is_nothing_where_the_label_is_ignored_or_the_student_knows_better() -> None:
    student, teacher = torch.zeros(1, 2, 1, 3), torch.zeros(1, 2, 1, 3)
    teacher[:, 0] = torch.tensor([2.0, -2.0, 2.0])  # right, wrong, right
    gap = definition.knowledge_gap(student, teacher, torch.tensor([[[0, 0, 255]]]))
    assert gap[0, 0, 0] == teacher.softmax(1)[0, 0, 0, 0] - 0.5
    assert gap[0, 0, 1:].tolist() == [0, 0]


def test_wsp_is_nothing_where_no_pixel_has_a_gap() -> None:
    student = noise(2, 4, 6, 5, seed=0).requires_grad_()
    loss = definition.wsp(student, noise(2, 4, 6, 5, seed=1), torch.full((2, 6, 5), 255))
    assert loss == 0
    assert not torch.autograd.grad(loss, student)[0].any()


def test_the_total_is_the_weighted_sum() -> None:
    terms = [torch.tensor(value) for value in (1.0, 2.0, 3.0)]
    assert definition.total(*terms, lambda_pfs=10, lambda_wsp=100) == 321

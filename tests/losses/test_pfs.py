"""PFS against its definition, and what must not change it."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pfs.losses import pfs_kernels, pfs_loss
from pfs.losses.pfs import Distance, class_balance, precompute_teacher_terms, squared_norm
from pfs.losses.pfs_kernels import Similarity
from tests.losses.similarity_definition import READINGS, dense_pfs, features, naive_maps, naive_pfs


# C < N takes the products of channels, C > N those of locations.
@pytest.mark.parametrize("channels", [(3, 5), (30, 7), (30, 40)])
@pytest.mark.parametrize("reading", READINGS, ids=lambda r: "-".join(map(str, r.values())))
def test_equals_the_definition(channels: tuple[int, int], reading: dict[str, Any]) -> None:
    student, teacher = features(2, channels[0], 2, 4), features(2, channels[1], 2, 4, seed=1)
    torch.testing.assert_close(pfs_loss(student, teacher, **reading), naive_pfs(student, teacher, **reading))


@pytest.mark.parametrize("channels", [(3, 5), (30, 40)])
@pytest.mark.parametrize("reading", READINGS, ids=lambda r: "-".join(map(str, r.values())))
def test_gradient(channels: tuple[int, int], reading: dict[str, Any]) -> None:
    student, teacher = features(2, channels[0], 2, 3).requires_grad_(), features(2, channels[1], 2, 3, seed=1)
    assert torch.autograd.gradcheck(lambda s: pfs_loss(s, teacher, **reading), student)


@pytest.mark.parametrize("tile", [1, 7, 1000])
def test_the_size_of_a_tile_changes_nothing(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher = features(2, 3, 4, 4).requires_grad_(), features(2, 5, 4, 4, seed=1)
    expected = torch.autograd.grad(pfs_loss(student, teacher, distance="kl"), student)
    monkeypatch.setattr(pfs_kernels, "TILE", 16 * tile)
    torch.testing.assert_close(torch.autograd.grad(pfs_loss(student, teacher, distance="kl"), student), expected)


@pytest.mark.parametrize("strip", [1, 3 * 7, 3 * 16 * 2, 10000])  # a location, a part of an image, images, all
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_size_of_a_strip_changes_nothing(
    strip: int, similarity: Similarity, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, teacher = features(5, 3, 4, 4).requires_grad_(), features(5, 2, 4, 4, seed=1)
    monkeypatch.setattr(pfs_kernels, "STRIP", strip)
    loss = pfs_loss(student, teacher, similarity=similarity)
    expected = naive_pfs(
        student, teacher, distance="squared", temperature=1, similarity=similarity, center=True, scope="image"
    )
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(x, student)[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients)


# Of 96 numbers a strip: all three images of 2 channels, two images of 3, one of 6, and a part of one of 7.
@pytest.mark.parametrize("student_channels", [2, 3, 6, 7])
@pytest.mark.parametrize("teacher_channels", [2, 3, 6, 7])
def test_strips_of_any_two_widths(
    student_channels: int, teacher_channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pfs_kernels, "STRIP", 96)
    student = features(3, student_channels, 4, 4).requires_grad_()
    teacher = features(3, teacher_channels, 4, 4, seed=1)
    for reading in READINGS:
        loss, expected = pfs_loss(student, teacher, **reading), dense_pfs(student, teacher, **reading)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(torch.autograd.grad(loss, student), torch.autograd.grad(expected, student))


@pytest.mark.parametrize("widths", [(128, 64), (64, 128)])
def test_strips_of_two_widths_at_the_size_that_they_really_have(
    widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two images of 64 channels are less than a strip of the default size, one of 128 is half of one."""
    student = features(4, widths[0], 64, 64, dtype=torch.float32).requires_grad_()
    teacher = features(4, widths[1], 64, 64, seed=1, dtype=torch.float32)
    results = []
    for strip in (pfs_kernels.STRIP, 2**30):
        monkeypatch.setattr(pfs_kernels, "STRIP", strip)
        loss = pfs_loss(student, teacher)
        results.append((loss, *torch.autograd.grad(loss, student)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_order_of_memory_changes_nothing(similarity: Similarity) -> None:
    student, teacher = features(2, 3, 4, 5), features(2, 6, 4, 5, seed=1)
    results = []
    for order in (torch.contiguous_format, torch.channels_last):
        s, t = student.clone(memory_format=order).requires_grad_(), teacher.clone(memory_format=order)
        loss = pfs_loss(s, t, similarity=similarity)
        results.append((loss, torch.autograd.grad(loss, s)[0]))
    torch.testing.assert_close(*results)


def test_a_known_norm_of_the_teachers_maps_changes_nothing() -> None:
    student, teacher = features(2, 3, 4, 4), features(2, 5, 4, 4, seed=1)
    maps = naive_maps(teacher, similarity="cosine", center=True, scope="image")
    torch.testing.assert_close(squared_norm(teacher), maps.square().sum((1, 2)))
    teacher_terms = pfs_loss(student, teacher, teacher_terms=squared_norm(teacher))
    torch.testing.assert_close(teacher_terms, pfs_loss(student, teacher))
    assert not torch.equal(
        teacher_terms, pfs_loss(student, teacher, teacher_terms=2 * squared_norm(teacher))
    )  # it is used
    coarse = features(2, 3, 2, 2)  # the teacher's map is averaged, and has another norm
    torch.testing.assert_close(
        pfs_loss(coarse, teacher, teacher_terms=squared_norm(teacher)), pfs_loss(coarse, teacher)
    )
    with pytest.raises(ValueError, match="leave it out"):
        pfs_loss(student, teacher, scope="batch", teacher_terms=squared_norm(teacher))
    with pytest.raises(ValueError, match=r"must be \(2,\), a number an image, or \(2, 16, 16\), its maps; got \(1,\)"):
        pfs_loss(student, teacher, teacher_terms=squared_norm(teacher)[:1])


@pytest.mark.parametrize("channels", [3, 30])  # fewer than the locations, and more
def test_known_maps_of_the_teacher_change_nothing(channels: int) -> None:
    student, teacher = features(2, channels, 4, 4).requires_grad_(), features(2, 40, 4, 4, seed=1)
    maps = naive_maps(teacher, similarity="cosine", center=True, scope="image")
    expected, teacher_terms = pfs_loss(student, teacher), pfs_loss(student, teacher, teacher_terms=maps)
    torch.testing.assert_close(teacher_terms, expected)
    torch.testing.assert_close(torch.autograd.grad(teacher_terms, student), torch.autograd.grad(expected, student))
    assert pfs_loss(student, teacher, teacher_terms=-maps) > expected  # they are used
    coarse = features(2, 3, 2, 2)  # the teacher's features are averaged, and have other maps
    torch.testing.assert_close(pfs_loss(coarse, teacher, teacher_terms=maps), pfs_loss(coarse, teacher))


def test_of_the_teacher_maps_are_kept_where_they_are_smaller_else_their_norm() -> None:
    narrow, wide = features(2, 16, 4, 4), features(2, 17, 4, 4)
    torch.testing.assert_close(precompute_teacher_terms(narrow), squared_norm(narrow))
    kept = precompute_teacher_terms(wide)
    assert kept.dtype == torch.float16
    maps = naive_maps(wide, similarity="cosine", center=True, scope="image")
    torch.testing.assert_close(kept.to(maps), maps, rtol=0, atol=2**-12)  # half of fp16's last place below 1
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(precompute_teacher_terms(wide.float()).to(maps), maps, rtol=0, atol=2**-12 + 1e-6)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4)])
def test_empty_maps_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="none of these 0"):
        pfs_loss(torch.zeros(shape), torch.zeros(shape))


def test_no_map_of_all_pairs_is_held() -> None:
    """4,096 locations: one fp32 map would be 64 MiB, and the dense form holds several."""
    student, teacher = features(1, 8, 64, 64).float().requires_grad_(), features(1, 8, 64, 64, seed=1).float()
    for distance in ("squared", "kl"):
        with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            pfs_loss(student, teacher, distance=distance).backward()  # type: ignore[no-untyped-call]
        largest = max(event.cpu_memory_usage for event in profile.events() if event.name.startswith("aten::"))
        assert largest < 4 * 4096**2


def test_teacher_gets_no_gradient() -> None:
    student, teacher = (features(1, 4, 3, 3, seed=s).requires_grad_() for s in (0, 1))
    pfs_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert teacher.grad is None


seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("distance", ["squared", "kl"])
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_student_like_teacher_is_zero(distance: Distance, seed: int) -> None:
    student = features(2, 8, 4, 5, seed=seed, dtype=torch.float32)
    assert 0 <= float(pfs_loss(student, student.clone(), distance=distance)) < 1e-6
    # The same similarities in other channels, so that no two products are equal by chance.
    rotation = torch.linalg.qr(features(8, 8, seed=seed)).Q.float()
    turned = torch.einsum("dc,bchw->bdhw", rotation, student)
    assert 0 <= float(pfs_loss(turned, student, distance=distance)) < 1e-6


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


# --- locations that do not count alike --------------------------------------------------------------------------------

LOCATION_WEIGHTS = torch.tensor([[0.0, 2.0, 1.0, 3.0, 0.5, 1.0], [1.0, 0.0, 0.0, 4.0, 0.5, 0.5]], dtype=torch.float64)


# C < N takes the products of channels, C > N those of locations.
@pytest.mark.parametrize("channels", [(2, 3), (30, 40)])
@pytest.mark.parametrize("center", [True, False])
def test_weighted_locations_equal_the_definition(channels: tuple[int, int], center: bool) -> None:
    student, teacher = features(2, channels[0], 2, 3).requires_grad_(), features(2, channels[1], 2, 3, seed=1)
    w = LOCATION_WEIGHTS
    P, Q = (naive_maps(x, similarity="cosine", center=center, scope="image") for x in (student, teacher))
    expected = (w[:, :, None] * w[:, None] * (P - Q) ** 2).mean()
    torch.testing.assert_close(pfs_loss(student, teacher, center=center, location_weights=w), expected)
    loss = lambda s: pfs_loss(s, teacher, center=center, location_weights=w)  # noqa: E731
    assert torch.autograd.gradcheck(loss, student)


def test_equal_weights_of_the_locations_change_nothing() -> None:
    student, teacher = features(2, 3, 2, 4), features(2, 5, 2, 4, seed=1)
    weighted = pfs_loss(student, teacher, location_weights=torch.ones(2, 8))
    torch.testing.assert_close(weighted, pfs_loss(student, teacher))


@pytest.mark.parametrize(
    "options", [{"distance": "kl"}, {"scope": "batch"}, {"teacher_terms": torch.zeros(2, dtype=torch.float64)}]
)
def test_weights_of_the_locations_are_refused_beside_options_that_have_none(options: dict[str, Any]) -> None:
    student, teacher = features(2, 3, 2, 4), features(2, 5, 2, 4, seed=1)
    with pytest.raises(ValueError, match="location_weights go with distance='squared' and scope='image'"):
        pfs_loss(student, teacher, location_weights=torch.ones(2, 8), **options)


def test_each_class_of_an_image_weighs_as_much_as_every_other() -> None:
    target = torch.tensor([[[0, 0, 0], [0, 2, 255]], [[255, 255, 255], [255, 255, 255]]])
    weights = class_balance(target, (2, 3), classes=4)
    expected = torch.tensor([[0.75, 0.75, 0.75, 0.75, 3.0, 0.0], [0.0] * 6])
    torch.testing.assert_close(weights, expected)
    assert weights[0].mean() == 1
    coarse = class_balance(target.repeat_interleave(2, 1).repeat_interleave(2, 2), (2, 3), classes=4)
    assert torch.equal(coarse, weights)


def test_an_image_without_any_label_counts_as_nothing() -> None:
    student, teacher = features(2, 3, 2, 4).requires_grad_(), features(2, 5, 2, 4, seed=1)
    nothing = class_balance(torch.full((2, 2, 4), 255), (2, 4), classes=3)
    loss = pfs_loss(student, teacher, location_weights=nothing)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.detach() == 0 and gradient.eq(0).all()


def test_bad_options_are_refused() -> None:
    x = features(1, 2, 2, 2)
    with pytest.raises(ValueError, match="unknown distance 'kll'; valid choices: squared, kl"):
        pfs_loss(x, x, distance="kll")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown similarity 'cos'; valid choices: cosine, dot"):
        pfs_loss(x, x, similarity="cos")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown scope 'all'; valid choices: image, batch"):
        pfs_loss(x, x, scope="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        pfs_loss(x, x, distance="kl", temperature=0)


def test_maps_of_different_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"student \(2, 4, 3, 3\) and teacher \(3, 4, 3, 3\)"):
        pfs_loss(features(2, 4, 3, 3), features(3, 4, 3, 3))

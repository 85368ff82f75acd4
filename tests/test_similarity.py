"""PFS against its definition, and what must not change it."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pfs import kernels
from pfs.kernels import Similarity
from pfs.similarity import Match, PFSLoss, pfs_loss, squared_norm, worth_keeping


def naive_maps(features: Tensor, *, similarity: str, center: bool, scope: str) -> Tensor:
    """The similarity maps by their definition, location by location: (B, N, N), or (1, B N, B N)."""
    rows = features.double().flatten(2).transpose(1, 2)  # (B, N, C)
    if scope == "batch":
        rows = rows.reshape(1, -1, rows.shape[2])
    maps = torch.zeros(len(rows), rows.shape[1], rows.shape[1], dtype=torch.float64)
    for b, image in enumerate(rows):
        vectors = image - image.mean(0) if center else image
        mean_square = vectors.square().sum(1).mean()
        for i, first in enumerate(vectors):
            for j, second in enumerate(vectors):
                dot = first @ second
                maps[b, i, j] = dot / (first.norm() * second.norm()) if similarity == "cosine" else dot / mean_square
    return maps


def naive_pfs(student: Tensor, teacher: Tensor, *, match: str, tau: float, **options: Any) -> Tensor:
    """The definition from dense maps, in double precision."""
    S, T = (naive_maps(x, **options) for x in (student, teacher))
    if match == "squared":
        return (S - T).square().mean()
    a, b = (T / tau).softmax(2), (S / tau).softmax(2)
    return (a * (a.log() - b.log())).sum(2).mean()


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


READINGS = [
    {"match": match, "similarity": similarity, "center": center, "scope": scope, "tau": 0.3}
    for match in ("squared", "kl")
    for similarity in ("cosine", "dot")
    for center in (True, False)
    for scope in ("image", "batch")
]


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
    expected = torch.autograd.grad(pfs_loss(student, teacher, match="kl"), student)
    monkeypatch.setattr(kernels, "TILE", 16 * tile)
    torch.testing.assert_close(torch.autograd.grad(pfs_loss(student, teacher, match="kl"), student), expected)


@pytest.mark.parametrize("strip", [1, 3 * 7, 3 * 16 * 2, 10000])  # a location, a part of an image, images, all
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_size_of_a_strip_changes_nothing(
    strip: int, similarity: Similarity, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, teacher = features(5, 3, 4, 4).requires_grad_(), features(5, 2, 4, 4, seed=1)
    monkeypatch.setattr(kernels, "STRIP", strip)
    loss = pfs_loss(student, teacher, similarity=similarity)
    expected = naive_pfs(student, teacher, match="squared", tau=1, similarity=similarity, center=True, scope="image")
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(x, student)[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients)


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
    known = pfs_loss(student, teacher, known=squared_norm(teacher))
    torch.testing.assert_close(known, pfs_loss(student, teacher))
    assert not torch.equal(known, pfs_loss(student, teacher, known=2 * squared_norm(teacher)))  # it is used
    coarse = features(2, 3, 2, 2)  # the teacher's map is averaged, and has another norm
    torch.testing.assert_close(pfs_loss(coarse, teacher, known=squared_norm(teacher)), pfs_loss(coarse, teacher))
    with pytest.raises(ValueError, match="leave it out"):
        pfs_loss(student, teacher, scope="batch", known=squared_norm(teacher))
    with pytest.raises(ValueError, match=r"must be \(2,\), a number an image, or \(2, 16, 16\), its maps; got \(1,\)"):
        pfs_loss(student, teacher, known=squared_norm(teacher)[:1])


@pytest.mark.parametrize("channels", [3, 30])  # fewer than the locations, and more
def test_known_maps_of_the_teacher_change_nothing(channels: int) -> None:
    student, teacher = features(2, channels, 4, 4).requires_grad_(), features(2, 40, 4, 4, seed=1)
    maps = naive_maps(teacher, similarity="cosine", center=True, scope="image")
    expected, known = pfs_loss(student, teacher), pfs_loss(student, teacher, known=maps)
    torch.testing.assert_close(known, expected)
    torch.testing.assert_close(torch.autograd.grad(known, student), torch.autograd.grad(expected, student))
    assert pfs_loss(student, teacher, known=-maps) > expected  # they are used
    coarse = features(2, 3, 2, 2)  # the teacher's features are averaged, and have other maps
    torch.testing.assert_close(pfs_loss(coarse, teacher, known=maps), pfs_loss(coarse, teacher))


def test_of_the_teacher_maps_are_kept_where_they_are_smaller_else_their_norm() -> None:
    narrow, wide = features(2, 16, 4, 4), features(2, 17, 4, 4)
    torch.testing.assert_close(worth_keeping(narrow), squared_norm(narrow))
    kept = worth_keeping(wide)
    assert kept.dtype == torch.float16
    maps = naive_maps(wide, similarity="cosine", center=True, scope="image")
    torch.testing.assert_close(kept.to(maps), maps, rtol=0, atol=2**-12)  # half of fp16's last place below 1
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(worth_keeping(wide.float()).to(maps), maps, rtol=0, atol=2**-12 + 1e-6)


@pytest.mark.parametrize("match", ["squared", "kl"])
def test_a_teacher_may_be_of_another_precision_or_asked_in_inference_mode(match: Match) -> None:
    student, teacher = features(1, 3, 4, 4).requires_grad_(), features(1, 5, 4, 4, seed=1)
    expected = pfs_loss(student, teacher, match=match)
    with torch.inference_mode():
        asked = 1 * teacher
    torch.testing.assert_close(pfs_loss(student, asked, match=match), expected)
    mixed = pfs_loss(student.float(), teacher, match=match), pfs_loss(student, teacher.float(), match=match)
    for loss in mixed:
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
        torch.autograd.grad(loss, student)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4)])
def test_empty_maps_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="none of these 0"):
        pfs_loss(torch.zeros(shape), torch.zeros(shape))


def test_features_changed_before_the_backward_pass_are_noticed() -> None:
    leaf = features(1, 3, 4, 4).requires_grad_()
    student = 1 * leaf
    loss = pfs_loss(student, features(1, 3, 4, 4, seed=1))
    student.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


def test_no_map_of_all_pairs_is_held() -> None:
    """4,096 locations: one fp32 map would be 64 MiB, and the dense form holds several."""
    student, teacher = features(1, 8, 64, 64).float().requires_grad_(), features(1, 8, 64, 64, seed=1).float()
    for match in ("squared", "kl"):
        with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            pfs_loss(student, teacher, match=match).backward()  # type: ignore[no-untyped-call]
        largest = max(event.cpu_memory_usage for event in profile.events() if event.name.startswith("aten::"))
        assert largest < 4 * 4096**2


def test_the_module_is_the_function() -> None:
    student, teacher = features(2, 3, 4, 4), features(2, 5, 4, 4, seed=1)
    module = PFSLoss(match="kl", tau=0.2, center=False)
    torch.testing.assert_close(module(student, teacher), pfs_loss(student, teacher, match="kl", tau=0.2, center=False))
    assert "tau=0.2" in repr(module)


def test_teacher_gets_no_gradient() -> None:
    student, teacher = (features(1, 4, 3, 3, seed=s).requires_grad_() for s in (0, 1))
    pfs_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert teacher.grad is None


seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("match", ["squared", "kl"])
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_student_like_teacher_is_zero(match: Match, seed: int) -> None:
    student = features(2, 8, 4, 5, seed=seed, dtype=torch.float32)
    assert 0 <= float(pfs_loss(student, student.clone(), match=match)) < 1e-6
    # The same similarities in other channels, so that no two products are equal by chance.
    rotation = torch.linalg.qr(features(8, 8, seed=seed)).Q.float()
    turned = torch.einsum("dc,bchw->bdhw", rotation, student)
    assert 0 <= float(pfs_loss(turned, student, match=match)) < 1e-6


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
    for match in ("squared", "kl"):
        expected = torch.autograd.grad(pfs_loss(student, teacher, match=match), student)
        with torch.autocast("cpu", torch.bfloat16):
            loss = pfs_loss(student, teacher, match=match)
            rounded = pfs_loss(student.bfloat16(), teacher.bfloat16(), match=match)
            assert torch.equal(torch.autograd.grad(loss, student, retain_graph=True)[0], expected[0])
        assert loss.dtype == rounded.dtype == torch.float32
        assert torch.equal(loss, pfs_loss(student, teacher, match=match))
        torch.testing.assert_close(rounded, loss, rtol=0.01, atol=0)


def test_bad_options_are_refused() -> None:
    x = features(1, 2, 2, 2)
    with pytest.raises(ValueError, match="unknown option: match='kll'"):
        pfs_loss(x, x, match="kll")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tau must be positive, got 0"):
        pfs_loss(x, x, match="kl", tau=0)


def test_maps_of_different_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"student \(2, 4, 3, 3\) and teacher \(3, 4, 3, 3\)"):
        pfs_loss(features(2, 4, 3, 3), features(3, 4, 3, 3))

"""The losses of others against naive references in double precision, and against torchdistill's where it has them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchdistill.losses.mid_level import ATLoss, KDLoss

from pfs.losses.baselines import (
    attention_loss,
    cwd_loss,
    fitnet_loss,
    hard_pixel_sums,
    ifvd_loss,
    kd_sums,
    nfd_loss,
    skd_pairwise_loss,
    sp_loss,
)
from pfs.losses.pixelwise import pixel_means

IGNORE = 255
B, H, W, CLASSES = 2, 4, 6, 3


def maps(student_channels: int = 3, teacher_channels: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    channels = (student_channels, teacher_channels)
    student, teacher = (torch.randn(B, c, H, W, generator=generator, dtype=torch.float64) for c in channels)
    return student, teacher


def labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    target = torch.randint(0, CLASSES, (B, H, W), generator=generator)
    target[torch.rand(B, H, W, generator=generator) < 0.3] = IGNORE
    return target


def pixels(features: Tensor) -> list[tuple[int, int, int]]:
    return [(b, i, j) for b in range(B) for i in range(features.shape[2]) for j in range(features.shape[3])]


# --- naive references -------------------------------------------------------------------------------------------------


def naive_fitnet(student: Tensor, teacher: Tensor) -> float:
    squares = [(s - t) ** 2 for s, t in zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True)]
    return float(sum(squares)) / len(squares)


def naive_nfd(student: Tensor, teacher: Tensor) -> float:
    total, C = 0.0, student.shape[1]
    for b in range(B):
        for c in range(C):
            s, t = ((f - f.mean()) / (f.var(correction=0) + 1e-5).sqrt() for f in (student[b, c], teacher[b, c]))
            total += float((s - t).square().mean()) / (B * C)
    return total


def naive_attention(student: Tensor, teacher: Tensor) -> float:
    total = 0.0
    for b in range(B):
        attention = []
        for f in (student[b], teacher[b]):
            q = torch.stack([f[:, i, j].square().mean() for i in range(H) for j in range(W)])
            attention.append(q / q.square().mean().sqrt())
        total += float((attention[0] - attention[1]).square().mean()) / B
    return total


def naive_sp(student: Tensor, teacher: Tensor) -> float:
    total = 0.0
    for a in range(B):
        rows = []
        for f in (student, teacher):
            row = torch.stack([(f[a] * f[b]).sum() for b in range(B)])
            rows.append(row / row.norm())
        total += float((rows[0] - rows[1]).square().sum()) / B**2
    return total


def naive_skd(student: Tensor, teacher: Tensor) -> float:
    total = 0.0
    for b in range(B):
        nodes = []
        for f in (student[b], teacher[b]):
            cells = [f[:, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3] for i in range(2) for j in range(2)]
            nodes.append([cell.amax((1, 2)) for cell in cells])
        for i in range(4):
            for j in range(4):
                cosines = [float(torch.cosine_similarity(v[i], v[j], dim=0)) for v in nodes]
                total += (cosines[0] - cosines[1]) ** 2 / (B * 4 * 4)
    return total


def naive_cwd(student: Tensor, teacher: Tensor) -> float:
    total = 0.0
    for b in range(B):
        for c in range(student.shape[1]):
            p, q = ((f[b, c].flatten() / 4).softmax(0) for f in (teacher, student))
            total += 16 * float((p * (p / q).log()).sum()) / (B * student.shape[1])
    return total


def naive_ifvd(student: Tensor, teacher: Tensor) -> float:
    target, cosines = labels(), []
    for f in (student, teacher):
        means = {}
        for b in range(B):
            for k in range(CLASSES):
                own = f[b][:, target[b] == k]
                means[b, k] = own.mean(1) if own.shape[1] else own.sum(1)
        valid = [(b, i, j) for b, i, j in pixels(f) if target[b, i, j] != IGNORE]
        cosines.append(
            [float(torch.cosine_similarity(f[b, :, i, j], means[b, int(target[b, i, j])], dim=0)) for b, i, j in valid]
        )
    squares = [(s - t) ** 2 for s, t in zip(*cosines, strict=True)]
    return float(sum(squares)) / len(squares)


def ifvd(student: Tensor, teacher: Tensor) -> Tensor:
    return ifvd_loss(student, teacher, labels(), classes=CLASSES)


def skd(student: Tensor, teacher: Tensor) -> Tensor:
    return skd_pairwise_loss(student, teacher, grid=2)


EQUAL_CHANNELS = [(fitnet_loss, naive_fitnet), (nfd_loss, naive_nfd), (cwd_loss, naive_cwd)]
ANY_CHANNELS = [(attention_loss, naive_attention), (sp_loss, naive_sp), (skd, naive_skd), (ifvd, naive_ifvd)]
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.mark.parametrize(("loss", "naive"), [*EQUAL_CHANNELS, *ANY_CHANNELS])
def test_equals_the_definition(loss: Loss, naive: Callable[[Tensor, Tensor], float]) -> None:
    student, teacher = maps(5, 5)
    assert float(loss(student, teacher)) == pytest.approx(naive(student, teacher))


@pytest.mark.parametrize("loss", [loss for loss, _ in [*EQUAL_CHANNELS, *ANY_CHANNELS]])
def test_gradient(loss: Loss) -> None:
    student, teacher = maps(5, 5)
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student.requires_grad_())


@pytest.mark.parametrize("loss", [loss for loss, _ in [*EQUAL_CHANNELS, *ANY_CHANNELS]])
def test_the_teacher_itself_is_at_zero_and_gets_no_gradient(loss: Loss) -> None:
    _, teacher = maps()
    teacher.requires_grad_()
    student = teacher.detach().clone().requires_grad_()
    value = loss(student, teacher)
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == pytest.approx(0, abs=1e-12)
    assert teacher.grad is None


@pytest.mark.parametrize(("loss", "naive"), ANY_CHANNELS)
def test_widths_may_differ(loss: Loss, naive: Callable[[Tensor, Tensor], float]) -> None:
    student, teacher = maps()
    assert float(loss(student, teacher)) == pytest.approx(naive(student, teacher))


@pytest.mark.parametrize("loss", [loss for loss, _ in EQUAL_CHANNELS])
def test_widths_that_must_not_differ_are_refused(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"got 3 and 5"):
        loss(*maps())


@pytest.mark.parametrize("loss", [loss for loss, _ in [*EQUAL_CHANNELS, *ANY_CHANNELS]])
def test_half_precision_features_are_compared_in_single(loss: Loss) -> None:
    student, teacher = (x.float() for x in maps(5, 5))
    with torch.autocast("cpu", torch.bfloat16):
        value, rounded = loss(student, teacher), loss(student.bfloat16(), teacher.bfloat16())
    assert value.dtype == rounded.dtype == torch.float32
    assert torch.equal(value, loss(student, teacher))
    torch.testing.assert_close(rounded, value, rtol=0.03, atol=1e-4)


@pytest.mark.parametrize("loss", [loss for loss, _ in [*EQUAL_CHANNELS, *ANY_CHANNELS]])
def test_a_backward_pass_inside_autocast_loses_no_digit(loss: Loss) -> None:
    student, teacher = (x.float().requires_grad_() for x in maps(5, 5))
    (expected,) = torch.autograd.grad(loss(student, teacher), student)
    with torch.autocast("cpu", torch.bfloat16):
        (gradient,) = torch.autograd.grad(loss(student, teacher), student)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("loss", [sp_loss, cwd_loss, attention_loss, fitnet_loss])
def test_a_second_derivative_is_right(loss: Loss) -> None:
    student, teacher = maps(5, 5)
    assert torch.autograd.gradgradcheck(lambda s: loss(s, teacher), student.requires_grad_())


@pytest.mark.parametrize("exponent", [-100, -30, 40, 100])
@pytest.mark.parametrize("loss", [loss for loss, _ in ANY_CHANNELS])
def test_features_of_any_size_give_the_same_loss(loss: Loss, exponent: int) -> None:
    """Squares of squares of such numbers are 0 or infinite in fp32."""
    student, teacher = (x.float().requires_grad_() for x in maps())
    scaled = (2.0**exponent * student.detach()).requires_grad_()
    expected, value = loss(student, teacher), loss(scaled, 2.0**exponent * teacher)
    torch.testing.assert_close(value, expected)
    gradient = torch.autograd.grad(value, scaled)[0] * 2.0**exponent
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, student)[0])


@pytest.mark.parametrize("apart", [1e-3, 1e-4, 1e-5])
def test_cwd_near_the_teacher_is_right_and_not_negative(apart: float) -> None:
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        teacher = torch.randn(2, 3, 32, 32, generator=generator)
        student = (teacher + apart * torch.randn(2, 3, 32, 32, generator=generator)).requires_grad_()
        loss = cwd_loss(student, teacher)
        log_s, log_t = ((x.double().flatten(2) / 4).log_softmax(2) for x in (student, teacher))
        expected = 16 * (log_t.exp() * (log_t - log_s)).sum(2).mean()
        assert loss.detach() >= 0
        torch.testing.assert_close(loss.double(), expected, rtol=0, atol=5e-8)
        ours, true = (torch.autograd.grad(x, student)[0] for x in (loss, expected))
        assert (ours - true).norm() < 3e-6 / apart * true.norm()  # also where the value has been raised to 0


def test_nfd_does_not_ask_for_the_teachers_magnitudes() -> None:
    _, teacher = maps(5, 5)
    scale, shift = torch.tensor([2.0, 0.5, 3.0, 10.0, 1.0])[:, None, None], 7.0
    assert float(nfd_loss(scale * teacher + shift, teacher)) == pytest.approx(0, abs=1e-7)
    assert float(nfd_loss(teacher.flip(2), teacher)) > 1


def test_nfd_of_a_constant_channel_has_a_finite_gradient() -> None:
    student, teacher = maps(5, 5)
    student[:, 0] = 0  # a channel that the ReLU has closed
    (gradient,) = torch.autograd.grad(nfd_loss(student.requires_grad_(), teacher), student)
    assert gradient.isfinite().all()


def test_ifvd_ignores_what_is_ignored() -> None:
    student, teacher = maps()
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(ifvd(student, teacher), student)
    ignored = (labels() == IGNORE)[:, None].expand_as(gradient)
    assert gradient[ignored].eq(0).all()
    nothing = ifvd_loss(student, teacher, torch.full((B, H, W), IGNORE), classes=CLASSES)
    assert float(nothing.detach()) == 0


def test_a_grid_finer_than_the_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"grid 5 does not fit the features' map \(4, 6\)"):
        skd_pairwise_loss(*maps(), grid=5)


# --- torchdistill's, up to a stated constant --------------------------------------------------------------------------


def outputs(student: Tensor, teacher: Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"layer": {"output": student}}, {"layer": {"output": teacher}}


def test_attention_is_torchdistills_times_the_locations() -> None:
    place = {"io": "output", "path": "layer"}
    oracle = ATLoss({"pair": {"teacher": place, "student": place, "weight": 1}}, mode="code")
    # Theirs takes the mean over the locations of maps of unit length, ours of maps whose mean square is 1.
    torch.testing.assert_close(attention_loss(*maps()), oracle(*outputs(*maps())) * H * W)


def test_kd_is_torchdistills_over_the_locations() -> None:
    student, teacher = maps(CLASSES, CLASSES)
    oracle = KDLoss("layer", "output", "layer", "output", temperature=3.0, alpha=0.0, reduction="batchmean")
    everywhere = torch.zeros(B, H, W, dtype=torch.long)
    expected = oracle(*outputs(student, teacher), None) * 3.0**2 / (H * W)  # theirs: no T², summed over locations
    kd = pixel_means([partial(kd_sums, temperature=3.0)], student, teacher, everywhere, ignore_index=IGNORE)
    torch.testing.assert_close(kd[0], expected)


# --- the control without a teacher ------------------------------------------------------------------------------------


def hard_pixels(logits: Tensor, target: Tensor) -> Tensor:
    return pixel_means([hard_pixel_sums], logits, None, target, ignore_index=IGNORE)[0]


def test_hard_pixels_weigh_the_cross_entropy_by_what_is_missing() -> None:
    logits, _ = maps(CLASSES)
    target, total, weights = labels(), 0.0, 0.0
    for b, i, j in (target != IGNORE).nonzero().tolist():
        p = float(logits[b, :, i, j].softmax(0)[target[b, i, j]])
        total -= (1 - p) * float(torch.tensor(p).log())
        weights += 1 - p
    assert float(hard_pixels(logits, target)) == pytest.approx(total / weights, rel=1e-5)


def test_hard_pixels_are_silent_without_a_valid_pixel() -> None:
    logits = maps(CLASSES)[0].requires_grad_()
    loss = hard_pixels(logits, torch.full((B, H, W), IGNORE))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss.detach()) == 0
    assert gradient.eq(0).all()


def test_the_gradient_of_hard_pixels_holds_the_weights_fixed() -> None:
    logits = maps(CLASSES)[0].float().requires_grad_()
    loss = F.cross_entropy(logits, labels(), ignore_index=IGNORE, reduction="none")
    weight = 1 - (-loss.detach()).exp()
    expected = torch.autograd.grad((weight * loss).sum() / weight.sum(), logits)
    torch.testing.assert_close(torch.autograd.grad(hard_pixels(logits, labels()), logits), expected)


def test_bad_arguments_are_refused() -> None:
    x, labels = torch.zeros(2, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        cwd_loss(x, x, temperature=0)
    with pytest.raises(ValueError, match="grid 0 does not fit"):
        skd_pairwise_loss(x, x, grid=0)
    with pytest.raises(ValueError, match=r"B = 2, got \(1, 4, 4\)"):
        ifvd_loss(x, x, labels, classes=3)

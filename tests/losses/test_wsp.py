"""WSP and KD against their definition, and where they must be silent."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pfs.losses import definition, pixelwise, wsp_loss
from pfs.losses.baselines import kd_sums
from pfs.losses.pixelwise import Probabilities
from pfs.losses.prediction import upsample
from pfs.losses.wsp import GAPS, wsp_sums

IGNORE = 255


def scene(seed: int = 0, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Student's and teacher's logits (2, classes, 3, 5) and labels with some ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (2 * torch.randn(2, classes, 3, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    target = torch.randint(0, classes, (2, 3, 5), generator=generator)
    target[torch.rand(2, 3, 5, generator=generator) < 0.3] = IGNORE
    return student, teacher, target


def gap_weights(student: Tensor, teacher: Tensor, target: Tensor, gap: str) -> Tensor:
    """The weights (B, H, W) of logits at the labels' resolution, before they are normalised; 0 where ignored."""
    valid = target != IGNORE
    return GAPS[gap](target.long() * valid, Probabilities(student.detach()), Probabilities(teacher)) * valid


def naive_wsp(student: Tensor, teacher: Tensor, target: Tensor, *, T: float, gap: str, normalize: bool) -> float:
    """The definition, pixel by pixel, in plain Python."""

    def softmax(logits: list[float], temperature: float) -> list[float]:
        exponentials = [math.exp(z / temperature) for z in logits]
        return [e / sum(exponentials) for e in exponentials]

    def kl(p: list[float], q: list[float]) -> float:
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    weights, divergences = [], []
    for b, i, j in (target != IGNORE).nonzero().tolist():
        s, t, y = student[b, :, i, j].tolist(), teacher[b, :, i, j].tolist(), int(target[b, i, j])
        q, p = softmax(s, 1), softmax(t, 1)
        gaps = {
            "margin": max(0.0, p[y] - q[y]),
            "absolute": abs(p[y] - q[y]),
            "loss": 1 - math.exp(-math.log(q[y]) / math.log(p[y])),
            "divergence": kl(p, q),
            "correct": float(p[y] == max(p)),
            "student": 1 - q[y],
            "uniform": 1.0,
        }
        weights.append(gaps[gap])
        divergences.append(T**2 * kl(softmax(t, T), softmax(s, T)))
    mean = sum(weights) / len(weights) if normalize else 1
    return sum(w / mean * d for w, d in zip(weights, divergences, strict=True)) / len(weights)


@pytest.mark.parametrize("gap", ["margin", "uniform"])
@pytest.mark.parametrize("normalize", [True, False])
def test_weighted_by_class_a_pixel_counts_as_its_label_does(gap: str, normalize: bool) -> None:
    student, teacher, target = scene()
    by_class = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    loss = partial(wsp_sums, gap=gap, normalize=normalize, class_weights=by_class)
    (value,) = pixelwise.pixel_means([loss], student, teacher, target, ignore_index=IGNORE)
    valid = target != IGNORE
    each = by_class[target * valid] * valid
    weight = each * gap_weights(student, teacher, target, gap)
    p, q = (x.div(2).softmax(1) for x in (teacher, student))
    expected = (weight * 4 * (p * (p / q).log()).sum(1)).sum() / (weight if normalize else each).sum()
    torch.testing.assert_close(value, expected)
    if gap == "uniform":
        kd = partial(kd_sums, temperature=2.0, class_weights=by_class)
        torch.testing.assert_close(
            pixelwise.pixel_means([kd], student, teacher, target, ignore_index=IGNORE)[0], expected
        )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_the_definition(temperature: float, gap: str, normalize: bool) -> None:
    student, teacher, target = scene()
    loss = wsp_loss(student, teacher, target, gap=gap, temperature=temperature, normalize=normalize)
    assert float(loss) == pytest.approx(
        naive_wsp(student, teacher, target, T=temperature, gap=gap, normalize=normalize)
    )


def test_equal_weights_equal_a_value_by_hand() -> None:
    # p_T = (3/4, 1/4), p_S = (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2)
    teacher = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
    label = torch.zeros(1, 1, 1, dtype=torch.long)
    loss = wsp_loss(torch.zeros(1, 2, 1, 1), teacher, label, gap="uniform", temperature=1.0)
    assert float(loss) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


@given(seed=st.integers(0, 2**31), temperature=st.floats(0.5, 8))
@settings(max_examples=25, deadline=None)
def test_uniform_weights_are_kd(seed: int, temperature: float) -> None:
    student, teacher, target = scene(seed)
    kd = definition.kd(student, teacher, target, temperature=temperature)
    for normalize in (True, False):
        wsp = wsp_loss(student, teacher, target, gap="uniform", temperature=temperature, normalize=normalize)
        torch.testing.assert_close(wsp, kd)


def test_gradient_with_the_weights_held_fixed() -> None:
    student, teacher, target = scene()
    student.requires_grad_()
    # No gradient through the weights: a numeric derivative agrees only where they do not move.
    assert torch.autograd.gradcheck(lambda s: wsp_loss(s, teacher, target, gap="uniform"), student)
    weight = gap_weights(student, teacher, target, "margin")

    def fixed(s: Tensor) -> Tensor:
        log_s, log_t = ((x / 2).log_softmax(1) for x in (s, teacher))
        return 4 * (weight * (log_t.exp() * (log_t - log_s)).sum(1)).sum() / weight.sum()

    ours, theirs = (
        torch.autograd.grad(f(student), student)[0] for f in (lambda s: wsp_loss(s, teacher, target), fixed)
    )
    torch.testing.assert_close(ours, theirs)


def test_ignored_pixels_have_no_gradient_and_no_say() -> None:
    student, teacher, target = scene()
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(wsp_loss(student, teacher, target), student)
    ignored = (target == IGNORE)[:, None].expand_as(gradient)
    assert gradient[ignored].eq(0).all()
    assert gradient[~ignored].ne(0).any()
    shouted = teacher.masked_fill(ignored, 50.0)
    torch.testing.assert_close(wsp_loss(student, shouted, target), wsp_loss(student, teacher, target))


def test_no_weight_where_the_student_knows_better() -> None:
    student, teacher, target = scene()
    valid = target != IGNORE
    label = target.masked_fill(~valid, 0)[:, None]
    better = (student.softmax(1).gather(1, label) > teacher.softmax(1).gather(1, label))[:, 0]
    weight = gap_weights(student, teacher, target, "margin")
    assert weight[better | ~valid].eq(0).all()
    assert weight[~better & valid].gt(0).all()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("silent", ["all ignored", "student is the teacher"])
def test_exactly_zero_without_weight(silent: str, normalize: bool) -> None:
    student, teacher, target = scene()
    if silent == "all ignored":
        target = torch.full_like(target, IGNORE)
    else:
        student = teacher.clone()
    student.requires_grad_()
    loss = wsp_loss(student, teacher, target, normalize=normalize)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.detach() == 0
    assert gradient.eq(0).all()


@pytest.mark.parametrize("gap", ["margin", "absolute"])
def test_weights_that_have_no_digits_left_count_as_none(gap: str) -> None:
    """Probabilities of the label of about 1e-42: a sum of such numbers cannot be divided by in fp32."""
    student, teacher = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
    student[:, 0], teacher[:, 0] = -99, -96
    student.requires_grad_()
    target = torch.zeros(1, 3, 4, dtype=torch.long)
    assert gap_weights(student, teacher, target, gap).gt(0).all()
    loss = wsp_loss(student, teacher, target, gap=gap)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.detach() == 0
    assert gradient.eq(0).all()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("apart", [1e-3, 1e-4])
def test_near_the_teacher_the_mean_is_right(apart: float, temperature: float) -> None:
    """A single pixel's divergence is mostly rounding there; the mean over 32,768 pixels is not."""
    generator = torch.Generator().manual_seed(0)
    teacher = 5 * torch.randn(8, 11, 64, 64, generator=generator)
    student = teacher + apart * teacher * torch.randn(8, 11, 64, 64, generator=generator)
    label = torch.zeros(8, 64, 64, dtype=torch.uint8)
    loss = wsp_loss(student, teacher, label, gap="uniform", temperature=temperature)
    log_s, log_t = ((x.double() / temperature).log_softmax(1) for x in (student, teacher))
    expected = temperature**2 * (log_t.exp() * (log_t - log_s)).sum(1).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=0.1 if apart < 1e-3 else 0.003, atol=0)


@pytest.mark.parametrize("gap", ["margin", "uniform"])
def test_a_second_derivative_is_refused_also_beside_another_term(gap: str) -> None:
    student, teacher, target = scene()
    student.requires_grad_()
    total = wsp_loss(student, teacher, target, gap=gap) + student.pow(3).sum()
    with pytest.raises(RuntimeError, match=r"has a first derivative only, .* create_graph=True"):
        torch.autograd.grad(total, student, create_graph=True)


@pytest.mark.parametrize("gap", ["margin", "uniform"])
def test_what_is_changed_before_the_backward_pass_is_no_longer_needed(gap: str) -> None:
    """The gradient is taken in the forward pass."""
    student, teacher, target = scene()
    leaf = student.requires_grad_()
    (expected,) = torch.autograd.grad(wsp_loss(leaf, teacher, target, gap=gap), leaf)
    loss = wsp_loss(leaf, teacher, target, gap=gap)
    teacher.mul_(2)
    target.fill_(1)
    assert torch.equal(torch.autograd.grad(loss, leaf)[0], expected)


def test_the_gradient_of_upsampled_logits_is_not_taken_in_half_precision() -> None:
    logits = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = upsample(logits, (9, 11)).square().sum()
    (expected,) = torch.autograd.grad(loss, logits, retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(torch.autograd.grad(loss, logits)[0], expected)


@pytest.mark.parametrize("gap", GAPS)
def test_certain_networks_give_finite_weights(gap: str) -> None:
    """Logits so far apart that a probability is 0 or 1 in fp32: a right teacher's loss is then exactly 0."""
    _, _, target = scene()
    right = 200 * torch.nn.functional.one_hot(target.masked_fill(target == IGNORE, 0), 4).permute(0, 3, 1, 2).float()
    for student, teacher in ((right, -right), (-right, right), (right, right)):
        leaf = student.clone().requires_grad_()
        loss = wsp_loss(leaf, teacher, target, gap=gap)
        (gradient,) = torch.autograd.grad(loss, leaf)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_coarse_logits_are_brought_to_the_labels() -> None:
    student, teacher, _ = scene()
    target = torch.randint(0, 4, (2, 12, 20), generator=torch.Generator().manual_seed(3))
    fine_student, fine_teacher = (upsample(x, (12, 20)) for x in (student, teacher))
    torch.testing.assert_close(wsp_loss(student, teacher, target), wsp_loss(fine_student, fine_teacher, target))


def test_half_precision_logits_are_compared_in_single() -> None:
    student, teacher, target = scene()
    with torch.autocast("cpu", torch.bfloat16):
        loss = wsp_loss(student.bfloat16(), teacher.bfloat16(), target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), wsp_loss(student, teacher, target), rtol=0.03, atol=0)


def test_bad_arguments_are_refused() -> None:
    student, teacher, target = scene()
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        wsp_loss(student, teacher, target, temperature=0.0)
    with pytest.raises(ValueError, match="unknown gap 'margins'; valid choices: margin, absolute"):
        wsp_loss(student, teacher, target, gap="margins")
    with pytest.raises(ValueError, match=r"teacher \(2, 3, 3, 5\)"):
        wsp_loss(student, teacher[:, :3], target)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize(("strip", "block"), [(1, 1), (200, 4), (10**6, 64)])
def test_strips_and_coarse_logits_change_nothing(
    gap: str, strip: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient in strips against that of the definition on upsampled logits, the weights being constants."""
    student, teacher, _ = scene()
    target = torch.randint(0, 4, (2, 9, 11), generator=torch.Generator().manual_seed(1))
    target[:, :2] = IGNORE
    monkeypatch.setattr(pixelwise, "STRIP", strip)
    monkeypatch.setattr(pixelwise, "BLOCK", block)
    student.requires_grad_()
    loss = wsp_loss(student, teacher, target, gap=gap, temperature=3.0)
    fine, teacher_terms = (upsample(x, (9, 11)) for x in (student, teacher))
    weight = gap_weights(fine, teacher_terms, target, gap)
    log_s, log_t = ((x / 3).log_softmax(1) for x in (fine, teacher_terms))
    expected = 9 * (weight * (log_t.exp() * (log_t - log_s)).sum(1)).sum() / weight.sum()
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(x, student)[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("temperatures", [(1.0, 2.0, 4.0), (4.0, 2.0, 1.0), (1.0, 3.0)])
def test_probabilities_do_not_depend_on_what_was_asked_before(temperatures: tuple[float, ...]) -> None:
    logits = 20 * torch.randn(5, 4, 7, generator=torch.Generator().manual_seed(0))
    asked = pixelwise.Probabilities(logits)
    for temperature in temperatures:
        torch.testing.assert_close(asked.softmax(temperature), (logits / temperature).softmax(1))


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_rounding_makes_no_divergence_negative(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    teacher = 20 * torch.randn(1, 4, 2, 2, generator=generator)
    student = teacher + 3e-4 * torch.randn(1, 4, 2, 2, generator=generator)
    label = torch.zeros(1, 2, 2, dtype=torch.uint8)
    assert float(wsp_loss(student, teacher, label, gap="uniform", temperature=1.0)) >= 0


@pytest.mark.parametrize("label", [-1, 3, 254])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    logits, target = torch.zeros(1, 3, 2, 2), torch.full((1, 2, 2), 255)
    target[0, 1, 1] = label
    with pytest.raises(ValueError, match=f"a label is {label}: neither a class \\(0 to 2\\) nor 255"):
        wsp_loss(logits, logits, target)

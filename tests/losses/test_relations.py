"""Standardised KD and DIST against naive references in double precision, and against torchdistill's."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torchdistill.losses.mid_level import DISTLoss, LogitStdKDLoss

from pfs.losses.pixelwise import pixel_means
from pfs.losses.relations import dist_loss, standardized_kd_sums

IGNORE = 255
B, K, H, W = 2, 4, 3, 5


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Student's and teacher's logits (B, K, H, W) and labels, some ignored."""
    draw = partial(torch.randn, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, K, (B, H, W), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = IGNORE
    return 2 * draw(B, K, H, W), 5 + draw(B, K, H, W), labels


def standardized(student: Tensor, teacher: Tensor, labels: Tensor, **options: Any) -> Tensor:
    loss = partial(standardized_kd_sums, **options)
    return pixel_means([loss], student, teacher, labels, ignore_index=IGNORE)[0]


def z_scores(logits: list[float]) -> list[float]:
    mean = sum(logits) / len(logits)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in logits) / (len(logits) - 1))
    return [(x - mean) / (deviation + 1e-7) for x in logits]


def softmax(logits: list[float], temperature: float) -> list[float]:
    exponentials = [math.exp(z / temperature) for z in logits]
    return [e / sum(exponentials) for e in exponentials]


@pytest.mark.parametrize("by_class", [None, [0.5, 1.0, 2.0, 4.0]])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_standardized_kd_equals_the_definition(temperature: float, by_class: list[float] | None) -> None:
    student, teacher, labels = scene()
    total, weights = 0.0, 0.0
    for b, i, j in (labels != IGNORE).nonzero().tolist():
        p, q = (softmax(z_scores(x[b, :, i, j].tolist()), temperature) for x in (teacher, student))
        weight = by_class[int(labels[b, i, j])] if by_class else 1.0
        total += weight * temperature**2 * sum(a * math.log(a / c) for a, c in zip(p, q, strict=True))
        weights += weight
    class_weights = torch.tensor(by_class, dtype=torch.float64) if by_class else None
    loss = standardized(student, teacher, labels, temperature=temperature, class_weights=class_weights)
    assert float(loss) == pytest.approx(total / weights)


def test_the_gradient_of_standardized_kd() -> None:
    student, teacher, labels = scene()
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: standardized(s, teacher, labels), student)
    fine = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)  # logits are interpolated to it
    assert torch.autograd.gradcheck(lambda s: standardized(s, teacher, fine), student)


def test_standardized_kd_asks_neither_for_the_teachers_range_nor_for_its_mean() -> None:
    student, teacher, labels = scene()
    torch.testing.assert_close(standardized(3 * teacher - 7, teacher, labels), torch.zeros((), dtype=torch.float64))
    expected = standardized(student, teacher, labels)
    torch.testing.assert_close(standardized(0.1 * student + 2, teacher, labels), expected, rtol=1e-5, atol=0)


def test_standardized_kd_of_equal_logits_is_finite() -> None:
    _, teacher, labels = scene()
    flat = torch.zeros_like(teacher).float().requires_grad_()
    loss = standardized(flat, teacher.float(), labels)
    (gradient,) = torch.autograd.grad(loss, flat)
    assert loss.isfinite() and gradient.isfinite().all()


def test_standardized_kd_is_torchdistills_times_the_square_of_the_temperature() -> None:
    student, teacher, _ = scene()
    oracle = LogitStdKDLoss("layer", "output", "layer", "output", temperature=3.0, alpha=0.0)
    rows = (x.movedim(1, -1).reshape(-1, K) for x in (student, teacher))
    expected = oracle(*({"layer": {"output": x}} for x in rows)) * 3.0**2
    everywhere = torch.zeros(B, H, W, dtype=torch.long)
    torch.testing.assert_close(standardized(student, teacher, everywhere, temperature=3.0), expected)


# --- DIST -------------------------------------------------------------------------------------------------------------


def pearson(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def test_dist_equals_the_definition() -> None:
    student, teacher, _ = scene()
    places = [(b, i, j) for b in range(B) for i in range(H) for j in range(W)]
    s, t = ([softmax(x[b, :, i, j].tolist(), 2.0) for b, i, j in places] for x in (student, teacher))
    inter = sum(1 - pearson(a, b) for a, b in zip(s, t, strict=True)) / len(places)
    intra = sum(1 - pearson([p[k] for p in s], [p[k] for p in t]) for k in range(K)) / K
    loss = dist_loss(student, teacher, beta=3.0, gamma=0.5, temperature=2.0)
    assert float(loss) == pytest.approx(4 * (3 * inter + 0.5 * intra))


def test_dist_is_torchdistills_over_the_locations_of_the_batch() -> None:
    student, teacher, _ = scene()
    oracle = DISTLoss("layer", "output", "layer", "output", beta=2.0, gamma=3.0, tau=1.5)
    rows = (x.movedim(1, -1).reshape(-1, K) for x in (student, teacher))
    expected = oracle(*({"layer": {"output": x}} for x in rows))
    torch.testing.assert_close(dist_loss(student, teacher, beta=2.0, gamma=3.0, temperature=1.5), expected)


def test_the_gradient_of_dist() -> None:
    student, teacher, _ = scene()
    assert torch.autograd.gradcheck(lambda s: dist_loss(s, teacher), student.requires_grad_())


def test_dist_of_the_teacher_itself_is_zero_and_of_a_class_that_nobody_sees_finite() -> None:
    _, teacher, _ = scene()
    assert float(dist_loss(teacher, teacher)) == pytest.approx(0, abs=1e-12)
    student, absent = (x.float().clone() for x in scene()[:2])
    student[:, 0] = absent[:, 0] = -200.0  # in fp32 its probability is exactly 0
    loss = dist_loss(student.requires_grad_(), absent)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and gradient.isfinite().all() and gradient[:, 0].eq(0).all()


def test_dist_averages_the_finer_logits_and_gives_the_teacher_no_gradient() -> None:
    student, teacher, _ = scene()
    teacher.requires_grad_()
    fine = teacher.repeat_interleave(2, 2).repeat_interleave(2, 3)
    loss = dist_loss(student, fine)
    torch.testing.assert_close(loss, dist_loss(student, teacher))
    assert not loss.requires_grad


def test_bad_arguments_are_refused() -> None:
    student, teacher, labels = scene()
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        dist_loss(student, teacher, temperature=0)
    with pytest.raises(ValueError, match="temperature must be positive, got -1"):
        standardized(student, teacher, labels, temperature=-1)
    with pytest.raises(ValueError, match="got 4 and 3"):
        dist_loss(student, teacher[:, 1:])

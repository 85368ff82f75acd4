"""The numbers of walkthrough 2 are those of `pfs.losses`."""

import pytest
import torch

from pfs.losses.definition import kd, knowledge_gap, wsp
from pfs.losses.wsp import GAPS
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.whom.numbers import (
    RULES,
    Pair,
    borders,
    gradient,
    image_of_most_errors,
    label_probability,
    likeness,
    regions,
    shares,
    weights,
)


@pytest.fixture
def pair(tiny: Walkthrough) -> Pair:
    """Random networks on an image whose first three pixels are ignored."""
    return Pair.of(tiny, 0, "ce")


def test_the_weights_are_the_knowledge_gap_over_its_mean(pair: Pair) -> None:
    gap = knowledge_gap(pair.student, pair.teacher, pair.label)[0]
    torch.testing.assert_close(weights(pair, "margin", normalize=False), gap)
    torch.testing.assert_close(weights(pair, "margin"), gap / gap[pair.valid].mean())


@pytest.mark.parametrize("gap", GAPS)
def test_every_rule_has_words_and_no_weight_where_the_label_is_ignored(pair: Pair, gap: str) -> None:
    assert gap in RULES and len(RULES) == len(GAPS)
    weight = weights(pair, gap)
    assert weight.shape == (32, 32) and not weight[0, :3].any() and (weight >= 0).all()


@pytest.mark.parametrize("temperature", [0.5, 2.0, 8.0])
def test_the_gradient_is_that_of_the_definition(pair: Pair, temperature: float) -> None:
    for gap, loss in (("uniform", kd), ("margin", wsp)):
        student = pair.student.clone().requires_grad_()
        value = loss(student, pair.teacher, pair.label, temperature=temperature)
        expected = torch.autograd.grad(value, student)[0][0] * pair.valid.sum()
        torch.testing.assert_close(gradient(pair, gap, temperature), expected, atol=1e-5, rtol=1e-4)


def test_wsps_gradient_is_kds_times_the_weight(pair: Pair) -> None:
    expected = gradient(pair, "uniform", 2.0) * weights(pair, "margin")
    torch.testing.assert_close(gradient(pair, "margin", 2.0), expected, atol=1e-5, rtol=1e-4)


def test_the_image_of_most_errors_is_the_one_where_the_teacher_is_wrong_most_often(tiny: Walkthrough) -> None:
    shares_wrong = []
    for image in range(len(tiny.images)):
        shown = Pair.of(tiny, image, "ce")
        shares_wrong.append(float((shown.teacher[0].argmax(0) != shown.label[0])[shown.valid].double().mean()))
    assert shares_wrong[0] != shares_wrong[1]
    assert image_of_most_errors(tiny) == shares_wrong.index(max(shares_wrong))


def test_the_labels_probability_is_that_of_the_softmax(pair: Pair) -> None:
    row, column = 5, 7
    y = pair.label[0, row, column]
    expected = pair.teacher[0, :, row, column].softmax(0)[y]
    torch.testing.assert_close(label_probability(pair, "teacher")[row, column], expected)
    assert not label_probability(pair, "student")[~pair.valid].any()


def test_borders_lie_beside_another_label_and_beside_an_ignored_band() -> None:
    label = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    assert borders(label, 255)[0].tolist() == [False, False, True, True, False, False]
    banded = torch.tensor([[0, 0, 255, 1, 1, 1]])
    assert borders(banded, 255)[0].tolist() == [False, True, False, True, False, False]


def test_a_pixel_is_in_the_first_part_that_fits() -> None:
    label = torch.tensor([[[0, 0, 0, 1, 1, 1, 255]]])
    teacher = torch.nn.functional.one_hot(torch.tensor([[[1, 0, 0, 1, 1, 1, 0]]]), 2).permute(0, 3, 1, 2).float()
    parts = regions(Pair(label, teacher, teacher, 255))
    found = {name: mask.nonzero()[:, 1].tolist() for name, mask in parts.items()}
    assert found == {"the teacher's errors": [0], "borders": [2, 3, 5], "background": [1], "the rest": [4]}


def test_the_parts_hold_each_pixel_that_counts_once(pair: Pair) -> None:
    total = torch.stack(list(regions(pair).values())).sum(0)
    assert torch.equal(total, pair.valid.long())


def test_shares_are_those_of_the_weight() -> None:
    parts = {"left": torch.tensor([[True, False]]), "right": torch.tensor([[False, True]])}
    assert shares(torch.tensor([[1.0, 3.0]]), parts) == {"left": 0.25, "right": 0.75}
    assert shares(torch.zeros(1, 2), parts) == {"left": 0.0, "right": 0.0}


def test_the_students_doubt_is_the_margin_where_the_teacher_is_sure(pair: Pair) -> None:
    sure = torch.nn.functional.one_hot(pair.known_label, 4).permute(0, 3, 1, 2).float() * 30
    assert likeness(Pair(pair.label, sure, pair.student, 255)) == pytest.approx(1.0, abs=1e-4)
    assert likeness(pair) < 0.99

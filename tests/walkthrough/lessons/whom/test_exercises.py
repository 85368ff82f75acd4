"""The checks of walkthrough 2 accept right answers, and tell why others are not."""

import pytest
import torch

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.whom.exercises import check_doubt, check_limit, check_scale, check_silent
from pfs.walkthrough.lessons.whom.numbers import REGIONS, Pair, gradient, likeness, regions, shares, weights


@pytest.fixture
def pair(tiny: Walkthrough) -> Pair:
    return Pair.of(tiny, 0, "ce")


def first(mask: torch.Tensor) -> tuple[int, int]:
    row, column = mask.nonzero()[0].tolist()
    return row, column


def test_a_silent_error_is_found(tiny: Walkthrough, pair: Pair) -> None:
    wrong = (pair.teacher[0].argmax(0) != pair.label[0]) & pair.valid
    silent = weights(pair, "margin") == 0
    lowered = gradient(pair, "uniform", 2.0).gather(0, pair.known_label)[0] > 0
    for mask, said in (
        (wrong & silent & lowered, "Right: "),
        (wrong & ~silent, "WSP's weight is"),
        (~wrong & pair.valid, "the teacher is right there"),
        (~pair.valid, "is ignored"),
    ):
        assert said in check_silent(tiny, 1, *first(mask), student="ce")
    assert "outside of the image" in check_silent(tiny, 1, 32, 0, student="ce")
    assert "counted from 1 to 2" in check_silent(tiny, 0, 0, 0, student="ce")


def test_the_hot_limit_is_the_difference_of_centred_logits_over_the_classes(pair: Pair) -> None:
    row, column = 9, 9
    y = int(pair.label[0, row, column])
    student, teacher = (z[0, :, row, column] for z in (pair.student, pair.teacher))
    answer = float((student - student.mean() - teacher + teacher.mean())[y] / len(student))
    assert check_limit(pair, row, column, answer).startswith("Right: ")
    assert check_limit(pair, row, column, answer + 0.1).startswith("Not yet")


def test_the_scale_is_the_mean_weight(pair: Pair) -> None:
    mean = float(weights(pair, "margin", normalize=False)[pair.valid].mean())
    assert check_scale(pair, mean).startswith("Right: ")
    assert check_scale(pair, 1.5 * mean).startswith("Not yet")


def test_the_doubt_is_compared_with_the_margin(pair: Pair) -> None:
    sure = Pair(pair.label, pair.teacher * 20, pair.student, 255)
    margin, doubt = (shares(weights(sure, gap), regions(sure)) for gap in ("margin", "student"))
    part = max(REGIONS, key=lambda name: abs(margin[name] - doubt[name]))
    other = next(name for name in REGIONS if name != part)
    true = likeness(sure, 0.9)
    assert check_doubt(sure, true, part).startswith(f"Right: the correlation is {true:.3f}")
    assert check_doubt(sure, true, part).count(part) == 1
    wrong = check_doubt(sure, true - 0.2, other)  # gives nothing away
    assert wrong.startswith("Not yet: ") and f"{true:.3f}" not in wrong and part not in wrong

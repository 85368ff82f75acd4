"""The checks know right from wrong answers, by the real loss."""

import pytest
import torch
from torch import Tensor

from pfs.losses import definition, pfs_loss
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.exercises import (
    CHANGES,
    check_definition,
    check_factor,
    check_largest,
    check_unchanged,
)
from pfs.walkthrough.lessons.alike.maps import Reading, loss_of, rows_of_losses


def test_an_answer_that_is_missing_is_asked_for(tiny: Walkthrough) -> None:
    for said in (
        check_largest(tiny, 1, None, None),
        check_factor(tiny, 1, None),
        check_unchanged({**dict.fromkeys(CHANGES, True), "plus 5": None}),
        check_definition(lambda student, teacher: None),  # type: ignore[arg-type, return-value]
    ):
        assert said.startswith("Fill in your answer first: ")


def test_the_location_of_the_largest_loss_is_right_and_that_of_the_smallest_is_not(tiny: Walkthrough) -> None:
    losses = rows_of_losses(tiny.features("ce")[1], tiny.features("teacher")[1], Reading())
    for at, verdict in ((losses.argmax(), "Right: "), (losses.argmin(), "Not yet: ")):
        row, column = divmod(int(at), 8)
        said = check_largest(tiny, 2, 4 * row + 3, 4 * column)  # a location is 4 x 4 pixels
        assert said.startswith(verdict) and f"({row}, {column}) is {float(losses.flatten()[at]):.3f}" in said


def test_the_factor_of_centring(tiny: Walkthrough) -> None:
    student, teacher = tiny.features("ce")[0], tiny.features("teacher")[0]
    factor = loss_of(student, teacher, Reading()) / loss_of(student, teacher, Reading(center=False))
    assert check_factor(tiny, 1, 1.4 * factor).startswith("Right: ")
    assert check_factor(tiny, 1, 1.6 * factor).startswith("Not yet: ")


@pytest.mark.parametrize("change", CHANGES)
def test_the_loss_stays_as_the_exercise_says(change: str, tiny: Walkthrough) -> None:
    student, teacher = tiny.features("ce"), tiny.features("teacher")
    changed, unchanged = CHANGES[change]
    before, after = pfs_loss(student, teacher), pfs_loss(changed(student), teacher)
    assert torch.isclose(before, after, rtol=1e-3) == unchanged


def test_answers_about_changes() -> None:
    right = {change: unchanged for change, (_, unchanged) in CHANGES.items()}
    assert check_unchanged(right) == "Right: all 6"
    assert check_unchanged({**right, "times -1": False}) == "Not yet: look again at times -1"


def test_a_definition_of_one_s_own() -> None:
    def summed(student: Tensor, teacher: Tensor) -> Tensor:
        return definition.pfs(student, teacher) * 16 * 16

    assert check_definition(definition.pfs).startswith("Right: ")
    assert check_definition(summed).startswith("Not yet: yours is ")
    assert "has the shape (2, 16, 16)" in check_definition(lambda student, _: definition.similarity_maps(student))

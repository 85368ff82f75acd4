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

RIGHT = {change: right for change, (_, right) in CHANGES.items()}


def test_a_function_that_returns_nothing_is_told() -> None:
    said = check_definition(lambda student, teacher: None)  # type: ignore[arg-type, return-value]
    assert said == "Not yet: let the function return a tensor"


def test_a_place_outside_of_the_grid_is_told(tiny: Walkthrough) -> None:
    assert check_largest(tiny, image=1, row=8, column=0) == "Not yet: rows are counted from 0 to 7, columns from 0 to 7"


def test_the_location_of_the_largest_loss_is_right_and_that_of_the_smallest_is_not(tiny: Walkthrough) -> None:
    losses = rows_of_losses(tiny.features("ce")[1], tiny.features("teacher")[1], Reading())
    for at, verdict in ((losses.argmax(), "Right: "), (losses.argmin(), "Not yet: ")):
        row, column = divmod(int(at), 8)
        said = check_largest(tiny, image=2, row=row, column=column)
        assert said.startswith(verdict) and f"({row}, {column}) is {float(losses.flatten()[at]):.3f}" in said


def test_the_factor_of_centring(tiny: Walkthrough) -> None:
    student, teacher = tiny.features("ce")[0], tiny.features("teacher")[0]
    factor = loss_of(student, teacher, Reading()) / loss_of(student, teacher, Reading(center=False))
    assert check_factor(tiny, image=1, factor=1.4 * factor).startswith("Right: ")
    assert check_factor(tiny, image=1, factor=1.6 * factor).startswith("Not yet: ")


@pytest.mark.parametrize("change", CHANGES)
def test_the_loss_stays_as_the_exercise_says(change: str, tiny: Walkthrough) -> None:
    student, teacher = tiny.features("ce"), tiny.features("teacher")
    changed, answer = CHANGES[change]
    before, after = pfs_loss(student, teacher), pfs_loss(changed(student), teacher)
    assert torch.isclose(before, after, rtol=1e-3) == (answer == "the same")


def test_answers_about_changes() -> None:
    assert check_unchanged(**RIGHT) == "Right: all 6"
    assert check_unchanged(**{**RIGHT, "times_minus_1": "another"}) == "Not yet: look again at times minus 1"


def test_a_definition_of_one_s_own() -> None:
    def summed(student: Tensor, teacher: Tensor) -> Tensor:
        return definition.pfs(student, teacher) * 16 * 16

    assert check_definition(definition.pfs).startswith("Right: ")
    assert check_definition(summed).startswith("Not yet: yours is ")
    assert "has the shape (2, 16, 16)" in check_definition(lambda student, _: definition.similarity_maps(student))

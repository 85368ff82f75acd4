"""Every control of walkthrough 3's explorer changes what is shown, and the numbers are those of `pfs.losses`."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pfs.losses.baselines import skd_pairwise_loss
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.nodes.explorer import Explorer, grid_lines
from pfs.walkthrough.paint import paint_signed
from tests.walkthrough.lessons.tables import pixels

SWITCHES: dict[str, Callable[[Explorer], Any]] = {
    "image": lambda explorer: setattr(explorer.image, "value", 1),
    "student": lambda explorer: setattr(explorer.student, "value", "pfs"),
    "grid": lambda explorer: setattr(explorer.grid, "value", 8),
    "center": lambda explorer: setattr(explorer.center, "value", False),
}


@pytest.fixture
def explorer(tiny: Walkthrough) -> Explorer:
    return Explorer(tiny)


def true_loss(explorer: Explorer) -> float:
    """The loss for the switches as they stand."""
    image = slice(explorer.image.value, explorer.image.value + 1)
    names = (explorer.student.value, "teacher")
    student, teacher = (explorer.walkthrough.features(name)[image].double() for name in names)
    return float(skd_pairwise_loss(student, teacher, grid=explorer.grid.value, center=explorer.center.value))


def shown_losses(explorer: Explorer) -> list[float]:
    """The loss as both ways, and the library, give it."""
    return [float(number) for number in re.findall(r"\d\.\d{12}", explorer.loss.value)]


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_changes_the_loss_to_that_of_the_library(explorer: Explorer, switch: str) -> None:
    before = true_loss(explorer)
    assert shown_losses(explorer) == pytest.approx([before] * 3, abs=2e-12)
    SWITCHES[switch](explorer)
    after = true_loss(explorer)
    assert after != pytest.approx(before, rel=1e-3)
    assert shown_losses(explorer) == pytest.approx([after] * 3, abs=2e-12)


def test_the_pictures_show_the_row_of_the_node_under_the_pointer(explorer: Explorer) -> None:
    explorer.grid.value = 4
    for row, column, node in ((0, 0, 0), (31, 9, 13)):
        explorer.pictures["student"].point(row, column)
        assert explorer.node == node
        expected = explorer.comparison.teacher_map[node].reshape(4, 4).repeat_interleave(8, 0).repeat_interleave(8, 1)
        assert np.array_equal(pixels(explorer.pictures["teacher"].image), paint_signed(expected.numpy()))
        assert f"row {node // 4 + 1}, column {node % 4 + 1}" in explorer.pictures["teacher"].alt
    assert {picture.step for picture in explorer.pictures.values()} == {8}  # a key goes to the next node


def test_the_matrices_are_told_in_words_and_numbers(explorer: Explorer) -> None:
    first, second, third = explorer.comparison.norms
    for norm in (first, second, third):
        assert explorer.matrices.value.count(f"Squared norm {norm:,.4f}") >= 2  # caption and alternative text
    assert explorer.matrices.value.count("<img alt=") == 5


@pytest.mark.parametrize(("grid", "lines"), [(2, 1), (4, 3), (8, 7)])
def test_lines_lie_between_the_nodes(grid: int, lines: int) -> None:
    picture = grid_lines((32, 32), grid)
    assert picture.shape == (128, 128, 4)
    drawn = picture[1, :, 3] > 0  # along the second row, which no horizontal line crosses
    assert drawn.sum() == 2 * lines

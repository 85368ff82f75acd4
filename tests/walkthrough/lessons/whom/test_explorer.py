"""Every control of walkthrough 2 changes what is shown, and the numbers are those of `pfs.losses`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pfs.losses import wsp_loss
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.whom.explorer import Explorer
from pfs.walkthrough.lessons.whom.numbers import (
    Pair,
    gradient,
    image_of_most_errors,
    label_probability,
    regions,
    shares,
    weights,
)
from pfs.walkthrough.paint import paint_amount
from tests.walkthrough.lessons.tables import caption, cells, pixels

SWITCHES: dict[str, Callable[[Explorer], Any]] = {
    "image": lambda explorer: setattr(explorer.image, "value", 1),
    "student": lambda explorer: setattr(explorer.student, "value", "pfs_wsp"),
    "gap": lambda explorer: setattr(explorer.gap, "value", "student"),
    "temperature": lambda explorer: setattr(explorer.temperature, "value", 8.0),
    "normalize": lambda explorer: setattr(explorer.normalize, "value", False),
    "place": lambda explorer: explorer.place.point(3, 30),
}


@pytest.fixture
def explorer(tiny: Walkthrough) -> Explorer:
    """It points at the pixel of the first image that has the largest weight."""
    explorer = Explorer(tiny)
    explorer.image.value = 0
    explorer.place.point(*divmod(int(explorer.weight.argmax()), 32))
    return explorer


def assert_shown(explorer: Explorer) -> None:
    """Compare all that is shown with what `pfs.losses` says for the switches as they stand."""
    pair = Pair.of(explorer.walkthrough, explorer.image.value, explorer.student.value)
    T, gap, normalize = explorer.temperature.value, explorer.gap.value, explorer.normalize.value
    at = (slice(None), *explorer.place.place)
    columns = [
        100 * pair.teacher[0][at].div(T).softmax(0),
        100 * pair.student[0][at].div(T).softmax(0),
        gradient(pair, "uniform", T)[at],
        gradient(pair, gap, T, normalize)[at],
    ]
    shown = [[float(cell.removesuffix(" %")) for cell in row] for row in cells(explorer.pixel.value).values()]
    for numbers, column, error in zip(zip(*shown, strict=True), columns, (0.051, 0.051, 6e-4, 6e-4), strict=True):
        np.testing.assert_allclose(numbers, column, atol=error)
    expected = shares(weights(pair, gap, normalize), regions(pair))
    parts = {name: float(row[1].removesuffix(" %")) for name, row in cells(explorer.parts.value).items()}
    assert parts == pytest.approx({name: 100 * share for name, share in expected.items()}, abs=0.051)
    options: dict[str, Any] = {"gap": gap, "temperature": T, "normalize": normalize}
    assert f"WSP is {wsp_loss(pair.student, pair.teacher, pair.label, **options):.4f}" in caption(explorer.parts.value)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_changes_the_numbers_to_those_of_the_losses(explorer: Explorer, switch: str) -> None:
    assert_shown(explorer)
    before = explorer.pixel.value
    SWITCHES[switch](explorer)
    assert explorer.pixel.value != before
    assert_shown(explorer)


def test_it_begins_at_the_largest_weight_on_an_object_of_the_image_with_most_errors(tiny: Walkthrough) -> None:
    explorer = Explorer(tiny)
    assert explorer.image.value == image_of_most_errors(tiny)
    assert explorer.weight[explorer.place.place] == explorer.weight[explorer.pair.label[0] > 0].max()


def test_the_legend_follows_the_weight(explorer: Explorer) -> None:
    before = explorer.legend.value
    explorer.normalize.value = False
    assert explorer.legend.value != before and f"{float(explorer.weight.max()):.3g}" in explorer.legend.value


def test_all_pictures_have_one_place(explorer: Explorer) -> None:
    explorer.pictures["weight"].point(4, 9)
    assert {picture.place for picture in explorer.pictures.values()} == {(4, 9)}
    assert caption(explorer.pixel.value).startswith("Row 4, column 9,")
    assert "Row 4, column 9," in explorer.place.alt


def test_the_maps_are_painted_with_ignored_pixels_in_grey(explorer: Explorer) -> None:
    shown = pixels(explorer.pictures["teacher"].image)
    probability = label_probability(explorer.pair, "teacher").numpy()
    assert (shown[0, :3] == 127).all()
    assert np.array_equal(shown[1:], paint_amount(probability)[1:])
    SWITCHES["gap"](explorer)
    shown = pixels(explorer.pictures["weight"].image)
    weight = weights(explorer.pair, "student").numpy()
    assert np.array_equal(shown[1:], paint_amount(weight, float(weight.max()))[1:])


def test_the_alternative_texts_follow_the_switches(explorer: Explorer) -> None:
    before = {name: picture.alt for name, picture in explorer.pictures.items()}
    explorer.image.value = 1
    after = {name: picture.alt for name, picture in explorer.pictures.items()}
    assert all(before[name] != after[name] for name in before)
    assert f"from 0 to {float(explorer.weight.max()):.2f}" in after["weight"]


def test_an_ignored_pixel_is_said_to_be_ignored(explorer: Explorer) -> None:
    explorer.place.point(0, 1)
    assert "The label is ignored" in caption(explorer.pixel.value)
    assert {row[2] for row in cells(explorer.pixel.value).values()} == {"0"}


def test_silence_is_said(explorer: Explorer) -> None:
    silent = (explorer.weight == 0) & explorer.pair.valid
    row, column = torch.nonzero(silent)[0].tolist()
    explorer.place.point(row, column)
    assert "WSP is silent" in caption(explorer.pixel.value)

"""The slider's value and its index are one."""

import pytest

from pfs.walkthrough.lessons.controls.slider import Slider, doublings


def test_the_index_that_the_browser_sets_becomes_the_value() -> None:
    slider = Slider("Temperature", doublings(0.5, 8), 2.0, ".2f")
    seen: list[float] = []
    slider.observe(lambda change: seen.append(change["new"]), "value")
    assert (slider.value, slider.words[slider.index]) == (2.0, "2.00")
    slider.index = len(slider.words) - 1
    assert slider.value == pytest.approx(8.0) and seen == [slider.value]


def test_a_value_becomes_the_nearest_one_of_the_list() -> None:
    slider = Slider("N", [1, 10, 100], 1)
    slider.value = 60
    assert (slider.value, slider.index, slider.words) == (100, 2, ["1", "10", "100"])
    slider.index = 99
    assert slider.index == 2


def test_doublings_reach_both_ends() -> None:
    values = doublings(0.5, 8)
    assert len(values) == 17 and values[0] == 0.5 and values[-1] == pytest.approx(8)
    assert values[4] == pytest.approx(1.0)

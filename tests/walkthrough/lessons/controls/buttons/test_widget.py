"""The pressed button and the value are one; what is no value of a button is told."""

import pytest
import traitlets

from pfs.walkthrough.lessons.controls.buttons import Buttons, same


def test_the_button_that_is_pressed_in_the_browser_becomes_the_value() -> None:
    buttons, seen = Buttons("Students at", [("start", 0), ("end", "end")], "end"), []
    buttons.observe(lambda change: seen.append(change["new"]), "value")
    assert (buttons.value, buttons.index) == ("end", 1)
    buttons.index = 0
    assert seen == [0]


def test_a_value_presses_its_button() -> None:
    buttons = Buttons("Image", [("1", 0), ("2", 1)])
    assert buttons.value == 0
    buttons.value = 1
    assert buttons.index == 1
    with pytest.raises(traitlets.TraitError, match=r"Image: 7 is none of \[0, 1\]"):
        buttons.value = 7


def test_none_is_pressed_before_a_reader_has_chosen() -> None:
    buttons = Buttons("Part", same(["a", "b"]), blank=True)
    assert (buttons.value, buttons.index) == (None, -1)
    buttons.index = 1
    assert buttons.value == "b"


def test_the_browser_gets_a_group_with_a_name() -> None:
    script = str(Buttons("Image", [("1", 0)])._esm)
    assert "Math.random()" in script  # each widget has a module of its own: a counter in it gave all groups one name
    assert '"fieldset"' in script and '"legend"' in script and 'type: "radio"' in script

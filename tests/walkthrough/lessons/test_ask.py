"""An answer is checked when the button is pressed, with the fields' values."""

import pytest

from pfs.walkthrough.lessons.ask import Ask, number, one_of, whole


def test_the_check_is_called_with_the_fields_and_its_words_are_shown() -> None:
    asked = Ask(lambda row, share, part: f"{row} & {share} & {part}", row=whole(3), share=number(), part=one_of("ab"))
    assert asked.verdict.value == "" and asked.fields["row"].description == "row"
    asked.fields["share"].value, asked.fields["part"].value = 0.25, "b"
    asked.button.click()
    assert asked.verdict.value == '<div role="status">3 &amp; 0.25 &amp; b</div>'


def test_no_word_is_chosen_at_first() -> None:
    asked = Ask(lambda part: str(part), part=one_of(["a", "b"]))
    asked.button.click()
    assert "None" in asked.verdict.value


def test_a_check_that_takes_other_names_than_the_fields_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="answer"):
        Ask(lambda answer: "Yes", factor=number())

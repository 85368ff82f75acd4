"""An answer is checked when the button is pressed, with the fields' values."""

import pytest

from pfs.walkthrough.lessons.ask import Ask, number, one_of, whole


def revealing(row: int, share: float, part: str) -> str:
    return f"{row} & {share} & {part}"


def test_the_check_is_called_with_the_fields_and_its_words_are_shown() -> None:
    asked = Ask(revealing, row=whole(3), share=number(), part=one_of("ab"))
    assert asked.verdict.value == "" and asked.fields["row"].description == "row"
    asked.fields["share"].value, asked.fields["part"].value = 0.25, "b"
    asked.button.click()
    assert asked.verdict.value == '<div role="status">3 &amp; 0.25 &amp; b</div>'


def test_fields_are_blank_at_first_and_a_blank_answer_reveals_nothing() -> None:
    asked = Ask(revealing, row=whole(), share=number(), part=one_of(["a", "b"]))
    assert [field.value for field in asked.fields.values()] == ["", "", None]
    asked.button.click()
    said = "Write a whole number first: row. Write a number first: share. Choose one first: part."
    assert asked.verdict.value == f'<div role="status">{said}</div>'


@pytest.mark.parametrize(
    ("written", "answer"), [("0,81", 0.81), (" -3 ", -3.0), ("1e3", 1000.0), ("many", None), ("nan", None), ("", None)]
)
def test_a_number_may_be_written_with_a_comma_and_other_words_are_none(written: str, answer: float | None) -> None:
    field = number()
    field.value = written
    assert field.answer == answer and field.filled == (answer is not None)


def test_a_whole_number_has_no_fraction() -> None:
    field = whole()
    field.value = 2.5
    assert not field.filled


def test_a_check_that_takes_other_names_than_the_fields_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="answer"):
        Ask(lambda answer: "Yes", factor=number())

"""What every block of a study's YAML has in common, and how errors suggest and show values."""

import pytest
from pydantic import TypeAdapter, ValidationError

from pfs.config.base import LONGEST_NAME, Name, Seed, Strict, shown, suggest


class Block(Strict):
    """A block with a number and a whole number."""

    number: float = 0.0
    whole: int = 0


@pytest.mark.parametrize(
    "content",
    [{"numbre": 1.0}, {"whole": 1.0}, {"whole": "1"}, {"number": "1.5"}, {"number": float("inf")}, {"whole": True}],
)
def test_unknown_keys_and_values_of_another_type_are_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Block.model_validate(content)


def test_a_whole_number_may_stand_for_a_number_and_nothing_changes_afterwards() -> None:
    block = Block.model_validate({"number": 2})
    assert block.number == 2.0
    with pytest.raises(ValidationError, match="frozen"):
        block.number = 3.0


@pytest.mark.parametrize(("name", "valid"), [("pfs_wsp_2", True), ("PFS", False), ("a/b", False), ("", False)])
def test_names_are_names_of_folders_everywhere(name: str, valid: bool) -> None:
    adapter = TypeAdapter(Name)
    for text, allowed in ((name, valid), (name * (LONGEST_NAME + 1), False)):
        try:
            assert adapter.validate_python(text) == text and allowed
        except ValidationError:
            assert not allowed


@pytest.mark.parametrize(("seed", "valid"), [(0, True), (2**32 - 1, True), (-1, False), (2**32, False)])
def test_seeds_are_those_that_every_generator_takes(seed: int, valid: bool) -> None:
    try:
        assert TypeAdapter(Seed).validate_python(seed) == seed and valid
    except ValidationError:
        assert not valid


def test_the_nearest_choice_is_suggested_before_all_are_listed() -> None:
    assert suggest("digts", ["digits", "camvid"]) == "; did you mean digits? valid choices: digits, camvid"
    assert suggest("x", ["digits", "camvid"]) == "; valid choices: digits, camvid"
    assert suggest("x", []) == ""


def test_a_long_value_is_shown_by_its_ends_on_one_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    text = shown("a" * 500 + "z")
    assert len(text) < 100 and text.startswith("'aaa") and text.endswith("az'") and " ... " in text

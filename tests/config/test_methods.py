"""A method is a set of named terms, in the order of the class, whatever the order of the YAML."""

import pytest
from pydantic import ValidationError

from pfs.config.methods import Method

TERMS = [name for name in Method.model_fields if name not in ("label", "learning_rate")]


def test_terms_stand_in_one_order_whatever_the_order_of_the_file() -> None:
    method = Method.model_validate({"wsp": {"weight": 1.0}, "pfs": {"weight": 4.0}, "kd": {"weight": 1.0}})
    assert list(method.terms) == ["kd", "pfs", "wsp"]
    assert [term.weight for term in method.terms.values()] == [1.0, 4.0, 1.0]


@pytest.mark.parametrize("name", TERMS)
def test_every_term_but_the_control_asks_the_teacher(name: str) -> None:
    """A method that asks none is trained without waiting for the teacher."""
    assert Method.model_validate({name: {"weight": 1.0}}).needs_teacher == (name != "hard_pixels")
    assert not Method().needs_teacher


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("content", [{}, {"weight": 0.0}, {"weight": -1.0}, {"weight": 1.0, "wait": 1}])
def test_a_term_needs_a_weight_above_zero_and_knows_its_options(name: str, content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Method.model_validate({name: content})


LATER = {"decay": None, "class_weighted": False, "class_balanced": False}  # options that runs of before do not have


@pytest.mark.parametrize("name", TERMS)
def test_an_option_that_was_added_later_is_not_said_where_it_is_not_used(name: str) -> None:
    """Else every run of before would have other settings than its study has today."""
    (term,) = Method.model_validate({name: {"weight": 1.0}}).terms.values()
    said = term.model_dump(mode="json", exclude_none=True)
    assert not said.keys() & LATER.keys()
    for option in LATER.keys() & type(term).model_fields.keys() - {"decay"}:
        used = Method.model_validate({name: {"weight": 1.0, option: True}}).terms[name]
        assert used.model_dump(mode="json", exclude_none=True)[option] is True
    assert not term.options.keys() & {"weight", *LATER}

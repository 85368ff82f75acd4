"""What of code cannot change a number, and is left out of its normal form."""

import ast

import pytest

from pfs.study.code.normal_form import dotted, normal_form


def text(code: str, *left_out: str) -> str:
    return ast.unparse(normal_form(ast.parse(code), frozenset(left_out)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # why", "x = (1)"),
        ("def f():\n    'What it does.'\n    return 1", "def f():\n    return 1"),
        ("raise ValueError(f'{x} is wrong')", "raise ValueError('other words', x)"),
        ("assert x, 'wrong'", "assert x, 'other words'"),
    ],
    ids=["comments and brackets", "docstrings", "errors", "assertions"],
)
def test_words_and_formatting_do_not_count(one: str, other: str) -> None:
    assert text(one) == text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("raise ValueError('a')", "raise TypeError('a')"),
        ("raise ValueError('a') from None", "raise ValueError('a')"),
        ("x = 'a'", "x = 'b'"),
        ("f('a')", "f('b')"),
    ],
)
def test_what_can_change_a_number_counts(one: str, other: str) -> None:
    assert text(one) != text(other)


MATCH = "match x:\n    case m.A() | m.B():\n        f()\n    case C(y) as z:\n        g()\n    case _:\n        h()"


@pytest.mark.parametrize(
    ("left_out", "called"), [("A", "fgh"), ("AB", "gh"), ("C", "fh"), ("ABC", "h")], ids=["A", "A and B", "C", "all"]
)
def test_a_case_is_left_out_where_none_of_its_classes_is_used(left_out: str, called: str) -> None:
    kept = text(MATCH, *left_out)
    assert [name for name in "fgh" if f"{name}()" in kept] == list(called)


def test_an_entry_of_a_dict_is_left_out_where_its_class_is_not_used() -> None:
    assert text("x = {m.A: f, B: g, 'A': h, **more}", "A") == "x = {B: g, 'A': h, **more}"


def test_a_dotted_name_is_one_of_names_alone() -> None:
    expressions = [ast.parse(code, mode="eval").body for code in ("a", "a.b.c", "f().b", "1")]
    assert [dotted(expression) for expression in expressions] == ["a", "a.b.c", "", ""]

"""The answer to an exercise, as fields and a button: in JupyterLab and on a page without code alike."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from inspect import signature
from math import isfinite
from typing import Any

import ipywidgets as widgets
import traitlets

from pfs.walkthrough.lessons.controls.buttons import Buttons, same
from pfs.walkthrough.lessons.switches import LAYOUT, STYLE, in_rows, shown

RIGHT, NOT_YET = "Right: ", "Not yet: "  # how every check begins what it says of an answer


class Ask(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Fields for an answer, and a button that checks it.

    The check is called only when every field has been filled in: what it says may give the answer away.

    Attributes:
        fields: the widgets whose values are the answer, by name.
        button: calls the check.
        verdict: what the last check said, as HTML; empty before the first one.
    """

    def __init__(self, check: Callable[..., str], **fields: Any) -> None:
        """Show the fields.

        Args:
            check: called with the fields' values by their names; says in a sentence whether they are right.
            fields: `whole`, `number` or `one_of` for each part of the answer.

        Raises:
            TypeError: the check takes other names than the fields have; a button could only tell a log of it.
        """
        signature(check).bind(**fields)
        self.check, self.fields = check, fields
        for name, field in fields.items():
            field.description = field.description or name.replace("_", " ")
        names = ", ".join(field.description for field in fields.values())
        self.button = widgets.Button(
            description="Check", tooltip=f"Check your answer: {names}", layout={"width": "auto"}
        )
        self.verdict = shown()
        self.button.on_click(self._check)
        for field in fields.values():
            field.observe(lambda _: setattr(self.verdict, "value", ""), "value")
        super().__init__([in_rows(*fields.values(), self.button), self.verdict])

    def _check(self, _: object) -> None:
        said = missing(self.fields) or self.check(**{name: field.answer for name, field in self.fields.items()})
        self.verdict.value = f'<div role="status">{escape(said)}</div>'


class Number(widgets.Text):  # type: ignore[misc]  # ipywidgets has no types
    """A field for a number, which is blank until somebody writes into it; those of ipywidgets begin with 0.

    Attributes:
        value: what is written in it. A number that is assigned becomes its text.
        wanted: what a reader has to do, in words.
    """

    value = traitlets.CUnicode().tag(sync=True)

    def __init__(self, kind: type[int] | type[float], first: float | None, wanted: str) -> None:
        """Show the field; `kind` turns what is written into a number."""
        self.kind, self.wanted = kind, wanted
        written = "" if first is None else str(first)
        super().__init__(written, placeholder="?", layout=LAYOUT, style=STYLE)

    @property
    def answer(self) -> float | None:
        """The number that is written, with a comma or a point; None where it is not one of the field's kind."""
        try:
            number = self.kind(self.value.strip().replace(",", "."))
        except ValueError:
            return None
        return number if isfinite(number) else None

    @property
    def filled(self) -> bool:
        """Whether a number of the field's kind is written."""
        return self.answer is not None


class Choice(Buttons):
    """Some words, of which none is chosen at first."""

    wanted = "Choose one"

    @property
    def answer(self) -> str | None:
        """The chosen words; None before the choice."""
        chosen: str | None = self.value
        return chosen

    @property
    def filled(self) -> bool:
        """Whether one has been chosen."""
        return self.value is not None


def missing(fields: Mapping[str, Number | Choice]) -> str:
    """What a reader still has to fill in, in words; empty where every field is filled."""
    empty = [(field, field.description or name) for name, field in fields.items() if not field.filled]
    return " ".join(f"{field.wanted} first: {name}." for field, name in empty)


def whole(first: int | None = None) -> Number:
    """A field for a whole number; it is blank unless a first one is given."""
    return Number(int, first, "Write a whole number")


def number() -> Number:
    """A blank field for any number."""
    return Number(float, None, "Write a number")


def one_of(options: Sequence[str], question: str = "") -> Choice:
    """One of some words, of which none is chosen yet, beside a question: without one, the answer's name."""
    return Choice(question, same(options), blank=True)

"""The answer to an exercise, as fields and a button: in JupyterLab and on a page without code alike."""

from collections.abc import Callable, Sequence
from html import escape
from inspect import signature
from typing import Any

import ipywidgets as widgets

from pfs.walkthrough.lessons.switches import LAYOUT, STYLE, in_rows, shown


class Ask(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Fields for an answer, and a button that checks it.

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
            field.description = name.replace("_", " ")
        self.button = widgets.Button(description="Check", layout={"width": "auto"})
        self.verdict = shown()
        self.button.on_click(self._check)
        super().__init__([in_rows(*fields.values(), self.button), self.verdict])

    def _check(self, _: object) -> None:
        said = self.check(**{name: field.value for name, field in self.fields.items()})
        self.verdict.value = f'<div role="status">{escape(said)}</div>'


def whole(first: int = 0) -> Any:
    """A field for a whole number, and the number that stands in it at first."""
    return widgets.IntText(first, layout=LAYOUT, style=STYLE)


def number() -> Any:
    """A field for any number."""
    return widgets.FloatText(step=None, layout=LAYOUT, style=STYLE)


def one_of(options: Sequence[str]) -> Any:
    """One of some words, of which none is chosen yet."""
    return widgets.RadioButtons(options=options, value=None, layout=LAYOUT, style=STYLE)

"""A row of buttons of which one is pressed, as a widget; those of ipywidgets do not say which one that is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Buttons(anywidget.AnyWidget):
    """A row of buttons of which one is pressed, or at first none.

    Attributes:
        description: what is chosen; the name of the group of buttons.
        words: what stands on the buttons.
        index: which of them is pressed, from 0; -1: none yet.
        value: what the pressed button stands for; None: none is pressed yet. Set it to press another button.
    """

    _esm = _HERE / "buttons.js"
    _css = _HERE / "buttons.css"

    description = traitlets.Unicode().tag(sync=True)
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(-1).tag(sync=True)
    value = traitlets.Any()

    def __init__(
        self, description: str, options: Sequence[tuple[str, Any]], value: Any = None, *, blank: bool = False
    ) -> None:
        """Show the buttons, and press one.

        Args:
            description: what is chosen.
            options: the word on each button and the value that it stands for.
            value: of the button that is pressed at first; None: of the first.
            blank: press none at first.
        """
        self.values = [value for _, value in options]
        super().__init__(description=description, words=[word for word, _ in options])
        if not blank:
            self.value = self.values[0] if value is None else value

    @traitlets.validate("value")
    def _one_of(self, proposal: Any) -> Any:
        if proposal["value"] not in self.values:
            raise traitlets.TraitError(f"{self.description}: {proposal['value']!r} is none of {self.values}")
        return proposal["value"]

    @traitlets.observe("index")
    def _pressed(self, change: Any) -> None:
        self.value = self.values[change["new"]]

    @traitlets.observe("value")
    def _chosen(self, change: Any) -> None:
        self.index = self.values.index(change["new"])


def same(words: Sequence[str]) -> list[tuple[str, str]]:
    """Options that stand for the words on their buttons."""
    return [(word, word) for word in words]

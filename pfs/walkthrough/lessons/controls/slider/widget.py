"""The widget's Python side: a list of values, and which of them is chosen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Slider(anywidget.AnyWidget):
    """A slider over a list of values.

    Attributes:
        description: what is chosen.
        values: what can be chosen, from the lowest to the highest.
        words: the values as they are shown.
        index: which of them is chosen, from 0.
        disabled: whether it cannot be moved now.
        value: the chosen value. Another number becomes the nearest of `values`.
    """

    _esm = _HERE / "slider.js"
    _css = _HERE / "slider.css"

    description = traitlets.Unicode().tag(sync=True)
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    value = traitlets.Float()

    def __init__(self, description: str, values: Sequence[float], value: float, form: str = ",.0f", **options: Any):
        """A slider that stands at the value nearest to `value`; `form` is how Python formats the values."""
        self.values = tuple(values)
        words = [format(each, form) for each in values]
        super().__init__(description=description, words=words, index=self._nearest(value), **options)
        self.value = self.values[self.index]

    def _nearest(self, value: float) -> int:
        return min(range(len(self.values)), key=lambda index: abs(self.values[index] - value))

    @traitlets.validate("index")
    def _within(self, proposal: Any) -> int:
        return int(min(max(proposal["value"], 0), len(self.values) - 1))

    @traitlets.validate("value")
    def _one_of(self, proposal: Any) -> float:
        return self.values[self._nearest(proposal["value"])]

    @traitlets.observe("index")
    def _index_moved(self, change: Any) -> None:
        self.value = self.values[change["new"]]

    @traitlets.observe("value")
    def _value_moved(self, change: Any) -> None:
        self.index = self._nearest(change["new"])


def doublings(least: float, most: float, steps: int = 4) -> list[float]:
    """The values from `least` up to `most` of which each is 2^(1 / steps) times the one before it."""
    values = [least]
    while values[-1] * 2 ** (1 / steps) <= most * (1 + 1e-9):
        values.append(least * 2 ** (len(values) / steps))
    return values

"""A question to the reader, with a place for the answer and a button that checks it: in JupyterLab and on a page alike."""

from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import HTML, Button, FloatText, HBox, RadioButtons, VBox

NARROW = {"max_width": "100%"}


class Question:
    """A question whose answer is checked when the reader asks for it.

    Attributes:
        answer: the widget that holds the reader's answer.
        verdict: what the last check said; empty before the first one.
        widget: what the notebook displays.
    """

    def __init__(self, text: str, answer: Any, is_right: Callable[[Any], bool], *, right: str, wrong: str) -> None:
        """Show a question with the widget that takes its answer.

        Args:
            text: the question, as HTML.
            answer: a widget with a `value`.
            is_right: whether a value is the answer.
            right: what a right answer is told; why it is right.
            wrong: what any other is told: a hint.
        """
        self.answer, self.is_right, self.right, self.wrong = answer, is_right, right, wrong
        self.verdict = HTML()
        button = Button(description="Check", layout={"width": "auto"})
        button.on_click(lambda _: self.check())
        row = HBox([answer, button], layout={"flex_flow": "row wrap", **NARROW})
        self.widget = VBox([HTML(text, layout=NARROW), row, self.verdict], layout=NARROW)

    def check(self) -> bool:
        """Say whether the answer is right, in words, and return it."""
        right = self.is_right(self.answer.value)
        said = f"<b>Right.</b> {self.right}" if right else f"<b>Not yet.</b> {self.wrong}"
        self.verdict.value = f"<div role='status'>{said}</div>"
        return right


def ask_number(
    text: str, truth: float | Callable[[], float | None], tolerance: float, *, right: str, wrong: str
) -> Question:
    """Ask for a number; one within `tolerance` of the truth is right.

    The truth may be a function that is called at each check; it returns None as long as nobody knows it, and then no
    answer is right.
    """

    def is_right(value: float) -> bool:
        known = truth() if callable(truth) else truth
        return known is not None and abs(value - known) <= tolerance

    return Question(text, FloatText(description="Answer", layout={"width": "180px"}), is_right, right=right, wrong=wrong)


def ask_choice(text: str, options: Sequence[str], truth: str, *, right: str, wrong: str) -> Question:
    """Ask for one of some options, of which none is chosen yet."""
    answer = RadioButtons(options=options, value=None, description="Answer", layout={"width": "auto", **NARROW})
    return Question(text, answer, lambda value: value == truth, right=right, wrong=wrong)

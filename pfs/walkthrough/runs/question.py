"""A place for the answer to an exercise, and a button that checks it: in JupyterLab and on a page of Voila alike."""

from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import HTML, Button, FloatText, HBox, RadioButtons, VBox


class Question:
    """Takes the answer to an exercise, and checks it when the reader asks for it.

    Attributes:
        answer: the widget that holds the reader's answer.
        verdict: what the last check said, as HTML; empty before the first one.
        widget: what the notebook displays.
    """

    def __init__(self, answer: Any, is_right: Callable[[Any], bool], *, right: str, wrong: str) -> None:
        """Show the widget that takes an answer, and the button that checks it.

        Args:
            answer: a widget with a `value` and a description.
            is_right: whether a value is the answer.
            right: what a right answer is told: why it is right.
            wrong: what any other answer is told: a hint.
        """
        self.answer, self.is_right, self.right, self.wrong = answer, is_right, right, wrong
        self.verdict = HTML()
        button = Button(description="Check", layout={"width": "auto"})
        button.on_click(lambda _: self.check())
        self.widget = VBox([HBox([answer, button], layout={"flex_flow": "row wrap"}), self.verdict])

    def check(self) -> bool:
        """Show whether the answer is right, and return it."""
        right = self.is_right(self.answer.value)
        said = f"<b>Right.</b> {self.right}" if right else f"<b>Not yet.</b> {self.wrong}"
        self.verdict.value = f"<div role='status' style='line-height:1.4'>{said}</div>"
        return right


def ask_number(
    exercise: int, truth: float | Callable[[], float | None], tolerance: float, *, right: str, wrong: str
) -> Question:
    """Ask for a number; one within `tolerance` of the truth is right.

    The truth may be a function that is called at each check; it returns None as long as nobody knows it, and then no
    answer is right.
    """

    def is_right(value: float) -> bool:
        known = truth() if callable(truth) else truth
        return known is not None and abs(value - known) <= tolerance

    return Question(FloatText(description=f"Answer {exercise}", step=None), is_right, right=right, wrong=wrong)


def ask_choice(exercise: int, options: Sequence[str], truth: str, *, right: str, wrong: str) -> Question:
    """Ask for one of some options, of which none is chosen yet."""
    wide = {"width": "auto", "max_width": "100%"}
    answer = RadioButtons(options=options, value=None, description=f"Answer {exercise}", layout=wide)
    return Question(answer, lambda value: bool(value == truth), right=right, wrong=wrong)

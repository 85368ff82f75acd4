"""A question whose answer is a place: the reader points at it in an image."""

from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.switches import shown
from pfs.walkthrough.paint import as_png
from pfs.walkthrough.pointer import Pointer


class AskPlace(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """An image to point at, and a button that checks the location under the cross.

    Attributes:
        pointer: the image. Its cross moves by one location of the features' grid.
        here: which location is under the cross, in words; at first, what to do.
        button: calls the check.
        verdict: what the check said of the location, as HTML; empty before.
    """

    def __init__(self, walkthrough: Walkthrough, image: int, check: Callable[[int, int], str]) -> None:
        """Show the image.

        Args:
            walkthrough: the data.
            image: counted from 1.
            check: called with the row and the column of a location; says in a sentence whether it is the right one.
        """
        self.check, self.location = check, (-1, -1)
        self._make_picture(walkthrough, image)
        self.here, self.verdict = shown(), shown()
        self.here.value = "Point at a place of the image."
        self.button = widgets.Button(description="Check this place", disabled=True, layout={"align_self": "flex-start"})
        self.button.on_click(self._check)
        super().__init__([self.pointer, self.here, self.button, self.verdict], layout={"overflow": "visible"})

    def _make_picture(self, walkthrough: Walkthrough, image: int) -> None:
        (H, W), (h, w) = walkthrough.labels.shape[1:], walkthrough.features("teacher").shape[2:]
        self._per_location = H // h, W // w
        self.pointer = Pointer(rows=H, columns=W, step=H // h, label=f"Image {image}: point at your answer")
        self.pointer.image = as_png(walkthrough.images[image - 1])
        self.pointer.layout.width, self.pointer.layout.max_width = "20rem", "100%"
        self.pointer.point(0, 0)  # where hardly anyone would point: a press there moves nothing, and is no answer
        self.pointer.on_move(self._moved)

    def _moved(self, row: int, column: int) -> None:
        self.location = row // self._per_location[0], column // self._per_location[1]
        self.here.value = self.pointer.alt = "Your answer: row {}, column {} of the features.".format(*self.location)
        self.button.disabled = False

    def _check(self, _: object) -> None:
        self.verdict.value = f'<div role="status">{escape(self.check(*self.location))}</div>'

"""The widget's Python side: what it shows, and where the reader points."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

SCRIPT = Path(__file__).with_name("pointer.js")
STYLE = Path(__file__).with_name("pointer.css")


class Pointer(anywidget.AnyWidget):
    """A picture to point at, by mouse, touch or arrow keys.

    Its JavaScript draws the picture, crisp and as wide as its container, and a cross at the place.

    Attributes:
        image: the picture, a PNG file.
        overlay: a second PNG with alpha, which is drawn over the first; empty for none.
        rows: the height of the picture in image pixels.
        columns: its width.
        row: the image pixel that is pointed at, from 0 at the top to rows - 1.
        column: likewise, from the left.
        step: how many image pixels an arrow key moves the place; Page Up and Page Down move it by four steps.
        reachable: whether the keyboard reaches it; of several pictures that point at the same place, one is enough.
        label: what the picture is for, in a few words; read out when it gets the focus.
        alt: what it shows now.
    """

    _esm = SCRIPT
    _css = STYLE

    image = traitlets.Bytes().tag(sync=True)
    overlay = traitlets.Bytes().tag(sync=True)
    rows = traitlets.Int(64, min=1).tag(sync=True)
    columns = traitlets.Int(64, min=1).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(1, min=1).tag(sync=True)
    reachable = traitlets.Bool(True).tag(sync=True)
    label = traitlets.Unicode("A picture to point at").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)

    @property
    def place(self) -> tuple[int, int]:
        """The row and the column."""
        return self.row, self.column

    def point(self, row: int, column: int) -> None:
        """Move the pointer; whoever watches is told once."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.row, self.column = row, column

    def on_move(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(row, column)` when the place has changed: once where both have."""
        last = self.place

        def moved(_: Any) -> None:
            nonlocal last
            if self.place != last:
                last = self.place
                callback(*last)

        self.observe(moved, names=["row", "column"])

    @traitlets.validate("row", "column")
    def _within(self, proposal: Any) -> int:
        """A place outside of the picture becomes the nearest one in it."""
        last = (self.rows if proposal["trait"].name == "row" else self.columns) - 1
        return int(min(max(proposal["value"], 0), last))

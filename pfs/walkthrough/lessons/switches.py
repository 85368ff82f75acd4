"""The controls of the walkthroughs: each has a label in words, works by keyboard, and fits a narrow page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from pfs.walkthrough.lessons.controls.slider import Slider, doublings
from pfs.walkthrough.pointer import Pointer

_ROW = {"flex_flow": "row wrap", "overflow": "visible"}
LAYOUT = {"width": "22rem", "max_width": "100%", "margin": "2px 12px 2px 2px"}
STYLE = {"description_width": "6.5rem"}


def choice(description: str, options: Sequence[tuple[str, Any]]) -> Any:
    """A list to choose from: words and values. The first is chosen."""
    return widgets.Dropdown(options=options, description=description, layout=LAYOUT, style=STYLE)


def slider(description: str, value: float, *, least: float, most: float, form: str = ".2f", steps: int = 4) -> Slider:
    """A slider with so many steps for each doubling; `form` is how Python formats the values."""
    return Slider(description, doublings(least, most, steps), value, form, layout=LAYOUT)


def linked_pictures(labels: Mapping[str, str], size: tuple[int, int]) -> dict[str, Pointer]:
    """Pictures of (H, W) image pixels by their names, each with its label; all have one place, at first the middle.

    A mouse points at any of them; the keyboard reaches the first.
    """
    H, W = size
    first = next(iter(labels))
    pictures = {
        name: Pointer(rows=H, columns=W, label=label, reachable=name == first) for name, label in labels.items()
    }
    for name, picture in pictures.items():
        for other in pictures.keys() - {name}:
            picture.on_move(pictures[other].point)
    pictures[first].point(H // 2, W // 2)
    return pictures


def side_by_side(pictures: Mapping[str, Pointer]) -> Any:
    """Pictures in a row that breaks on a narrow page, each under its label."""
    return widgets.HBox([_captioned(picture) for picture in pictures.values()], layout=_ROW)


def _captioned(picture: Pointer) -> Any:
    caption = widgets.HTML(f'<div style="font:0.8rem/1.3 system-ui,sans-serif">{escape(picture.label)}</div>')
    layout = {"flex": "0 0 max(min(23.5%, 16rem), min(47%, 11rem))", "margin": "0 6px 0 0", "overflow": "visible"}
    return widgets.VBox([caption, picture], layout=layout)


def in_rows(*controls: Any) -> Any:
    """Controls side by side, in rows that break on a narrow page."""
    return widgets.HBox(controls, layout=_ROW)


def shown() -> Any:
    """A place for HTML that is at most as wide as the page."""
    return widgets.HTML(layout={"max_width": "100%", "margin": "4px 8px 4px 2px"})

"""The controls of the walkthroughs: each has a label in words, works by keyboard, and fits a narrow page."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from pfs.walkthrough.pointer import Pointer

_ROW = {"flex_flow": "row wrap", "overflow": "visible"}
_LAYOUT = {"width": "auto", "max_width": "24rem"}
_STYLE = {"description_width": "6.5rem"}


def choice(description: str, options: Sequence[tuple[str, Any]]) -> Any:
    """A list to choose from: words and values. The first is chosen."""
    return widgets.Dropdown(options=options, description=description, layout=_LAYOUT, style=_STYLE)


def slider(description: str, value: float, *, least: float, most: float) -> Any:
    """A slider whose steps are a fourth of a doubling, between two powers of 2."""
    bounds = {"min": math.log2(least), "max": math.log2(most)}
    return widgets.FloatLogSlider(
        value, base=2, step=0.25, readout_format=".2f", description=description, layout=_LAYOUT, style=_STYLE, **bounds
    )


def linked_pictures(labels: Mapping[str, str], size: tuple[int, int]) -> dict[str, Pointer]:
    """Pictures of (H, W) image pixels by their names, each with its label; all have one place, at first the middle."""
    H, W = size
    pictures = {name: Pointer(rows=H, columns=W, label=label) for name, label in labels.items()}
    for name, picture in pictures.items():
        for other in pictures.keys() - {name}:
            picture.on_move(pictures[other].point)
    next(iter(pictures.values())).point(H // 2, W // 2)
    return pictures


def side_by_side(pictures: Mapping[str, Pointer]) -> Any:
    """Pictures in a row that breaks on a narrow page, each under its label."""
    return widgets.HBox([_captioned(picture) for picture in pictures.values()], layout=_ROW)


def _captioned(picture: Pointer) -> Any:
    caption = widgets.HTML(f'<span style="font:0.8rem/1.3 system-ui,sans-serif">{escape(picture.label)}</span>')
    return widgets.VBox([caption, picture], layout={"flex": "1 1 9rem", "max_width": "15rem"})


def in_rows(*controls: Any) -> Any:
    """Controls side by side, in rows that break on a narrow page."""
    return widgets.HBox(controls, layout=_ROW)

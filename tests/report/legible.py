"""What makes a figure's text legible: its size, its place on the canvas, and that no text lies upon another."""

from itertools import combinations
from unittest.mock import patch

from matplotlib import rc_context
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from pfs.report.style import DPI, STYLE

SLACK = 1.0  # points by which boxes may meet: a box is a little larger than its letters


def drawn_texts(figure: Figure) -> list[Text]:
    """The texts that a figure draws: a tick outside its axis's limits has a text that is not among them."""
    found: list[Text] = []
    draw = Text.draw

    def remember(text: Text, renderer: RendererBase) -> None:
        if text.get_visible() and text.get_text().strip():
            found.append(text)
        draw(text, renderer)

    with rc_context(STYLE), patch.object(Text, "draw", remember):
        FigureCanvasAgg(figure)
        figure.canvas.draw()  # once for the layout
        found.clear()
        figure.canvas.draw()
    return found


def flaws(figure: Figure, smallest: float = 6.0) -> list[str]:
    """What is wrong with a figure's texts, a sentence each, at the dots an inch with which it is written.

    Args:
        figure: whose canvas is the paper: its texts are judged at the size that it has.
        smallest: points that every text must have.
    """
    figure.set_dpi(DPI)  # letters are a little wider or narrower at others
    texts = drawn_texts(figure)
    boxes = [text.get_window_extent().padded(-SLACK / 2 * figure.dpi / 72) for text in texts]
    small = [
        f"{text.get_text()!r} has {text.get_fontsize()} points"
        for text in texts
        if float(text.get_fontsize()) < smallest
    ]
    outside = [
        f"{text.get_text()!r} leaves the canvas"
        for text, box in zip(texts, boxes, strict=True)
        if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1
    ]
    upon = [
        f"{first.get_text()!r} lies upon {second.get_text()!r}"
        for (first, one), (second, other) in combinations(zip(texts, boxes, strict=True), 2)
        if one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1
    ]
    return small + outside + upon

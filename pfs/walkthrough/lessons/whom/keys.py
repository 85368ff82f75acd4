"""The keys of the colours of walkthrough 2, as HTML: each class has its colour, and bright means much in the maps."""

from collections.abc import Sequence
from html import escape

from pfs.report.pictures import class_palette
from pfs.walkthrough.lessons.alike.texts import class_of
from pfs.walkthrough.lessons.pictures import image
from pfs.walkthrough.paint import SEQUENTIAL, as_png, palette_bar

_ITEM = "display:inline-flex;align-items:center;gap:0.35rem;white-space:nowrap"
_ROW = "display:flex;flex-wrap:wrap;gap:0.3rem 1.1rem;font:0.8rem/1.3 system-ui,sans-serif"
_BAR = "width:6rem;height:0.7rem"
_SWATCH = "display:inline-block;width:0.9rem;height:0.9rem;border:1px solid #888"


def keys_of(present: Sequence[int], classes: Sequence[str], largest: float) -> str:
    """The keys of the pictures.

    Args:
        present: the labels that occur in the image.
        classes: the names of all classes.
        largest: the largest weight of a pixel, which is the brightest in the picture of the weights.
    """
    palette = class_palette(len(classes))
    swatches = [_swatch(palette[label].tolist(), class_of(label, classes)) for label in present]
    bars = [_bar("p[y]", 1.0), _bar("weight", largest)]
    return f'<div style="{_ROW}">{"".join((*swatches, *bars))}<span>grey: the label is ignored</span></div>'


def _swatch(rgb: Sequence[int], name: str) -> str:
    colour = f"rgb({','.join(map(str, rgb))})"
    return f'<span style="{_ITEM}"><i style="{_SWATCH};background:{colour}"></i>{escape(name)}</span>'


def _bar(name: str, largest: float) -> str:
    bar = image(as_png(palette_bar(SEQUENTIAL)), "", _BAR)
    return f'<span style="{_ITEM}">{name}: 0 {bar} {largest:.3g}</span>'

"""How every figure colours and marks a method, how large figures are, and how they are written."""

import io
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import seaborn as sns
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from pfs.config.files import atomic_write
from pfs.config.methods import Term
from pfs.config.study import Study
from pfs.report.tables.labels import label as label  # those who draw take it from here
from pfs.study.places import TEACHER

COLUMN, PAGE = 3.3, 7.0  # inches: the width of one column of a paper, and of its page
TALLEST = 9.0  # inches: a page's height, less its caption
DPI = 150  # dots an inch of a PNG
SMALL = 6.5  # points of the smallest text in a figure

# DejaVu Sans comes with matplotlib: the same glyphs, so the same bytes, on every machine.
STYLE: Any = {  # matplotlib's stubs want the literal name of every setting, seaborn's styles are plain dicts
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "pdf.fonttype": 42,  # text stays text in the PDF
}
_FONT = FontProperties(family=STYLE["font.family"])
_PALETTE = sns.color_palette("colorblind")
COLOURS: dict[str, Any] = {
    TEACHER: "black",
    "ce": "0.45",
    "kd": _PALETTE[0],
    "fitnet": _PALETTE[4],
    "skd": "#17b3c9",
    "cwd": "#8254a8",
    "at": "#6f7f9f",
    "sp": "#9b2d5e",
    "ifvd": "#b5a300",
    "hard_pixels": "#7a8b23",
    "student_gap": sns.desaturate(_PALETTE[1], 0.5),
    "pfs": _PALETTE[2],
    "wsp": _PALETTE[1],
    "pfs_wsp": "#cc3311",
}
REFERENCE = "0.45"  # the line of the method that others are compared with, whichever it is
TEACHER_MARKER = "*"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "d")

# From dark blue over grey to yellow. Its lightness rises all the way, so that the sign of a value can be read in grey
# and by readers who see fewer colours (Nuñez et al. 2018, arXiv 1712.01662).
DIVERGING = "cividis"

LEGEND: Any = {"frameon": False, "fontsize": 7, "handlelength": 1.4, "handletextpad": 0.4, "columnspacing": 1.2}


class Look(NamedTuple):
    """How a method's points and lines are drawn."""

    colour: Any
    marker: str


def colour(method: str) -> Any:
    """A well-known method's colour, the same in every figure; grey for any other, which `looks` tells apart."""
    return COLOURS.get(method, "0.3")


def looks(methods: Sequence[str], study: Study | None = None) -> dict[str, Look]:
    """How each method of a figure is drawn: no two share a colour.

    A well-known method has the same colour in every figure. The variants of one, as with other weights, are shades of
    its colour, the darker the heavier their terms. The hues of all others are spread around the circle. A method looks
    the same in all figures of its study. Neighbours in the study never share a marker, and no two methods do where
    there are at most as many as `MARKERS`; the teacher has one of its own.

    Args:
        methods: those of one figure, in its order.
        study: what says of which terms the methods are made; without it their names alone say it.
    """
    together = list(dict.fromkeys([*(study.methods if study is not None else ()), *methods]))
    students = [method for method in together if method != TEACHER]
    colours = _colours(together, study)
    marked = dict(zip(students, cycle(MARKERS), strict=False)) | {TEACHER: TEACHER_MARKER}
    return {method: Look(colours[method], marked[method]) for method in methods}


def _colours(methods: Sequence[str], study: Study | None) -> dict[str, Any]:
    """The colour of each method, where they are drawn together."""
    families: dict[str, list[str]] = {}
    for method in methods:
        families.setdefault(family(method, study), []).append(method)
    unknown = [name for name in families if name not in COLOURS]
    hues = COLOURS | dict(zip(unknown, sns.husl_palette(len(unknown), s=0.75, l=0.5), strict=True))
    shades: dict[str, Any] = {}
    for name, members in families.items():
        variants = sorted((m for m in members if m not in COLOURS), key=lambda method: _weights(method, study))
        shades |= dict(zip(variants, _shades(hues[name], len(variants), name in members), strict=True))
    return COLOURS | shades


def family(method: str, study: Study | None = None) -> str:
    """The well-known method that this one is a variant of; where there is none, the names of its terms, or its own.

    It is a variant of the longest well-known name that its own name begins with, or that its terms make together:
    `kd_t2_1` of `kd`, and `pfs_4_wsp_1`, with the terms pfs and wsp, of `pfs_wsp`.
    """
    terms = "_".join(_terms(method, study))
    known = [name for name in COLOURS if name == terms or method.startswith(f"{name}_")]
    return method if method in COLOURS else max(known, key=len, default=terms or method)


def _terms(method: str, study: Study | None) -> dict[str, Term]:
    return study.methods[method].terms if study is not None and method in study.methods else {}


def _weights(method: str, study: Study | None) -> list[float]:
    return [term.weight for term in _terms(method, study).values()]


def _shades(base: Any, count: int, taken: bool) -> list[Any]:
    """So many shades of a colour from light to dark; the colour itself is one of them unless it is taken."""
    if count == 1 and not taken:
        return [base]
    size = count + 1 + count % 2 if taken else count  # an odd number has the colour itself in its middle
    red, green, blue = to_rgb(base)
    light = tuple(0.7 * channel + 0.3 for channel in (red, green, blue))
    dark = tuple(0.45 * channel for channel in (red, green, blue))
    ramp = list(sns.blend_palette([light, base, dark], size))
    return ramp[: size // 2] + ramp[size // 2 + 1 :][: count - size // 2] if taken else ramp


def ink(background: Any) -> str:
    """The colour of text on a background, "black" or "white": the one of higher contrast, which is at least 4.5.

    The contrast is (lighter + 0.05) / (darker + 0.05) of relative luminance, as WCAG 2 defines it.
    """
    red, green, blue = ((x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4) for x in to_rgb(background))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if (luminance + 0.05) ** 2 >= 0.05 * 1.05 else "white"


def escape(text: str) -> str:
    """A text that matplotlib shows as it is: a dollar in it begins no mathematics."""
    return text.replace("$", r"\$")


def text_width(text: str, size: float) -> float:
    """The width in inches that a line of text takes at so many points."""
    return (
        float(TextPath((0, 0), escape(text), size=size, prop=_FONT).get_extents().width) / 72 if text.strip() else 0.0
    )


def wrap(text: str, width: float, size: float) -> str:
    """Break a text at its blanks, but not at those around "=", into lines of at most `width` inches at so many points.

    A word that is longer is cut.
    """
    lines = [""]
    for word in text.replace(" = ", "\u00a0=\u00a0").split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width, size))
    return "\n".join(line for line in lines if line)


def shorten(text: str, width: float, size: float) -> str:
    """A text that takes at most `width` inches at so many points: a longer one is cut, and ends with "…"."""
    if text_width(text, size) <= width:
        return text
    fitting = [end for end in range(1, len(text)) if text_width(f"{text[:end]}…", size) <= width]
    return f"{text[: max(fitting, default=1)]}…"


@rc_context(STYLE)
def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `folder/name.png` and `folder/name.pdf`, each whole or not at all.

    Neither file says when or by which version it was made, so the same figure gives the same bytes.
    """
    metadata = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}
    for suffix, entries in metadata.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, dpi=DPI, metadata=entries)
        atomic_write(folder / f"{name}.{suffix}", buffer.getvalue())

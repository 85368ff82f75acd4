"""How every figure and table names, colours and marks a method, how large figures are, and how they are written."""

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
from pfs.config.study import Study
from pfs.study.places import TEACHER

COLUMN, PAGE = 3.3, 7.0  # inches: the width of one column of a paper, and of its page
SMALL = 6.5  # points of the smallest text in a figure

LABELS = {
    TEACHER: "Teacher",
    "ce": "Student alone (CE)",
    "kd": "KD",
    "fitnet": "FitNet",
    "at": "AT",
    "sp": "SP",
    "skd": "SKD pair-wise",
    "cwd": "CWD",
    "ifvd": "IFVD",
    "hard_pixels": "Hard pixels, no teacher",
    "student_gap": "WSP by the student's doubt",
    "pfs": "PFS",
    "wsp": "WSP",
    "pfs_wsp": "PFS + WSP",
}

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
    "skd": _PALETTE[9],
    "cwd": _PALETTE[5],
    "at": "#7b6fb8",
    "sp": _PALETTE[6],
    "ifvd": _PALETTE[8],
    "hard_pixels": "#8a6d3b",
    "student_gap": sns.desaturate(_PALETTE[1], 0.5),
    "pfs": _PALETTE[2],
    "wsp": _PALETTE[1],
    "pfs_wsp": _PALETTE[3],
}
REFERENCE = "0.45"  # the line of the method that others are compared with, whichever it is
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "d")

# From dark blue over grey to yellow. Its lightness rises all the way, so that the sign of a value can be read in grey
# and by readers who see fewer colours (Nuñez et al. 2018, arXiv 1712.01662).
DIVERGING = "cividis"

LEGEND: Any = {"frameon": False, "fontsize": 7, "handlelength": 1.4, "handletextpad": 0.4, "columnspacing": 1.2}


class Look(NamedTuple):
    """How a method's points and lines are drawn."""

    colour: Any
    marker: str


def label(method: str, study: Study | None = None) -> str:
    """A method's name for people: the `label` that its study gives it, or its usual one, or its own name in words."""
    given = study.methods[method].label if study is not None and method in study.methods else None
    return given or LABELS.get(method, method.replace("_", " "))


def colour(method: str) -> Any:
    """A well-known method's colour, the same in every figure; grey for any other, which `looks` tells apart."""
    return COLOURS.get(method, "0.3")


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """How each method of a figure is drawn: no two share a colour.

    Neighbours never share a marker, and no two methods do where there are at most as many as `MARKERS`.

    Args:
        methods: those of one figure, in its order. Well-known methods have the same colour in every figure; the
            others' hues are spread around the circle, in three steps of lightness.
    """
    others = [method for method in methods if method not in COLOURS]
    hues = sns.husl_palette(len(others), s=0.75, l=0.5)
    own = {
        method: sns.set_hls_values(hue, l=0.3 + 0.15 * (index % 3))
        for index, (method, hue) in enumerate(zip(others, hues, strict=True))
    }
    return {m: Look(own.get(m) or COLOURS[m], marker) for m, marker in zip(methods, cycle(MARKERS), strict=False)}


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
        figure.savefig(buffer, format=suffix, dpi=150, metadata=entries)
        atomic_write(folder / f"{name}.{suffix}", buffer.getvalue())

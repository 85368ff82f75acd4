"""How every figure and table names and colours a method, and how figures are written."""

import io
import zlib
from pathlib import Path
from typing import Any

import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure

from pfs.config.files import atomic_write
from pfs.study.places import TEACHER

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
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "pdf.fonttype": 42,  # text stays text in the PDF
}
_PALETTE = sns.color_palette("colorblind")
_OTHERS = sns.husl_palette(24, s=0.6, l=0.45)
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
    "hard_pixels": "0.65",
    "student_gap": sns.desaturate(_PALETTE[1], 0.5),
    "pfs": _PALETTE[2],
    "wsp": _PALETTE[1],
    "pfs_wsp": _PALETTE[3],
}

LEGEND: Any = {"frameon": False, "fontsize": 7, "handlelength": 0.9, "handletextpad": 0.4}


def label(method: str) -> str:
    """A method's name for people; a method without one is called as the study calls it, in words."""
    return LABELS.get(method, method.replace("_", " "))


def colour(method: str) -> Any:
    """A method's colour, the same in every figure: its own, or one that its name alone decides."""
    return COLOURS.get(method) or _OTHERS[zlib.crc32(method.encode()) % len(_OTHERS)]


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

"""How every figure, table and page calls a method. It imports no drawing library, so that pages are made in seconds."""

from pfs.config.study import Study
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


def label(method: str, study: Study | None = None) -> str:
    """A method's name for people: the `label` that its study gives it, or its usual one, or its own name in words."""
    given = study.methods[method].label if study is not None and method in study.methods else None
    return given or LABELS.get(method, method.replace("_", " "))

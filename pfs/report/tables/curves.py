"""The learning curves of val that `pfs collect` leaves of a study, `curves.csv`, read and checked. No torch here."""

from pathlib import Path

import pandas as pd

from pfs.study.records import RecordError

COLUMNS = ["method", "seed", "step", "val_miou"]


def read_curves(folder: Path) -> pd.DataFrame:
    """The `curves.csv` of a study's results, checked: val mIoU in percent of each run after each step that was scored.

    Args:
        folder: the study's results, called like the study.

    Returns:
        The columns method, seed, step and val_miou, a row a run and step.

    Raises:
        RecordError: there is no such file, or it is damaged; one line with the file and the mend.
    """
    path = folder / "curves.csv"
    if not path.is_file():
        raise RecordError(f"{path}: no such table; a study with val_every has one: make study STUDY={folder.name}")
    try:
        curves = pd.read_csv(path, dtype={"method": str, "seed": int, "step": int, "val_miou": float})
        fault = _fault(curves)
    except (ValueError, OSError) as error:  # of pandas' parser, too
        fault = str(error).splitlines()[0]
    if fault:
        raise RecordError(f"{path}: is damaged ({fault}): make it again with pfs collect {folder.name}, or restore it")
    return curves


def _fault(curves: pd.DataFrame) -> str | None:
    """What is wrong with the table, if anything is."""
    if list(curves.columns) != COLUMNS:
        return f"its columns are {', '.join(curves.columns)}, not {', '.join(COLUMNS)}"
    if (twice := curves.duplicated(COLUMNS[:3])).any():
        return f"line {int(twice.argmax()) + 2} has a run and step that stand above it already"
    if not (right := curves["val_miou"].between(0, 100)).all():
        line = int((~right).argmax())
        return f"line {line + 2}: val_miou {curves['val_miou'][line]} is no percentage"
    return None

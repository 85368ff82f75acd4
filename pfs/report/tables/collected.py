"""What `pfs collect` leaves of a study, `runs.csv` and `examples.npz`, read and checked.

A file that was cut, edited or mixed up is refused before any table or figure is made of it. No torch and no SciPy here.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from pfs.config.base import Name, Seed, shown
from pfs.study.places import TEACHER
from pfs.study.records import RecordError, Split

T = TypeVar("T")

CLASS = "iou_"  # what the columns of the classes begin with; the class's name follows
ROUNDING = 1e-3  # of mIoU and IoU in percent, which are written with four decimals


def _written_as(pattern: str, what: str) -> BeforeValidator:
    """Refuses a number that is not written as `pfs collect` writes it, such as `nan`, `1_000` or ` 5`."""

    def check(text: object) -> object:
        if text is not None and re.fullmatch(pattern, str(text), re.ASCII) is None:
            raise ValueError(f"is not {what}")
        return text

    return BeforeValidator(check)


_WHOLE = _written_as(r"\d{1,18}", "a whole number")
_DECIMAL = _written_as(r"\d{1,18}(\.\d+)?([eE][+-]?\d{1,3})?", "a number of 0 or more")
Text = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, _WHOLE]
Decimal = Annotated[float, _DECIMAL, Field(allow_inf_nan=False)]
Percent = Annotated[float, _DECIMAL, Field(le=100)]


class Row(BaseModel):
    """A row of `runs.csv`: what one split says of one run. What an older version did not record may be None."""

    model_config = ConfigDict(frozen=True)

    study: Text
    method: Name
    seed: Annotated[Seed, _WHOLE]
    split: Split
    miou: Percent
    pixel_accuracy: Percent
    parameters: Whole | None
    macs: Whole | None
    seconds: Decimal | None
    training_seconds: Decimal | None
    peak_memory_mib: Decimal | None
    commit: Text
    dirty: Literal["True", "False"] | None
    threads: Whole | None
    precision: Text
    instruction_set: Text
    data_checksum: Text
    teacher_checksum: Text | None = None
    code_hash: Text


_ROW = TypeAdapter(Row)
_CLASSES = TypeAdapter(dict[str, Percent | None])
_ADDED = "teacher_checksum"  # a column that tables of older versions lack
_TEXTS = [name for name, field in Row.model_fields.items() if field.annotation is str or name in ("split", _ADDED)]


class _DamagedError(ValueError):
    """What is wrong with a file, in words that follow its name."""


def read_runs(folder: Path) -> pd.DataFrame:
    """The `runs.csv` of a study's results, checked: a row a run and split.

    Every column of `Row` is there, and one `iou_<class>` for each class; every score is a percentage, each mIoU is the
    mean of its classes' IoU, and each run has a row for every split of the study. Hashes stay text even where they look
    like numbers. Runs may be missing, and methods may be there that the study no longer has.

    Args:
        folder: the study's results, called like the study.

    Raises:
        RecordError: there is no such table, or it is damaged; one line with the file, the line, the value and the mend.
    """
    path = folder / "runs.csv"
    if not path.is_file():
        raise RecordError(f"{path}: no such table; `make study STUDY={folder.name}` makes it")
    content = path.read_bytes()
    try:
        _check(content, folder.absolute().name)
    except _DamagedError as error:
        raise RecordError(f"{path}: {error}: {mend(path)}") from None
    types = {**dict.fromkeys(_TEXTS, "str"), "dirty": "boolean"}
    table = pd.read_csv(io.BytesIO(content), dtype=types, keep_default_na=False, na_values=[""])
    return table if _ADDED in table else table.assign(**{_ADDED: None})


def read_examples(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a study's `examples.npz`, by name; none where there is no such file.

    Args:
        folder: the study's results.

    Raises:
        RecordError: the file is damaged; one line with the file and the mend.
    """
    path = folder / "examples.npz"
    if not path.is_file():
        return {}
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(f"{path}: is damaged ({type(error).__name__}): {mend(path)}") from None


def mend(path: Path) -> str:
    """How to come by a collected file of a study's results again, in a few words."""
    if any((path.parent / "runs").glob("*/*/record.json")):
        return f"make it again from the runs' records: pfs collect {path.parent.name} --results {path.parent.parent}"
    return f"restore it: git checkout -- {path}"


def _check(content: bytes, study: str) -> None:
    """Raise a `_DamagedError` for a table that is not as `pfs collect` writes the one of that study."""
    head, *lines = _lines(content)
    _check_columns(head)
    seen: dict[tuple[str, int], dict[str, int]] = {}  # run -> split -> line
    scored: set[str] = set()  # the splits of the study's own runs; the teacher of another may have more
    for number, values in enumerate(lines, 2):
        row = _row(number, dict(zip(head, values, strict=True)))
        if row.method != TEACHER and row.study != study:  # the teacher may be that of another study
            raise _DamagedError(f"line {number}: study: {shown(row.study)} is not this study, {study}")
        splits = seen.setdefault((row.method, row.seed), {})
        if row.split in splits:
            run = f"{row.method}, seed {row.seed}, {row.split}"
            raise _DamagedError(f"line {number}: {run} stands in line {splits[row.split]} already")
        splits[row.split] = number
        scored |= {row.split} if row.study == study else set()
    _check_splits(seen, scored)


def _lines(content: bytes) -> list[list[str]]:
    """The values of each line, the columns' names first: at least two lines, all of one length."""
    try:
        text = content.decode("utf-8")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _DamagedError(f"is no table of runs ({error})") from None
    if not text.endswith("\n"):
        raise _DamagedError(f"is cut: line {len(lines)} has no end" if text else "is empty")
    for number, values in enumerate(lines, 1):
        if len(values) != len(lines[0]):
            raise _DamagedError(f"line {number} has {len(values)} values, and the first line has {len(lines[0])}")
    if len(lines) == 1:
        raise _DamagedError("holds no run")
    return lines


def _check_columns(head: list[str]) -> None:
    if missing := [name for name in Row.model_fields if name not in (*head, _ADDED)]:
        raise _DamagedError(f"line 1: lacks {', '.join(missing)}")
    if repeated := [name for name in head if head.count(name) > 1]:
        raise _DamagedError(f"line 1: {shown(repeated[0])} stands twice")


def _row(number: int, values: Mapping[str, str]) -> Row:
    """A line's values with their types."""
    given = {name: value or None for name, value in values.items()}
    row = _validated(number, _ROW, given)
    classes = {name: value for name, value in given.items() if name.startswith(CLASS)}
    scores = [iou for iou in _validated(number, _CLASSES, classes).values() if iou is not None]
    mean = sum(scores) / len(scores) if scores else float("nan")
    if not abs(mean - row.miou) <= ROUNDING:
        told = f"miou: {values['miou']} is not the mean of its classes' IoU, {mean:.4f}"
        raise _DamagedError(f"line {number}: {told} (a number was changed, or a column is missing)")
    return row


def _validated(number: int, adapter: TypeAdapter[T], values: Mapping[str, object]) -> T:
    """What pydantic makes of some values of a line."""
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        detail = error.errors()[0]
        said = detail["msg"].removeprefix("Value error, ")
        told = "is empty" if detail["input"] is None else f"{shown(detail['input'])}: {said}"
        raise _DamagedError(f"line {number}: {detail['loc'][0]}: {told}") from None


def _check_splits(seen: Mapping[tuple[str, int], Mapping[str, int]], scored: set[str]) -> None:
    """Every run has a row for each split on which the study's own runs are scored."""
    for (method, seed), splits in seen.items():
        if missing := sorted(scored - splits.keys()):
            raise _DamagedError(f"{method}, seed {seed} has no row of {missing[0]}")

"""The study's tables: as numbers, for a page, and for a paper."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pfs.config.study import Study
from pfs.report.statistics import Difference, paired_difference
from pfs.report.style import label
from pfs.study.places import TEACHER


def main_table(runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The study's table: the teacher, then its methods in the study's order.

    Args:
        runs: `runs.csv`, one row a run and split. A method without runs keeps its row, empty.
        study: the study that they belong to.

    Returns:
        The columns method, label, runs (how many), miou_mean, miou_std, difference, difference_low and
        difference_high (to `study.reference`, paired by seed), val_miou_mean, pixel_accuracy_mean,
        parameters, macs: of the test split unless named otherwise, in percent.
    """
    table = pd.DataFrame([_row(runs, method, study.reference) for method in (TEACHER, *study.methods)])
    return table.astype({"parameters": "Int64", "macs": "Int64"})


def class_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Test IoU of each class in percent, the mean over the seeds: a row a method, in the order of the runs."""
    chosen = runs[runs["split"] == "test"]
    classes = [column for column in runs.columns if column.startswith("iou_")]
    means = chosen.groupby("method", sort=False)[classes].mean()
    return means.rename(columns=lambda column: column.removeprefix("iou_"))


def to_markdown(table: pd.DataFrame) -> str:
    """The main table for a README or a report, rounded for people."""
    frame = _formatted(table)
    return markdown_table(list(frame.columns), frame.to_numpy().tolist())


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: bool = True) -> str:
    """Any table in Markdown, a line a row.

    Args:
        head: the columns' names.
        rows: their values, as they are shown.
        numbers: whether all columns but the first are numbers, and so set to the right.
    """
    ruler = ["---", *["---:" if numbers else "---"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (head, ruler, *rows))


def measurements_table(table: pd.DataFrame, *, digits: int = 2) -> str:
    """A table of measurements in Markdown: its floats with that many digits, a dash for what was not measured."""
    text = table.map(lambda value: f"{value:,.{digits}f}" if isinstance(value, float) else str(value))
    return markdown_table(list(text.columns), text.replace("nan", "-").to_numpy().tolist(), numbers=False)


def to_latex(table: pd.DataFrame) -> str:
    """The main table for a paper: a `tabular` with booktabs' rules."""
    frame = _formatted(table).map(_latex).rename(columns=_latex)
    columns = "l" + "r" * (len(frame.columns) - 1)
    return frame.style.hide(axis="index").to_latex(hrules=True, column_format=columns)


def miou_with_spread(row: Mapping[Hashable, Any]) -> str:
    """Test mIoU of a row of the main table, such as `48.0 ± 1.7`; without the deviation where there is one run."""
    return _number(row["miou_mean"], "{:.1f}") + _number(row["miou_std"], " ± {:.1f}")


def difference_with_interval(row: Mapping[Hashable, Any]) -> str:
    """Difference of a row of the main table, such as `+3.0 [+0.5, +5.5]`; empty for the reference and the teacher."""
    low, high = (_number(row[end], "{:+.1f}") for end in ("difference_low", "difference_high"))
    return _number(row["difference"], "{:+.1f}") + (f" [{low}, {high}]" if low else "")


def _row(runs: pd.DataFrame, method: str, reference: str) -> dict[str, object]:
    """One line of the main table."""
    of_method = runs[runs["method"] == method]
    test, val = (of_method[of_method["split"] == split] for split in ("test", "val"))
    compared = method not in (TEACHER, reference)
    difference = paired_difference(runs, method, reference) if compared else Difference(*[np.nan] * 4)
    return {
        "method": method,
        "label": label(method),
        "runs": len(test),
        "miou_mean": test["miou"].mean(),
        "miou_std": test["miou"].std(),
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "val_miou_mean": val["miou"].mean(),
        "pixel_accuracy_mean": test["pixel_accuracy"].mean(),
        "parameters": test["parameters"].max(),
        "macs": test["macs"].max(),
    }


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    """The main table as text: rounded, units in the headings, an empty cell where there is nothing to say."""
    return pd.DataFrame([_formatted_row(row) for row in table.to_dict("records")])


def _formatted_row(row: dict[Hashable, Any]) -> dict[str, str]:
    return {
        "Method": row["label"],
        "Runs": str(row["runs"]),
        "Val mIoU (%)": _number(row["val_miou_mean"], "{:.1f}"),
        "Test mIoU (%)": miou_with_spread(row),
        "Difference [95 %]": difference_with_interval(row),
        "Pixel accuracy (%)": _number(row["pixel_accuracy_mean"], "{:.1f}"),
        "Parameters (M)": _number(row["parameters"], "{:.2f}", 1e6),
        "MACs (M)": _number(row["macs"], "{:.0f}", 1e6),
    }


def _number(value: float, form: str, unit: float = 1.0) -> str:
    return "" if pd.isna(value) else form.format(value / unit)


def _latex(text: str) -> str:
    """LaTeX's way to write a cell: signed numbers in math mode, the special characters escaped."""
    escaped = re.sub(r"([%&_#])", r"\\\1", text)
    return re.sub(r"([+-]\d[\d.]*)", r"$\1$", escaped).replace("±", r"$\pm$")

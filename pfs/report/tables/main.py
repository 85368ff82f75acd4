"""The study's tables: as numbers, for a page, and for a paper."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pfs.config.study import Study
from pfs.report.statistics import Difference, paired_difference, signed_difference
from pfs.report.tables.labels import label
from pfs.study.places import TEACHER

A_PAGE = 35  # rows of a table on a page of a paper
SAME_FOR_ALL = ("Parameters (M)", "MACs (M)")  # of all students of a study: the LaTeX table says it in its caption


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
    table = pd.DataFrame([_row(runs, method, study) for method in (TEACHER, *study.methods)])
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
        rows: their values, as they are shown. HTML and bars in them are text.
        numbers: whether all columns but the first are numbers, and so set to the right.
    """
    ruler = ["---", *["---:" if numbers else "---"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in (head, ruler, *rows))


def _cell(value: object) -> str:
    """A value as one cell of a table in Markdown: outside of `code`, no tag of HTML can begin in it."""
    line = re.sub(r"[\r\n]+", " ", str(value)).replace("|", r"\|")
    return re.sub(r"(`+).+?\1|<", lambda found: r"\<" if found[0] == "<" else found[0], line)


def measurements_table(table: pd.DataFrame, *, digits: int = 2) -> str:
    """A table of measurements in Markdown: its floats with that many digits, a dash for what was not measured."""
    text = table.map(lambda value: f"{value:,.{digits}f}" if isinstance(value, float) else str(value))
    return markdown_table(list(text.columns), text.replace("nan", "-").to_numpy().tolist(), numbers=False)


def to_latex(table: pd.DataFrame, study: Study) -> str:
    """The main table for a paper: a `table*` with booktabs' rules, a caption that explains it, and a label to refer to.

    By rule, not by hand, the highest mean test mIoU of a student is bold, as is any other that rounds to the same.

    Args:
        table: `main_table`.
        study: the study that it is of. The label is `tab:` and the study's name. More rows than a page takes are a
            `longtable`.
    """
    frame = _formatted(table)
    students = (table["method"] != TEACHER).to_numpy()
    several = bool(table.loc[students, "runs"].max() > 1)
    shown = table["miou_mean"].round(1)
    best = students & (shown == shown[students].max()).to_numpy()
    names = frame["Method"].map(_latex)
    numbers = frame.drop(columns=["Method", *SAME_FOR_ALL]).map(_latex_numbers)
    numbers.loc[best, "Test mIoU (%)"] = [_bold(cell) for cell in numbers.loc[best, "Test mIoU (%)"]]
    frame = pd.concat([names, numbers], axis=1).rename(columns=_latex)
    columns = "l" + "r" * (len(frame.columns) - 1)
    options: dict[str, Any] = {"caption": _caption(table, study, several), "label": f"tab:{study.name}"}
    if len(frame) > A_PAGE:
        options |= {"environment": "longtable"}
    else:
        options |= {"environment": "table*", "position": "tb", "position_float": "centering"}
    latex: str = frame.style.hide(axis="index").to_latex(hrules=True, column_format=columns, **options)
    return latex


def miou_with_spread(row: Mapping[Hashable, Any]) -> str:
    """Test mIoU of a row of the main table, such as `48.0 ± 1.7`; without the deviation where there is one run."""
    return _number(row["miou_mean"], "{:.1f}") + _number(row["miou_std"], " ± {:.1f}")


def difference_with_interval(row: Mapping[Hashable, Any]) -> str:
    """Difference of a row of the main table, such as `+3.0 [+0.5, +5.5]`; empty for the reference and the teacher."""
    return signed_difference(row["difference"], row["difference_low"], row["difference_high"])


def _caption(table: pd.DataFrame, study: Study, several: bool) -> str:
    """What a table's columns are, how many runs stand behind a row, and how large the networks are, in LaTeX."""
    spread = "mean $\\pm$ standard deviation over seeds" if several else "one seed, so that no interval can be given"
    interval = ", paired by seed, with its 95\\,\\% Student-t interval" if several else ""
    sizes = "; ".join(
        f"{name} {_number(row['parameters'], '{:.2f}', 1e6)} M parameters, {_number(row['macs'], '{:.0f}', 1e6)} M MACs"
        for name, row in (("teacher", table.iloc[0]), ("student", table.iloc[-1]))
        if not pd.isna(row["macs"])
    )
    return (
        f"Study {_latex(study.name)}: mIoU on the test split ({spread}). Difference: to "
        f"{_latex(label(study.reference, study))}{interval}. Bold: the student of the highest mean."
        + (f" Networks: {sizes}." if sizes else "")
    )


def _row(runs: pd.DataFrame, method: str, study: Study) -> dict[str, object]:
    """One line of the main table."""
    reference = study.reference
    of_method = runs[runs["method"] == method]
    test, val = (of_method[of_method["split"] == split] for split in ("test", "val"))
    compared = method not in (TEACHER, reference)
    difference = paired_difference(runs, method, reference) if compared else Difference(*[np.nan] * 4)
    return {
        "method": method,
        "label": label(method, study),
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
    """The main table as text: rounded, units in the headings, an empty cell where there is nothing to say.

    The heading of the differences promises an interval only where there is one.
    """
    frame = pd.DataFrame([_formatted_row(row) for row in table.to_dict("records")])
    return frame if table["difference_low"].notna().any() else frame.rename(columns={"Difference [95 %]": "Difference"})


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
    """A text as LaTeX shows it as it is."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(sign, f"\\{sign}" if sign in "%&_#${}" else sign) for sign in text)


def _latex_numbers(text: str) -> str:
    """A cell of numbers: those with a sign in math mode."""
    return re.sub(r"([+-]\d[\d.]*)", r"$\1$", text).replace("±", r"$\pm$")


def _bold(cell: str) -> str:
    """The mean of a cell in bold; its spread stays as it is."""
    mean, *spread = cell.split(" ", 1)
    return " ".join([rf"\textbf{{{mean}}}", *spread])

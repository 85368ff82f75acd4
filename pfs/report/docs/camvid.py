"""What methods shift on CamVid besides test mIoU: val, pixel accuracy, frequent and rare classes. No torch."""

from pathlib import Path

import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import paired_difference, read_runs, signed_difference
from pfs.report.style import label
from pfs.report.tables.main import markdown_table

STUDIES = ("camvid_cpu", "camvid_cpu_long")
SHOWN = {"pixel_accuracy": "pixel accuracy (%)", "iou_building": "building", "iou_pole": "pole"}


def shifts(results: Path) -> str:
    """Each method's difference on val, and three numbers of test, after both schedules: a table in Markdown.

    Args:
        results: folder of all results.
    """
    studies = [load_study(f"studies/{name}.yaml") for name in STUDIES]
    runs = [read_runs(results / name) for name in STUDIES]
    head = ["Method", *(f"{what}, {study.student.steps} steps" for what in _heads() for study in studies)]
    rows = [[label(method, studies[0]), *_cells(method, studies, runs)] for method in studies[0].methods]
    return markdown_table(head, rows)


def _heads() -> list[str]:
    return ["Val difference", *SHOWN.values()]


def _cells(method: str, studies: list[Study], runs: list[pd.DataFrame]) -> list[str]:
    """A method's cells: each of the columns' numbers in every study; a dash where the study lacks the method."""
    on_val = [
        _val_difference(table, method, study.reference) if method in study.methods else "-"
        for study, table in zip(studies, runs, strict=True)
    ]
    means = [table[table["split"] == "test"].groupby("method")[list(SHOWN)].mean() for table in runs]
    return on_val + [
        f"{table[column][method]:.1f}" if method in table.index else "-" for column in SHOWN for table in means
    ]


def _val_difference(runs: pd.DataFrame, method: str, reference: str) -> str:
    """The paired difference in val mIoU with its interval; nothing for the reference itself."""
    if method == reference:
        return ""
    found = paired_difference(runs[runs["split"] == "val"].assign(split="test"), method, reference)
    return signed_difference(found.mean, found.low, found.high)

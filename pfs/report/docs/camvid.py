"""What methods shift on CamVid besides test mIoU: val, pixel accuracy, single classes, each test sequence. No torch."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import paired_difference, read_runs, signed_difference
from pfs.report.style import label
from pfs.report.tables.counts import COUNTS, ImageCounts, read_counts
from pfs.report.tables.evidence import evidence_table
from pfs.report.tables.main import markdown_table
from pfs.study.places import TEACHER

STUDIES = ("camvid_cpu", "camvid_cpu_long")
SHOWN = {"pixel_accuracy": "pixel accuracy (%)", "iou_building": "building", "iou_pole": "pole"}
AREAS = ("building", "road", "pole", "sign", "fence", "pedestrian", "bicyclist")  # two large classes, and the rare ones


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
    found = paired_difference(runs, method, reference, split="val")
    return signed_difference(found.mean, found.low, found.high)


def areas(name: str, results: Path) -> str:
    """How many test pixels each method takes for a class, by each that is labelled so: a table in Markdown.

    Means over the seeds, of all test images together; beside them each method's difference on val and its pixel
    accuracy. 1 is as many as there are, if not the same ones.

    Args:
        name: of the study.
        results: folder of all results.

    Raises:
        ValueError: the study has no counts of its test images.
    """
    study, runs, counts = _read(name, results)
    labelled = counts.labelled.sum(1, dtype=np.int64)[:, None]  # (C, 1)
    predicted = counts.hits.sum(1, dtype=np.int64) + counts.false_positives.sum(1, dtype=np.int64)  # (C, R)
    classes = [name.removeprefix("iou_") for name in map(str, runs) if name.startswith("iou_")]
    ratios = pd.DataFrame((predicted / labelled).T, [method for method, _ in counts.runs], classes)
    means = ratios.groupby(level=0)[list(AREAS)].mean()
    accuracy = runs[runs["split"] == "test"].groupby("method")["pixel_accuracy"].mean()
    rows = [
        (
            label(method, study),
            "" if method == TEACHER else _val_difference(runs, method, study.reference),
            f"{accuracy[method]:.1f}",
            *(f"{ratio:.2f}" for ratio in means.loc[method]),
        )
        for method in (TEACHER, *study.methods)
    ]
    return markdown_table(("Method", "Val difference", "pixel accuracy (%)", *AREAS), rows)


def sequences(name: str, results: Path) -> str:
    """Every comparison of a study over all test images, and its mean within each test sequence: a table in Markdown.

    Args:
        name: of the study.
        results: folder of all results.

    Raises:
        ValueError: the study has no counts of its test images.
    """
    study, runs, counts = _read(name, results)
    images = Counter(counts.groups.names)
    head = ("method", "compared with", "all test images [95 %]", *(f"{key} ({images[key]})" for key in sorted(images)))
    rows = [
        (
            *(label(row[key], study) for key in ("method", "reference")),
            signed_difference(row["mean"], row["t_low"], row["t_high"]),
            *(f"{row[f'in_{key}']:+.1f}" for key in sorted(images)),
        )
        for row in evidence_table(runs, study, counts).to_dict("records")
    ]
    return markdown_table(head, rows, numbers=False)


def _read(name: str, results: Path) -> tuple[Study, pd.DataFrame, ImageCounts]:
    """A study, its runs, and the counts of its test images, without which there is a ValueError."""
    study, runs = load_study(f"studies/{name}.yaml"), read_runs(results / name)
    counts = read_counts(results / name, runs)
    if counts is None:
        raise ValueError(f"{name} has no {COUNTS}")
    return study, runs, counts

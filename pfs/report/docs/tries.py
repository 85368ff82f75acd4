"""What tuning studies have found on val, try by try, for docs/protocol.md. No torch here."""

import re
from collections.abc import Hashable
from pathlib import Path

import pandas as pd

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.config.study import Study
from pfs.report.tables.collected import read_runs
from pfs.report.tables.labels import label
from pfs.report.tables.main import markdown_table

_SEARCHED = re.compile(r"(?<!to)(?<!=),? (?:weight |rate )?\d[\d.e-]*")  # in a label: the number that is searched


def tries(name: str, results: Path) -> str:
    """The tries of each method of a tuning study, with their mean val mIoU over the tuning seeds; the best is bold.

    A dash stands for a try of which a seed is missing.
    """
    study = load_study(f"studies/{name}.yaml")
    runs = read_runs(results / name)
    val = runs[runs["split"] == "val"].groupby("method")["miou"].agg(["mean", "count"])
    means = val["mean"].where(val["count"] == len(study.seeds)).reindex(list(study.methods))
    rows = []
    for _, own in means.groupby([_kind(study.methods[method]) for method in means.index], sort=False):
        title = _SEARCHED.sub("", label(str(own.index[0]), study))
        rows.append((title, ", ".join(_try(study, own, str(method)) for method in own.index)))
    return markdown_table(("method", "tries: mean val mIoU (%)"), rows, numbers=False)


def _kind(method: Method) -> Hashable:
    """What stays the same while weights, or the learning rate, are searched: the terms, with their other options."""
    return repr({name: term.model_dump(exclude={"weight"}) for name, term in method.terms.items()})


def _try(study: Study, means: "pd.Series[float]", name: str) -> str:
    """What was tried, and what came of it."""
    method, mean = study.methods[name], means[name]
    rate = method.learning_rate or study.student.learning_rate
    weights = [f"{term.weight:g}" for term in method.terms.values()] or [f"{rate:g}"]
    scored = "-" if pd.isna(mean) else f"**{mean:.1f}**" if mean == means.max() else f"{mean:.1f}"
    return f"{' and '.join(weights)}: {scored}"

"""Tables of what the committed studies say, for README.md and docs/results.md. No torch here."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import Finding, findings, signed_difference
from pfs.report.tables.changes import changes
from pfs.report.tables.collected import read_runs
from pfs.report.tables.labels import label
from pfs.report.tables.main import main_table, markdown_table, to_markdown
from pfs.report.tables.schedules import both_schedules
from pfs.report.tables.schedules import to_markdown as schedules_markdown

FACTS = ("commit", "precision", "instruction_set")


def studies_with_runs(results: Path) -> Iterator[tuple[Study, pd.DataFrame]]:
    """Every study that has a `runs.csv`, with its runs, in the order of their names; tuning studies are not shown."""
    for table in sorted(results.glob("*/runs.csv")):
        study = load_study(f"studies/{table.parent.name}.yaml")
        if not study.tuning:
            yield study, read_runs(table.parent)


def main_table_of(name: str, results: Path) -> str:
    """The main table of one study."""
    return to_markdown(main_table(read_runs(results / name), load_study(f"studies/{name}.yaml")))


def comparisons(results: Path) -> str:
    """Every comparison that the studies of several seeds make, with its interval: a row a comparison."""
    rows = [
        (f"`{study.name}`", label(one.method, study), label(one.reference, study), *_numbers(one), _verdict(one))
        for study, runs in studies_with_runs(results)
        if len(study.seeds) > 1
        for one in findings(runs, study)
    ]
    head = ("study", "method", "compared with", "difference [95 %]", "seeds", "the interval")
    return markdown_table(head, rows, numbers=False)


def to_the_reference(name: str, results: Path) -> str:
    """What the runs of one study say of each of its methods against its reference: a sentence each, as a list."""
    study = load_study(f"studies/{name}.yaml")
    found = findings(read_runs(results / name), study)
    return "".join(f"- {finding}\n" for finding in found if finding.reference == study.reference)


def first_looks(results: Path) -> str:
    """Test mIoU of every method of the studies of one seed, but for the searches of weights."""
    rows = [
        (f"`{study.name}`", label(str(method), study), f"{miou:.1f}", _signed(miou - scores[study.reference]))
        for study, runs in studies_with_runs(results)
        if len(study.seeds) == 1 and not study.name.endswith("_weights")
        for scores in [runs[runs["split"] == "test"].set_index("method")["miou"]]
        for method, miou in scores.reindex(list(study.methods)).dropna().items()
    ]
    return markdown_table(("study", "method", "test mIoU (%)", "above the study's reference"), rows)


def schedules(name: str, results: Path) -> str:
    """A study and the one that it extends, beside each other, where they differ in the students' steps."""
    table = both_schedules(f"studies/{name}.yaml", results)
    if table is None:
        raise ValueError(f"{name} and the study that it extends do not differ in their schedules alone")
    return schedules_markdown(table)


def origins(results: Path) -> str:
    """Where the runs of each study come from, and what of code and parameters has changed since they were made."""
    rows = [
        (
            f"`{study.name}`",
            len(runs[runs["split"] == "test"]),
            *(_all(runs[column]) for column in FACTS),
            "; ".join(changes(study, str(results), data=None)) or "nothing",
        )
        for study, runs in studies_with_runs(results)
    ]
    head = ("study", "runs", "commits", "precision", "instruction set", "changed since")
    return markdown_table(head, rows, numbers=False)


def _all(values: "pd.Series[str]") -> str:
    """All values of a column, each once."""
    shown = {"commit": "`{}`".format, "precision": lambda value: "fp32" if value == "no" else value}
    return ", ".join(map(shown.get(str(values.name), str), values.unique()))


def _numbers(finding: Finding) -> tuple[str, int]:
    return signed_difference(*finding.difference[:3]), len(finding.seeds)


def _verdict(finding: Finding) -> str:
    return "excludes 0" if finding.excludes_zero else "includes 0"


def _signed(value: float) -> str:
    return f"{value:+.1f}"

"""Two studies that differ in how long their students train, beside each other: what holds early may not hold late."""

from itertools import chain
from pathlib import Path

import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import read_runs
from pfs.report.tables.main import difference_with_interval, main_table, markdown_table, miou_with_spread


def both_schedules(path: str | Path, results: Path) -> pd.DataFrame | None:
    """The tables of a study and of the one that it extends, one below the other, the shorter schedule first.

    Args:
        path: the study's file.
        results: the folder of all studies' results.

    Returns:
        The columns of `pfs.report.tables.main_table`, and `steps` of the students before them; of the methods that are
        the same in both studies. None where the study extends none, or one whose students differ in more than their
        steps or in nothing, or one that has another reference or no `runs.csv` yet.
    """
    study = load_study(path)
    if study.extends is None:
        return None
    other = load_study(Path(path).with_name(f"{study.extends}.yaml"))
    shorter, longer = sorted((study, other), key=lambda one: one.student.steps)
    if not _comparable(shorter, longer) or not (results / other.name / "runs.csv").is_file():
        return None
    same = [name for name in shorter.methods if name in longer.methods and _same_terms(shorter, longer, name)]
    return pd.concat([_with_steps(one, results, same) for one in (shorter, longer)], ignore_index=True)


def _comparable(shorter: Study, longer: Study) -> bool:
    """Whether two studies differ in the steps of their students, and in nothing else that moves all methods."""
    longer_student = shorter.student.model_copy(update={"steps": longer.student.steps})
    alike = longer_student == longer.student and shorter.reference == longer.reference
    return alike and shorter.student.steps != longer.student.steps


def _same_terms(shorter: Study, longer: Study, method: str) -> bool:
    """Whether both studies mean the same by a method; its label may differ."""
    return shorter.methods[method].terms == longer.methods[method].terms


def _with_steps(study: Study, results: Path, methods: list[str]) -> pd.DataFrame:
    table = main_table(read_runs(results / study.name), study).set_index("method").loc[methods].reset_index()
    table.insert(0, "steps", study.student.steps)
    return table


def to_markdown(table: pd.DataFrame) -> str:
    """Both schedules for a page: a row a method, for each schedule its test mIoU and the difference to the reference.

    Args:
        table: `both_schedules`.
    """
    steps = list(table["steps"].unique())
    head = ["Method", *(f"{column}, {count} steps" for count in steps for column in ("Test mIoU (%)", "Difference"))]
    lines = []
    for label, rows in table.groupby("label", sort=False):
        of_steps = {row["steps"]: row for row in rows.to_dict("records")}
        scores = ((miou_with_spread(of_steps[count]), difference_with_interval(of_steps[count])) for count in steps)
        lines.append([label, *chain.from_iterable(scores)])
    return markdown_table(head, lines)

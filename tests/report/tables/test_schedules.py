"""Two studies of one teacher and two schedules, beside each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pfs.report.figures import schedules_figure
from pfs.report.site.in_process import execute
from pfs.report.tables.schedules import both_schedules, to_markdown
from pfs.study.places import notebook_path
from tests.report.runs_table import runs_of

SHORT: dict[str, Any] = {
    "name": "short",
    "data": {"name": "digit_scenes"},
    "teacher": {"network": {"name": "dilated_resnet", "width": 8}, "steps": 20, "learning_rate": 0.01},
    "student": {"network": {"name": "dilated_resnet", "width": 4}, "steps": 10, "learning_rate": 0.01},
    "methods": {"ce": {}, "kd": {"kd": {"weight": 1.0}}, "pfs": {"pfs": {"weight": 1.0}}},
    "reference": "ce",
    "seeds": [0, 1],
}
LONG: dict[str, Any] = {"extends": "short", "name": "long", "student": {**SHORT["student"], "steps": 30}}
MIOU = {  # by study and method, of both seeds
    "short": {"ce": (40.0, 42.0), "kd": (43.0, 44.0), "pfs": (44.0, 45.0)},
    "long": {"ce": (50.0, 52.0), "kd": (50.0, 51.0), "pfs": (51.0, 53.5)},
}


def write(folder: Path, *studies: dict[str, Any]) -> Path:
    """Studies' files and results; returns the results' folder."""
    for study in studies:
        name = str(study["name"])
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(study))
        scores = {"teacher": (60.0,), **MIOU[name]}
        table = runs_of({method: dict(enumerate(of_seeds)) for method, of_seeds in scores.items()}, name)
        (folder / "results" / name).mkdir(parents=True)
        table.to_csv(folder / "results" / name / "runs.csv", index=False)
    return folder / "results"


def test_both_schedules_stand_in_one_table_the_shorter_first(tmp_path: Path) -> None:
    results = write(tmp_path, SHORT, LONG)
    table = both_schedules(tmp_path / "long.yaml", results)
    assert table is not None
    assert list(table["steps"]) == [10, 10, 10, 30, 30, 30]
    assert list(table["method"]) == ["ce", "kd", "pfs"] * 2
    assert table["difference"].tolist()[1:3] == [2.5, 3.5] and table["difference"].tolist()[4:] == [-0.5, 1.25]


def test_a_page_has_a_row_a_method_and_two_columns_a_schedule(tmp_path: Path) -> None:
    table = both_schedules(tmp_path / "long.yaml", write(tmp_path, SHORT, LONG))
    assert table is not None
    head, _, alone, *_, pfs = to_markdown(table).splitlines()
    assert head.count("10 steps") == head.count("30 steps") == 2
    assert alone == "| Student alone (CE) | 41.0 ± 1.4 |  | 51.0 ± 1.4 |  |"
    assert pfs.startswith("| PFS | 44.5 ± 0.7 | +3.5 [") and "| 52.2 ± 1.8 | +1.2 [" in pfs


@pytest.mark.parametrize(
    "study",
    [SHORT, {**LONG, "student": SHORT["student"]}, LONG],
    ids=["extends none", "the same schedule", "the other has no runs"],
)
def test_there_is_one_schedule(study: dict[str, Any], tmp_path: Path) -> None:
    results = write(tmp_path, study)
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(SHORT))
    assert both_schedules(tmp_path / f"{study['name']}.yaml", results) is None


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"learning_rate": 0.02}])
def test_students_that_differ_in_more_than_their_steps_are_not_compared(change: dict[str, Any], tmp_path: Path) -> None:
    results = write(tmp_path, SHORT, {**LONG, "student": {**LONG["student"], **change}})
    assert both_schedules(tmp_path / "long.yaml", results) is None


def test_methods_that_one_study_lacks_or_has_otherwise_are_left_out(tmp_path: Path) -> None:
    methods = {"ce": {}, "kd": {"kd": {"weight": 2.0}}, "pfs": SHORT["methods"]["pfs"]}
    table = both_schedules(tmp_path / "long.yaml", write(tmp_path, SHORT, {**LONG, "methods": methods}))
    assert table is not None and list(table["method"]) == ["ce", "pfs"] * 2
    methods = {"ce": {}, "wsp": {"wsp": {"weight": 2.0}}}
    MIOU["fewer"] = {"ce": (50.0, 52.0), "wsp": (50.0, 51.0)}
    table = both_schedules(tmp_path / "fewer.yaml", write(tmp_path, {**LONG, "name": "fewer", "methods": methods}))
    assert table is not None and list(table["method"]) == ["ce", "ce"]


def test_a_label_does_not_keep_a_method_out(tmp_path: Path) -> None:
    """How a study calls a method says nothing about what the method is."""
    methods = SHORT["methods"] | {"kd": {"kd": {"weight": 1.0}, "label": "Hinton's"}}
    table = both_schedules(tmp_path / "long.yaml", write(tmp_path, SHORT, {**LONG, "methods": methods}))
    assert table is not None and list(table["label"]) == [
        "Student alone (CE)",
        "KD",
        "PFS",
        "Student alone (CE)",
        "Hinton's",
        "PFS",
    ]


def test_the_figure_needs_no_row_of_the_reference(tmp_path: Path) -> None:
    """It has none where the two studies mean different things by it."""
    table = both_schedules(tmp_path / "long.yaml", write(tmp_path, SHORT, LONG))
    assert table is not None
    left, _ = schedules_figure(table[table["method"] != "ce"], "ce").axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["KD", "PFS"]


def test_the_figure_has_a_row_a_method_and_both_schedules_in_its_legend(tmp_path: Path) -> None:
    table = both_schedules(tmp_path / "long.yaml", write(tmp_path, SHORT, LONG))
    assert table is not None
    figure = schedules_figure(table, "ce")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["Student alone (CE)", "KD", "PFS"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "10 steps",
        "30 steps",
        "joins a method's means",
        "mean, 95 % interval",
    ]
    drawn = [np.asarray(line.get_ydata()) for line in right.lines]
    intervals = [ends for ends in drawn if len(ends) == 2 and ends[0] == ends[1]]  # level lines
    assert len(intervals) == 4  # two methods but the reference, twice


def test_the_notebooks_write_both_schedules(tmp_path: Path) -> None:
    results = write(tmp_path, SHORT, LONG)
    for name in ("tables", "figures"):
        execute(notebook_path(name), {"study": str(tmp_path / "long.yaml"), "results": str(results)})
    assert {file.name for file in (results / "long" / "tables").glob("schedules*")} == {"schedules.csv", "schedules.md"}
    assert (results / "long" / "figures" / "schedules.png").stat().st_size > 1000

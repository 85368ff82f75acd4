"""The steps that are measured do the same work, and the notebook leaves what it promises."""

from pathlib import Path

import pandas as pd
import pytest

from pfs.__main__ import main
from pfs.bench.cases import bench
from pfs.bench.figures import steps_figure
from pfs.bench.throughput import measure
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path
from pfs.study.records import commit
from tests.bench.tiny import setting

pytestmark = pytest.mark.trains
TINY: dict[str, str | int] = {
    **{"digits_batch": 2, "photo_batch": 2, "photo_size": 64, "photo_encoders": "resnet18,resnet18"},
    **{"repeats": 1, "compiled": ""},
}
SETTINGS = ["digits", "photos", "last_stage"]
CASES = [
    *["student", "teacher", "cached", "cached, KD alone", "cached, PFS alone", "cached, WSP alone", "online"],
    *["online, default layout", "torchdistill", "student, default layout", "student, bf16", "student, interpolate"],
]
PARTS = [
    *["data", "cached outputs", "teacher", "student forward", "CE", "CE + WSP", "PFS", "student backward", "optimiser"]
]


def test_every_case_and_part_has_its_turns(tmp_path: Path) -> None:
    subject = bench(setting(), tmp_path, pictures=4, compiled=False)
    turns = measure(subject, repeats=2)
    assert list(turns) == [*CASES, *(f"part: {name}" for name in PARTS)]
    assert all(len(own) == 2 and min(own) > 0 for own in turns.values())


# --- the notebook -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebook leaves, at tiny shapes."""
    results = tmp_path_factory.mktemp("results")
    parameters = {**TINY, "results": str(results)}
    run_notebook(notebook_path("throughput"), results / "benchmark" / "throughput.ipynb", parameters)
    return results / "benchmark"


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "steps.csv")


def test_the_table_has_every_case_and_where_it_comes_from(table: pd.DataFrame) -> None:
    for name in SETTINGS:
        rows = table[table["setting"] == name].set_index("case")
        assert list(rows.index) == [*CASES, *(f"part: {part}" for part in PARTS)]
        assert rows["ratio_to_student"]["student"] == rows["ratio_to_limit"]["student"] == 1
        assert rows["ratio_to_limit"]["online"] < rows["ratio_to_student"]["online"]
    assert (table["milliseconds"] > 0).all()
    assert set(table["commit"]) == {commit({"pfs"})[0]}
    assert {"threads", "instruction_set", "precision", "device", "torch", "dirty"} <= set(table.columns)


def test_the_summary_and_the_figure_are_there(folder: Path, table: pd.DataFrame) -> None:
    summary = (folder / "steps.md").read_text()
    assert summary.count("\n## ") == 6 and "| digits | torchdistill |" in summary
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["steps.pdf", "steps.png"]
    titles = [axes.get_title("left") for axes in steps_figure(table).axes]
    assert titles == [f"{name.replace('_', ' ')}: {kind}" for name in SETTINGS for kind in ("steps", "parts of a step")]


def test_a_cells_starts_are_measured(folder: Path) -> None:
    starts = pd.read_csv(folder / "overhead.csv").set_index("what")
    assert (starts["seconds"] > 0).all() and set(starts["each"]) == {"process", "study", "run"}
    assert starts["seconds"]["Python"] < starts["seconds"]["all that trains"]


def test_the_command_runs_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("pfs.commands.cost.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["throughput", "--results", str(tmp_path), "--threads", "2"]) == 0
    parameters = {"results": str(tmp_path), "threads": 2}
    assert called == [(notebook_path("throughput"), tmp_path / "benchmark" / "throughput.ipynb", parameters)]

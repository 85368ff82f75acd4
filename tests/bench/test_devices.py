"""Every size, set of terms and number of processes is measured, and the notebook leaves what it promises."""

from pathlib import Path

import pandas as pd
import pytest

from pfs.__main__ import main
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path
from pfs.study.records import commit


def test_the_notebook_measures_every_case_and_says_where_it_comes_from(tmp_path: Path) -> None:
    tiny: dict[str, str | int] = {"sizes": "16,32", "steps": 1, "turns": 1}
    run_notebook(notebook_path("devices"), tmp_path / "devices.ipynb", {"results": str(tmp_path), **tiny})
    table = pd.read_csv(tmp_path / "benchmark" / "devices.csv")
    cases = [tuple(row) for row in table[["size", "terms", "processes"]].to_numpy()]
    assert cases == [(size, terms, n) for size in (16, 32) for terms in ("CE", "CE + PFS + WSP") for n in (1, 2)]
    assert (table["milliseconds"] > 0).all() and (table["ratio"][table["processes"] == 1] == 1).all()
    assert set(table["commit"]) == {commit({"pfs"})[0]}
    assert {"threads", "batch", "steps", "turns", "instruction_set", "precision", "device", "dirty"} <= set(table)
    assert (tmp_path / "benchmark" / "devices.md").read_text().count("| CE + PFS + WSP |") == 4


def test_the_command_runs_the_notebook_with_two_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("pfs.commands.cost.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["devices", "--results", str(tmp_path)]) == 0
    parameters = {"results": str(tmp_path), "threads": 2}
    assert called == [(notebook_path("devices"), tmp_path / "benchmark" / "devices.ipynb", parameters)]

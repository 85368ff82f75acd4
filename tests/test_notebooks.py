"""Notebooks are committed as source: no outputs, stable ids, small cells, prose. And all code is clean."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pfs.config.files import repository

NOTEBOOKS = sorted(
    path for path in (repository() / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    study = {"train_teacher", "distil_student", "tables", "figures", "report"}
    assert study <= {path.stem for path in NOTEBOOKS}


@every_notebook
def test_nothing_of_an_execution_is_kept(path: Path) -> None:
    for cell in code_cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@every_notebook
def test_metadata_is_kernel_language_and_tags(path: Path) -> None:
    notebook = read(path)
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}


@every_notebook
def test_cells_are_numbered(path: Path) -> None:
    ids = [cell["id"] for cell in read(path)["cells"]]
    assert ids == [f"cell-{number}" for number in range(len(ids))]


@every_notebook
def test_the_first_code_cell_holds_the_parameters(path: Path) -> None:
    tags = [cell["metadata"].get("tags", []) for cell in code_cells(path)]
    assert [("parameters" in tag) for tag in tags] == [number == 0 for number in range(len(tags))]


@every_notebook
def test_cells_are_short_and_explained(path: Path) -> None:
    cells = read(path)["cells"]
    assert cells[0]["cell_type"] == "markdown"
    for cell in code_cells(path):
        assert len("".join(cell["source"]).splitlines()) <= 40, cell["id"]


@pytest.mark.parametrize("check", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_the_code_is_clean(check: list[str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", *check], cwd=repository(), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

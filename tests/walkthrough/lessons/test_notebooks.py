"""Walkthroughs 2 and 3 run from top to bottom, and their worked answers pass their checks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pfs.config.files import repository
from pfs.walkthrough.lessons.nodes import check_identity

FOLDER = repository() / "notebooks" / "walkthrough"
NOTEBOOKS = ["2_whom_to_listen_to", "3_sixteen_nodes"]


def cells(name: str, kind: str) -> list[str]:
    content = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_runs_and_none_is_longer_than_15_lines(name: str, tiny_file: Path) -> None:
    namespace: dict[str, Any] = {}
    first, *others = cells(name, "code")
    exec(first, namespace)
    namespace["data"] = str(tiny_file)
    for cell in others:
        exec(cell, namespace)
        assert len(cell.splitlines()) <= 15


def test_the_worked_answer_is_the_identity() -> None:
    answers = re.findall(r"```python\n(def mine.*?)```", "\n".join(cells("3_sixteen_nodes", "markdown")), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(answers[0], namespace)
    assert check_identity(namespace["mine"]).startswith("Yes")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_links_lead_to_files(name: str) -> None:
    """But for those to the neighbouring walkthroughs."""
    links = re.findall(r"\]\((\.\./[^)#]+)", "\n".join(cells(name, "markdown")))
    assert links and all((FOLDER / link).exists() for link in links)

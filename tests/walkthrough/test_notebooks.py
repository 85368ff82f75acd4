"""Every walkthrough runs from top to bottom, in a clone whose data are tiny, as it does in JupyterLab and in Voila."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import papermill
import pytest

from tests.walkthrough.browser.servers import ROOT, make_clone

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks" / "walkthrough").glob("[0-9]_*.ipynb"))
# What a training of minutes is cut down to; the others are run as they are.
SHORT = {"4_first_student": {"steps": 3, "scenes_to_learn_from": 16, "scenes_to_score": 5, "train_now": True}}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, walkthrough_folder: Path) -> Path:
    """A clone with a tiny walkthrough of random networks."""
    return make_clone(tmp_path_factory.mktemp("clone"), walkthrough_folder)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_walkthrough_runs_from_top_to_bottom(clone: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = clone / "notebooks" / "walkthrough"
    executed = clone / f"{name}.ipynb"
    parameters: Mapping[str, Any] = SHORT.get(name, {})
    papermill.execute_notebook(
        folder / f"{name}.ipynb", executed, parameters, cwd=folder, kernel_name="python3", progress_bar=False
    )
    cells = json.loads(executed.read_text())["cells"]
    assert any("application/vnd.jupyter.widget-view+json" in str(cell.get("outputs", "")) for cell in cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_cell_has_more_than_15_lines_of_code(name: str) -> None:
    cells = json.loads((ROOT / "notebooks" / "walkthrough" / f"{name}.ipynb").read_text())["cells"]
    code = {
        cell["id"]: [line for line in cell["source"] if line.strip()] for cell in cells if cell["cell_type"] == "code"
    }
    assert not [name for name, lines in code.items() if len(lines) > 15]


def test_the_index_leads_to_every_walkthrough() -> None:
    index = (ROOT / "notebooks" / "walkthrough" / "index.ipynb").read_text()
    assert NOTEBOOKS and all(f"({name}.ipynb)" in index for name in NOTEBOOKS)

"""Notebooks of this repository are source code: what is saved of one is its text, and nothing of its execution.

`profiles/lab/jupyter_lab_config.py` gives `keep_source` to JupyterLab, which calls it before it writes a file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

OURS = Path(__file__).parents[2] / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def keep_source(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Take out of a notebook that Jupyter is about to save what does not belong into git.

    Only notebooks below the clone's `notebooks/` are changed: an executed one in `results/`, or one's own elsewhere,
    keeps its outputs.

    Args:
        model: Jupyter's model of the file, changed in place.
        path: the file's path from the server's root folder.
        contents_manager: who saves it; its `root_dir` is the server's root folder.
    """
    file = Path(contents_manager.root_dir, path.lstrip("/"))
    if model["type"] == "notebook" and model.get("content") and file.resolve().is_relative_to(OURS):
        model["content"] = source_only(model["content"])


def source_only(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook of nbformat 4 without outputs, execution counts, and all metadata but tags; its cells numbered."""
    cells = [_source_of(cell, number) for number, cell in enumerate(notebook["cells"])]
    return {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}


def _source_of(cell: Mapping[str, Any], number: int) -> dict[str, Any]:
    tags = cell["metadata"].get("tags")
    kept = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{number}",
        "metadata": {"tags": tags} if tags else {},
        "source": cell["source"],
    }
    return kept | ({"execution_count": None, "outputs": []} if cell["cell_type"] == "code" else {})

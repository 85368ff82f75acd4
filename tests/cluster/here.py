"""The runs of a study in this process: the code of their notebooks, without their pictures and without Papermill."""

from typing import Any

import nbformat

from pfs.config.load import load_study
from pfs.study.places import TEACHER, notebook_of, runs_of
from tests.whole_study import Clone


def train_here(clone: Clone, devices: int = 1) -> None:
    """Make every run of a study, the teacher first, as `pfs run` would on so many devices of one thread each."""
    places: dict[str, Any] = {"study": str(clone.file), "results": str(clone.results), "data": str(clone.data)}
    places |= {"threads": devices, "devices": devices}
    for method, seed in runs_of(load_study(str(clone.file))):
        run = {} if method == TEACHER else {"method": method, "seed": seed}
        _execute(method, {**places, **run})


def _execute(method: str, parameters: dict[str, Any]) -> None:
    names: dict[str, Any] = {}
    for cell in nbformat.read(notebook_of(method), as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "picture" not in tags:
            exec(cell.source.replace("%matplotlib inline\n", ""), names)
        if "parameters" in tags:
            names |= parameters

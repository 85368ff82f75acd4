"""Where a study's file, its results and its notebooks are."""

from pathlib import Path

from pfs.reading import repository
from pfs.records import TEACHER
from pfs.study import Study


def study_path(name: str) -> str:
    """The file of a study that is given by its path or by its bare name: `digits` is studies/digits.yaml."""
    return name if name.endswith((".yaml", ".yml")) else f"studies/{name}.yaml"


def study_folder(study: Study, results: str) -> Path:
    """Where a study's results go; a relative `results` is taken from the repository's root."""
    return repository() / results / study.name


def notebook_path(name: str) -> Path:
    """A notebook of the study by its bare name, such as `tables`."""
    return repository() / "notebooks" / "study" / f"{name}.ipynb"


def cell_notebook(method: str) -> Path:
    """The notebook that makes a cell."""
    return notebook_path("train_teacher" if method == TEACHER else "distil_student")

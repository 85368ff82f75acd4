"""Where a study's file, its results and its notebooks are."""

from pathlib import Path

from pfs.config.files import repository
from pfs.config.study import Study


def study_path(name: str) -> str:
    """The file of a study that is given by its path or by its bare name: `digits` is studies/digits.yaml."""
    return name if name.endswith((".yaml", ".yml")) else f"studies/{name}.yaml"


def study_folder(study: Study, results: str) -> Path:
    """Where a study's results go; a relative `results` is taken from the repository's root."""
    return repository() / results / study.name


def notebook_path(name: str) -> Path:
    """A notebook of the study by its bare name, such as `tables`."""
    return repository() / "notebooks" / "study" / f"{name}.ipynb"


def notebook_of(method: str) -> Path:
    """The notebook that makes a run."""
    return notebook_path("train_teacher" if method == TEACHER else "distil_student")


STATE_FOLDER = "state"  # in a run's folder: the saved states of its training, the last one with its final weights
TEACHER = "teacher"  # the teacher's method in tables, and its folder's name


def runs_of(study: Study) -> list[tuple[str, int]]:
    """Every run of a study as (method, seed), the teacher first, then in the study's order."""
    students = [(method, seed) for method in study.methods for seed in study.seeds]
    return [(TEACHER, study.teacher.seed), *students]


def run_folder(study: Study, folder: Path, method: str, seed: int) -> Path:
    """Where a run of the study whose results are in `folder` keeps its files.

    The teacher has one seed and no folder for it; that of a study which extends another lies in the other's results.
    """
    if method == TEACHER:
        return (folder.parent / study.extends if study.extends else folder) / TEACHER
    return folder / "runs" / method / str(seed)

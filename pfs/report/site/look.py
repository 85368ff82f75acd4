"""The index of all studies that have results, and a report of each, in seconds and without training."""

import sys
from pathlib import Path

from tqdm import tqdm

from pfs.config.base import StudyError
from pfs.config.files import atomic_write, repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.site.in_process import execute
from pfs.report.site.pages import Summary, index_page, report_page, summary
from pfs.study.execution.notebooks import NotebookError
from pfs.study.places import notebook_path, study_folder
from pfs.study.records import RecordError

FOLDER = "look"  # of the pages, in the folder of all results; git ignores it
MAIN = "quick"  # the study that stands first


def write_index(*, results: str) -> Path:
    """Write the index and a report page for each study with results, and return the path of the index.

    A study that cannot be shown is left out, which the index says, and standard error too.

    Args:
        results: folder of all results; the pages are written to `look/` in it.

    Raises:
        StudyError: no study has results that can be shown, or a file stands where the pages' folder must be.
    """
    folder = repository() / results / FOLDER
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is a file where the folder of the pages must be: move it away")
    left_out: list[str] = []
    studies = tqdm(_studies(results, left_out), desc="reports", leave=False, disable=None)
    pages = [_write_page(study, path, folder, results, left_out) for study, path in studies]
    print(*left_out, sep="\n", end="\n" * bool(left_out), file=sys.stderr)
    shown = [about for about in pages if about is not None]
    if not shown:
        raise StudyError(f"{results}: no study has results there that could be shown; `make study` makes some")
    atomic_write(folder / "index.html", index_page(shown, left_out))
    return folder / "index.html"


def _studies(results: str, left_out: list[str]) -> list[tuple[Study, str]]:
    """The studies that have results, with their files; tuning studies, which have none on test, are not shown.

    The main one first, then those of several seeds, then the others; of each, those of the main one's data first.
    """
    found: list[tuple[Study, str]] = []
    for file in sorted((repository() / "studies").glob("*.yaml")):
        folder = repository() / results / file.stem
        if not any((folder / made).is_file() for made in ("runs.csv", "tables/main.csv")):
            continue
        path = str(file.relative_to(repository()))
        try:
            study = load_study(path)
        except StudyError as error:
            left_out.append(" ".join(str(error).split()))
            continue
        if not study.tuning:
            found.append((study, path))
    return _sorted(found)


def _sorted(found: list[tuple[Study, str]]) -> list[tuple[Study, str]]:
    data = next((study.data.name for study, _ in found if study.name == MAIN), None)

    def rank(pair: tuple[Study, str]) -> tuple[bool, bool, bool, str]:
        study = pair[0]
        return study.name != MAIN, len(study.seeds) == 1, study.data.name != data, study.name

    return sorted(found, key=rank)


def _write_page(study: Study, path: str, folder: Path, results: str, left_out: list[str]) -> Summary | None:
    """Write a study's report into the folder and return what the index says of it; None where it cannot be shown."""
    try:
        about = summary(study, results=results)
        cells = execute(notebook_path("report"), {"study": path, "results": results})
    except (RecordError, NotebookError) as error:
        left_out.append(f"{study_folder(study, results)}: left out of the index: {error}")
        return None
    atomic_write(folder / f"{study.name}.html", report_page(about, cells, index="index.html"))
    return about

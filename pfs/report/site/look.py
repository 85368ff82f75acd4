"""The index of all studies that have results, and a report of each, in seconds and without training."""

import sys
from pathlib import Path

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

    A study that cannot be shown is left out and told on standard error.

    Args:
        results: folder of all results; the pages are written to `look/` in it.

    Raises:
        StudyError: no study has results.
    """
    folder = repository() / results / FOLDER
    pages = [_write_page(study, path, folder, results) for study, path in _studies(results)]
    shown = [about for about in pages if about is not None]
    if not shown:
        raise StudyError(f"{results}: no study has results there that could be shown; `make study` makes some")
    atomic_write(folder / "index.html", index_page(shown))
    return folder / "index.html"


def _studies(results: str) -> list[tuple[Study, str]]:
    """The studies that have tables, with their files.

    The main one first, then those of several seeds, then the others; of each, those of the main one's data first.
    """
    found: list[tuple[Study, str]] = []
    for file in sorted((repository() / "studies").glob("*.yaml")):
        if (repository() / results / file.stem / "tables" / "main.csv").is_file():
            path = str(file.relative_to(repository()))
            try:
                found.append((load_study(path), path))
            except StudyError as error:
                print(error, file=sys.stderr)
    data = next((study.data.name for study, _ in found if study.name == MAIN), None)

    def rank(study: Study) -> tuple[bool, bool, bool, str]:
        return study.name != MAIN, len(study.seeds) == 1, study.data.name != data, study.name

    return sorted(found, key=lambda pair: rank(pair[0]))


def _write_page(study: Study, path: str, folder: Path, results: str) -> Summary | None:
    """Write a study's report into the folder and return what the index says of it; None where it cannot be shown."""
    try:
        about = summary(study, results=results)
        cells = execute(notebook_path("report"), {"study": path, "results": results})
    except (RecordError, NotebookError) as error:
        print(f"{study_folder(study, results)}: left out of the index: {error}", file=sys.stderr)
        return None
    atomic_write(folder / f"{study.name}.html", report_page(about, cells, index="index.html"))
    return about

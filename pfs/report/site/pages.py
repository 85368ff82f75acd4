"""The pages as whole HTML files: one file each, which asks nothing of any network and runs no script."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pfs.config.study import Study
from pfs.report.site.body import body, inline, picture
from pfs.report.site.verdict import methods_alt, outcome, verdict
from pfs.report.statistics import findings
from pfs.report.tables.changes import changes
from pfs.report.tables.collected import read_runs
from pfs.report.tables.counts import read_counts
from pfs.study.places import study_folder
from pfs.study.records import RecordError


class Summary(NamedTuple):
    """What the index, and the head of its report, show of a study: all but its name and `overview` is HTML.

    Without a main figure, `figure` is empty; so is `changed` where code, data and parameters are those of its results.
    `overview` is a row of the index's table: its data, its size, and its verdict in a few words.
    """

    name: str
    question: str
    facts: str
    verdict: str
    figure: str
    changed: str = ""
    overview: tuple[str, ...] = ()


def summary(study: Study, *, results: str) -> Summary:
    """A study's question, its verdict and its main figure, from its results; and what has changed since they were made.

    Args:
        study: the study.
        results: folder of all results.

    Raises:
        RecordError: the study has no runs.csv, or that, a file beside it or one of its figures is damaged.
    """
    folder = study_folder(study, results)
    check_figures(folder)
    runs = read_runs(folder)
    read_counts(folder, runs)  # so that damage is told before the report is executed
    val = runs[runs["split"] == "val"].groupby("method")["miou"].mean()
    figures = folder / "figures"
    alt = f"{study.name}: {methods_alt(runs, study)}"
    main = picture(figures, "methods", alt) if (figures / "methods.png").is_file() else ""
    compared = findings(runs, study)
    size = (str(len(study.methods)), str(len(study.seeds)), f"{study.student.steps:,}")
    return Summary(
        study.name,
        inline(study.question or ""),
        inline(facts(study)),
        inline(verdict(compared, study, val)),
        main,
        inline("; ".join(changes(study, results))),
        (study.data.name.replace("_", " "), *size, outcome(compared, study)),
    )


def check_figures(folder: Path) -> None:
    """Read each PNG of a study's figures to its end.

    Args:
        folder: the study's results, called like the study.

    Raises:
        RecordError: one of them is damaged; one line with the file and the mend.
    """
    for path in sorted((folder / "figures").glob("*.png")):
        try:
            with Image.open(path, formats=["PNG"]) as opened:
                opened.verify()
        except (OSError, SyntaxError, ValueError):  # Pillow raises all three
            mend = f"draw it again: pfs figures {folder.name} --results {folder.parent}"
            raise RecordError(f"{path}: is damaged: {mend}") from None


def facts(study: Study) -> str:
    """How large a study is, on which data, and which study it extends: such as "6 methods, 3 seeds each, ..."."""
    methods, seeds = _counted(len(study.methods), "method"), _counted(len(study.seeds), "seed")
    extended = f"; extends `{study.extends}`" if study.extends else ""
    return f"{methods}, {seeds} each, {study.student.steps:,} steps a run, on `{study.data.name}`{extended}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def report_page(about: Summary, cells: Iterable[Mapping[str, Any]], *, index: str = "") -> str:
    """The report of a study as an HTML page.

    Args:
        about: the study's question and verdict, for the head of the page.
        cells: those of the executed notebook `report`.
        index: the address of the index page, which the report then leads back to.
    """
    return _render("report.html.j2", study=about, body=body(cells), index=index)


def index_page(studies: Iterable[Summary], left_out: Iterable[str] = ()) -> str:
    """The page of all studies, in the order given; each leads to the page `<its name>.html` beside it.

    Args:
        studies: those that are shown.
        left_out: of each study that cannot be shown, why, as a line of text.
    """
    return _render("index.html.j2", studies=list(studies), left_out=list(left_out))


def _render(template: str, **values: Any) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(template).render(**values)

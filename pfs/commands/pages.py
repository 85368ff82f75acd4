"""The commands that make tables, figures and pages from what runs have left, without training."""

import argparse
import sys
import webbrowser
from typing import Any

from pfs.commands.arguments import DATA, RESULTS, STUDY, add_command
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.tables.collect import collect
from pfs.report.tables.collected import read_examples, read_runs
from pfs.report.tables.counts import read_counts
from pfs.study.execution.notebooks import run_notebook
from pfs.study.execution.run import draw_pages
from pfs.study.places import notebook_path, runs_of, study_folder, study_path
from pfs.study.staleness import stale_runs


def add_commands(commands: Any) -> None:
    """Add `collect`, `figures`, `report`, `look`, `claims` and `docs`."""
    add_command(commands, "collect", _collect, STUDY, RESULTS, DATA)
    figures = add_command(commands, "figures", _figures, RESULTS)
    figures.add_argument(
        "study", metavar="STUDY", nargs="?", help="the study's file, or its bare name (every one that has results)"
    )
    add_command(commands, "report", _report, STUDY, RESULTS)
    look = add_command(commands, "look", _look, RESULTS)
    look.add_argument("--no-browser", action="store_true", help="only write the pages and print the index's path")
    add_command(commands, "claims", _claims, RESULTS)
    add_command(commands, "docs", _docs)


def _collect(options: argparse.Namespace) -> int:
    """gather what a study's finished runs have left into a few small files, which tables and figures are made from"""
    study = load_study(options.study)
    folder = study_folder(study, options.results)
    stale = stale_runs(study, folder)
    collect(study, folder, set(runs_of(study)) - set(stale), repository() / options.data)
    for (method, seed), reason in stale.items():
        print(f"{study.name}: {method}/{seed} is left out: {reason}", file=sys.stderr)
    return 0


def _figures(options: argparse.Namespace) -> int:
    """make tables and figures of a study, or all that the clone has, from what runs have left, without training"""
    if options.study is not None:
        _draw(options.study, options.results)
        return 0
    from pfs.bench.figures import MEASURED, draw_measured  # seaborn takes a second to import
    from pfs.report.docs.scores import studies_with_runs

    results = repository() / options.results
    for study, _ in studies_with_runs(results):
        _draw(study_path(study.name), options.results)
    for name in MEASURED:
        if (results / "benchmark" / f"{name}.csv").is_file():
            draw_measured(results / "benchmark", name)
            print(results / "benchmark" / "figures" / f"{name}.png")
    return 0


def _draw(study: str, results: str) -> None:
    """Make the tables and figures of one study; what is damaged or missing is told before any file is written."""
    folder = study_folder(load_study(study), results)
    read_counts(folder, read_runs(folder))
    read_examples(folder)
    draw_pages(study, results=results)
    print(folder / "tables", folder / "figures", sep="\n")


def _report(options: argparse.Namespace) -> int:
    """write report.html, one self-contained page, from the tables and figures"""
    from pfs.report.page import write_report  # SciPy and seaborn take a second to import

    print(write_report(options.study, results=options.results))
    return 0


def _look(options: argparse.Namespace) -> int:
    """open a page of all studies with results: what each asks, its main figure and its verdict, and its report"""
    from pfs.report.site.look import write_index

    index = write_index(results=options.results)
    print(index)
    if not options.no_browser and not webbrowser.open(index.as_uri()):
        print("no browser could be started: open this file in a browser", file=sys.stderr)
    return 0


def _claims(options: argparse.Namespace) -> int:
    """write what the runs say of each claim of the protocol: claims.md and claims.csv, in a minute or two"""
    folder = repository() / options.results
    run_notebook(notebook_path("claims"), folder / "claims.ipynb", {"results": options.results})
    print(folder / "claims.md", folder / "claims.csv", sep="\n")
    return 0


def _docs(_: argparse.Namespace) -> int:
    """bring the generated tables of README.md and docs/ up to date, and draw its figures"""
    from pfs.report.docs.blocks import write_docs  # pandas and matplotlib take a second to import

    changed = write_docs(repository())
    print(*(f"{page.relative_to(repository())} has changed" for page in changed), "docs are up to date", sep="\n")
    return 0

"""The commands that tell how studies stand, and which there are."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, TypeVar

from pfs.commands.arguments import DATA, RESULTS, add_command
from pfs.commands.standing import STATES, Standing, made, standings
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.tables.changes import MEASURED, changes, changes_since_measured
from pfs.study.places import runs_of, study_path
from pfs.study.records import RecordError

T = TypeVar("T")

Run = tuple[str, int]  # method and seed


def add_commands(commands: Any) -> None:
    """Add `status`, `check` and `studies`."""
    status = add_command(commands, "status", _status, RESULTS, DATA)
    status.add_argument("study", metavar="STUDY", nargs="?", help="the study's file, or its bare name; all, if none")
    add_command(commands, "check", _check, RESULTS, DATA)
    add_command(commands, "studies", _studies, RESULTS)


def _status(options: argparse.Namespace) -> int:
    """tell which runs are finished, which are stale and why, and what it costs to bring them up to date"""
    if options.study is not None:
        study = load_study(options.study)
        _print(table_of(standings(study, options.results, options.data)))
    else:
        rows = [
            [study.name, *summary(runs)]
            for study, runs in _of_each(lambda study: standings(study, options.results, options.data))
        ]
        _print(columns([["study", "runs", "how they stand", "to bring it up to date"], *rows], [26, 4, 34, 30]))
    return 0


def _check(options: argparse.Namespace) -> int:
    """tell which committed results are no longer those of today's code, data or parameters"""
    results = repository() / options.results
    found = {table.parent.name: _changes(table.parent.name, options) for table in sorted(results.glob("*/runs.csv"))}
    measured = [results / "benchmark" / f"{name}.csv" for name in MEASURED]
    found |= {f"benchmark/{table.stem}": _changes_since_measured(table) for table in measured if table.is_file()}
    for name, changed in found.items():
        print(f"{name}: {'; '.join(changed) or 'nothing has changed'}")
    return int(any(found.values()))


def _changes(name: str, options: argparse.Namespace) -> list[str]:
    """What has changed since a study's results were made; or why that cannot be told."""
    try:
        return changes(load_study(study_path(name)), options.results, options.data)
    except (StudyError, RecordError) as error:
        return [" ".join(str(error).split())]


def _changes_since_measured(table: Path) -> list[str]:
    """What has changed since a table of measurements was made; or why that cannot be told."""
    try:
        return changes_since_measured(table)
    except (StudyError, RecordError) as error:
        return [" ".join(str(error).split())]


def _studies(options: argparse.Namespace) -> int:
    """list the studies, with their data, how many of their runs have results, and what each asks"""
    rows = [["study", "data", "results", "what it asks"]]
    for study, done in _of_each(lambda study: made(study, options.results)):
        rows.append([study.name, study.data.name, f"{len(done)} of {len(runs_of(study))}", study.question or ""])
    _print(columns(rows, [26, 16, 12, 200]))
    return 0


def _of_each(about: Callable[[Study], T]) -> Iterator[tuple[Study, T]]:
    """Each study of the clone with what is asked about it; one of which a file is wrong is told, and left out."""
    for file in sorted((repository() / "studies").glob("*.yaml")):
        try:
            study = load_study(file)
            yield study, about(study)
        except (StudyError, RecordError) as error:
            print(error, file=sys.stderr)


def _print(lines: Iterable[str]) -> None:
    print(*lines, sep="\n")


def table_of(runs: dict[Run, Standing]) -> list[str]:
    """A study's runs as a table of 100 columns, equal ones in one row, and below it what is to be done."""
    rows = [["method", "seeds", "runs", "state", "why"]]
    for methods, seeds, standing in _equal_rows(runs):
        count = str(len(methods) * len(seeds))
        rows.append([", ".join(methods), _ranges(seeds), count, standing.state, standing.reason])
    return [*columns(rows, [30, 10, 5, 17, 34]), f"To bring it up to date: {cost(runs.values())}."]


def _equal_rows(runs: dict[Run, Standing]) -> list[tuple[list[str], list[int], Standing]]:
    """Runs that stand alike: methods with the same seeds in the same state for the same reason share a row."""
    seeds: dict[tuple[str, Standing], list[int]] = {}
    for (method, seed), standing in runs.items():
        shown = Standing(standing.state, standing.reason)
        seeds.setdefault((method, shown), []).append(seed)
    methods: dict[tuple[tuple[int, ...], Standing], list[str]] = {}
    for (method, standing), own in seeds.items():
        methods.setdefault((tuple(own), standing), []).append(method)
    return [(names, list(own), standing) for (own, standing), names in methods.items()]


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers with runs of successive ones drawn together: `0-4, 7`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def summary(runs: dict[Run, Standing]) -> list[str]:
    """How many runs a study has, how they stand, and what is to be done: three texts."""
    counts = Counter(standing.state for standing in runs.values())
    stand = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return [str(len(runs)), stand, cost(runs.values())]


def cost(runs: Iterable[Standing]) -> str:
    """What it costs to make the runs that are not finished; "?" where no finished run says how large a network is.

    `pfs study` also counts scoring and the teacher's outputs, before it begins.
    """
    scored = sum(run.state == "to score again" for run in runs)
    trained = [run for run in runs if run.state not in ("finished", "to score again")]
    if not trained:
        return f"{scored} to score" if scored else "nothing"
    known = [run.tflop for run in trained if run.tflop is not None]
    tflop = f"{sum(known):,.0f}" if len(known) == len(trained) else "?"
    seconds = [run.seconds for run in trained if run.seconds is not None]
    took = f", {_duration(sum(seconds))} one after another as before" if len(seconds) == len(trained) else ""
    return f"{len(trained)} to train, {tflop} TFLOP of training{took}{f', {scored} to score' * bool(scored)}"


def _duration(seconds: float) -> str:
    """Seconds as hours or minutes, with a space at which no line is broken."""
    return f"{seconds / 3600:.1f}\N{NO-BREAK SPACE}h" if seconds >= 3600 else f"{seconds / 60:.0f}\N{NO-BREAK SPACE}min"


def columns(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Rows of texts as lines, each text wrapped within the width of its column; the first row is underlined.

    A column is no wider than its longest text. A word that is longer than its column stays whole.
    """
    fitted = [min(width, max(map(len, texts))) for width, texts in zip(widths, zip(*rows, strict=True), strict=True)]
    lines = []
    for row in [rows[0], ["-" * width for width in fitted], *rows[1:]]:
        wrapped = [wrap(text, width, break_on_hyphens=False) for text, width in zip(row, fitted, strict=True)]
        for parts in zip_longest(*wrapped, fillvalue=""):
            line = "  ".join(part.ljust(width) for part, width in zip(parts, fitted, strict=True))
            lines.append(line.rstrip())
    return lines

"""The command line: `pfs study digits` brings a study up to date, the other commands do a part of it."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread
from typing import TextIO

from filelock import FileLock, Timeout
from tqdm import tqdm

from pfs.reading import load_study, repository
from pfs.records import TEACHER, RecordError, cell_folder, cells, collect
from pfs.strict import StudyError, choices
from pfs.study import PLACED_NAMES, SegmentationModel, Study
from pfs.workflow import (
    NotebookError,
    finished_cells,
    notebook_path,
    run_cell,
    run_notebook,
    run_page,
    stop_with,
    study_folder,
    study_path,
    write_report,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; whatever is wrong is told on standard error."""
    options = _parser().parse_args(arguments)
    if "study" in options:
        options.study = study_path(options.study)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        os.chdir(repository())
        return command(options)
    except (StudyError, RecordError, NotebookError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pfs", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        if command not in (_benchmark, _throughput):
            added.add_argument("study", metavar="STUDY", help="the study's file, or its bare name: digits")
        if command is not _dry_run:
            added.add_argument("--results", default="results", help="folder of all results (%(default)s)")
        if command in (_study, _cell):
            added.add_argument("--data", default="data", help="folder of all data sets (%(default)s)")
        added.set_defaults(command=command)
        return added

    for name, command in (("study", _study), ("dry-run", _dry_run)):
        started = add(name, command)
        started.add_argument("--cores", default="all", help="how many to use (%(default)s)")
        started.add_argument("--threads", type=int, help="cores that a student computes with (1; with a GPU, all)")
    cell = add("cell", _cell)
    cell.add_argument("method", metavar="METHOD", help="teacher, or a method of the study")
    cell.add_argument("seed", metavar="SEED", type=int, help="a seed of the study")
    cell.add_argument("--threads", type=int, default=1, help="of the kernel (%(default)s)")
    cell.add_argument("--parent", type=int, help="stop when this process, which started the cell, ends")
    add("collect", _collect)
    add("figures", _figures)
    add("report", _report)
    _add_data(commands.add_parser("data", help=_data.__doc__, description=_data.__doc__))
    for name, command in (("benchmark", _benchmark), ("throughput", _throughput)):
        add(name, command).add_argument("--threads", type=int, default=1, help="to compute with (%(default)s)")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(PLACED_NAMES)}")
    use = "use the data in this folder, where they lie"
    parser.add_argument("--from", dest="source", metavar="FOLDER", type=_absolute, help=use)
    parser.add_argument("--mirror", metavar="URL", help="address of a folder that holds the archives")
    parser.add_argument("--data", default="data", help="folder of all data sets (%(default)s)")
    parser.set_defaults(command=_data)


def _absolute(path: str) -> Path:
    """A path of the caller's: the commands themselves run in the clone's root."""
    return Path(path).resolve()


# --- the commands: each docstring is the command's help -----------------------------------------------------


def _study(options: argparse.Namespace) -> int:
    """run every stale cell of a study, then write its tables, figures and report"""
    study = load_study(options.study)
    _check_networks(study)
    if not _bring_up_to_date(study, options):
        print(*_failures(study, study_folder(study, options.results)), sep="\n", file=sys.stderr)
        return 1
    print(f"{study.name} is up to date: {options.results}/{study.name}/ (start with report.html)")
    return 0


def _dry_run(options: argparse.Namespace) -> int:
    """try a study at its true networks, crop and batch: two steps on pictures of noise, of which nothing is kept"""
    from pfs.dry_run import report, write_trial  # torch takes seconds to import

    study = load_study(options.study)
    _check_networks(study)
    folder = Path(mkdtemp(prefix=f"pfs-dry-run-{study.name}-"))
    file, said = write_trial(study, folder)
    print(*(f"{study.name}: {line}" for line in said), sep="\n")
    options.study, options.results, options.data = str(file), str(folder / "results"), str(folder / "data")
    trial = load_study(file)
    if not _bring_up_to_date(trial, options):
        print(*_failures(trial, study_folder(trial, options.results))[:-1], sep="\n", file=sys.stderr)
        print(f"{study.name}: the dry run failed; all of it is still in {folder}", file=sys.stderr)
        return 1
    print(*(f"{study.name}: {line}" for line in report(trial, folder / "results")), sep="\n")
    print(f"{study.name}: the dry run went through, to tables, figures and report; deleted, for they mean nothing")
    shutil.rmtree(folder)
    return 0


def _cell(options: argparse.Namespace) -> int:
    """run one cell of a study: its teacher, or one method with one seed"""
    if options.parent is not None:
        stop_with(options.parent)
    run_cell(
        options.study,
        options.method,
        options.seed,
        results=options.results,
        data=options.data,
        threads=options.threads,
    )
    return 0


def _collect(options: argparse.Namespace) -> int:
    """gather a study's finished records into runs.csv and examples.npz"""
    study = load_study(options.study)
    folder = study_folder(study, options.results)
    for missing in collect(study, folder, finished_cells(study, folder)):
        print(f"{study.name}: {missing} has no record of today's settings and code: left out", file=sys.stderr)
    return 0


def _figures(options: argparse.Namespace) -> int:
    """make tables and figures from runs.csv and examples.npz, without training"""
    for page in ("tables", "figures"):
        run_page(options.study, page, results=options.results)
    return 0


def _report(options: argparse.Namespace) -> int:
    """write report.html, one self-contained page, from the tables and figures"""
    write_report(options.study, results=options.results)
    return 0


def _data(options: argparse.Namespace) -> int:
    """download a data set, or take the folder that you have, and verify every file of it"""
    if options.name not in PLACED_NAMES:
        raise StudyError(f"unknown data set {options.name!r}{choices(options.name, PLACED_NAMES)}")
    from pfs.datasets import PLACED, DatasetError, place  # torch takes seconds to import

    try:
        folder = place(PLACED[options.name], Path(options.data), source=options.source, mirror=options.mirror)
    except (DatasetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    counts = json.loads((folder / "checksums.json").read_text())["recipe"]
    print(f"{folder}: {', '.join(f'{count} {split}' for split, count in counts.items())} images, all verified")
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    """measure time and memory of the PFS kernels on this machine: some minutes, best while it does nothing else"""
    return _measure("benchmark", "kernels.md", options)


def _throughput(options: argparse.Namespace) -> int:
    """measure where a training step's time goes on this machine: some minutes, best while it does nothing else"""
    return _measure("throughput", "steps.md", options)


def _measure(notebook: str, summary: str, options: argparse.Namespace) -> int:
    folder = repository() / options.results / "benchmark"
    parameters = {"results": options.results, "threads": options.threads}
    run_notebook(notebook_path(notebook), folder / f"{notebook}.ipynb", parameters)
    print(f"measured: {options.results}/benchmark/ (start with {summary})")
    return 0


# --- a whole study ------------------------------------------------------------------------------------------


def _bring_up_to_date(study: Study, options: argparse.Namespace) -> bool:
    """Run what is stale of a study, with one bar of its progress; whether all went well."""
    folder = study_folder(study, options.results)
    teachers = cell_folder(study, folder, TEACHER, study.teacher.seed).parent
    with ExitStack() as locks:
        for needed in sorted({folder, teachers}):
            locks.enter_context(_only_study(needed))
        finished = finished_cells(study, folder)
        for method, seed in set(cells(study)) - finished:
            for leftover in ("progress", "error.txt"):
                (cell_folder(study, folder, method, seed) / leftover).unlink(missing_ok=True)
        with _output_into(folder / "snakemake.log") as terminal, _progress_bar(study, folder, terminal):
            return _snakemake(study, finished, options)


def _check_networks(study: Study) -> None:
    """A network that cannot be built, or not for the crop, is told before a teacher has been trained for nothing."""
    crop = study.views.crop if study.views else None
    for role, spec in (("teacher", study.teacher.network), ("student", study.student.network)):
        if isinstance(spec, SegmentationModel):
            from pfs.networks import check_network  # asks the library, which takes seconds to import

            try:
                check_network(spec, crop)
            except StudyError as error:
                raise StudyError(f"study {study.name}: {role}.network: {error}") from None


@contextmanager
def _only_study(folder: Path) -> Iterator[None]:
    """Be the only process at work on a study: wait for another one, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"another process is at work on {folder}: waiting for it to end", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _output_into(log: Path) -> Iterator[TextIO]:
    """Write what this process and those it starts print into a file; yields the terminal's standard error."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = [os.dup(1), os.dup(2)]
    with log.open("a", buffering=1) as file, os.fdopen(os.dup(2), "w") as terminal:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield terminal
        finally:
            for number, saved in enumerate(before, start=1):
                os.dup2(saved, number)
                os.close(saved)


def _snakemake(study: Study, finished: set[tuple[str, int]], options: argparse.Namespace) -> bool:
    """Run the Snakefile in this process, so that whoever kills the one has killed the other."""
    from snakemake.cli import main as snakemake

    # A record tells by itself whether it is stale, also where Snakemake's own notes have been lost; and a table that
    # came with the clone, without the records that it was made of, is not what was asked for.
    folder = Path(options.results) / study.name
    records = {cell: cell_folder(study, folder, *cell) / "record.json" for cell in cells(study)}
    stale = [str(path) for cell, path in records.items() if cell not in finished]
    # Nothing here locks the clone: `_only_study` has, and it leaves no lock behind when it is killed.
    arguments = ["--cores", options.cores, "--nolock", *(["--forcerun", *stale] if stale else [])]
    settings = [f"{key}={getattr(options, key)}" for key in ("study", "results", "data")]
    settings += [] if options.threads is None else [f"threads={options.threads}"]
    try:
        snakemake([*arguments, "--config", *settings])
    except SystemExit as end:
        return end.code == 0
    return True


@contextmanager
def _progress_bar(study: Study, folder: Path, terminal: TextIO) -> Iterator[None]:
    """One bar over all steps of a study, from the records and the `progress` files of its cells."""
    stop = Event()
    total = sum(_steps(study, method) for method, _ in cells(study))
    # On a terminal a moving bar; in a log a line now and then.
    interval = 1 if terminal.isatty() else 30
    # No estimate of what remains: a teacher's step takes several times a student's.
    shape = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} steps, {elapsed}"
    with tqdm(total=total, file=terminal, miniters=0, bar_format=shape) as bar:

        def show() -> None:
            finished, bar.n = _done(study, folder)
            stage = "tables, figures, report" if bar.n == total else f"{finished}/{len(cells(study))} cells"
            bar.set_description(f"{study.name}: {stage}")

        def watch() -> None:
            while not stop.wait(interval):
                show()

        show()
        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            show()


def _steps(study: Study, method: str) -> int:
    return study.teacher.steps if method == TEACHER else study.student.steps


def _done(study: Study, folder: Path) -> tuple[int, int]:
    """How many cells are finished, and how many steps are done in all cells together."""
    finished = steps = 0
    for method, seed in cells(study):
        place = cell_folder(study, folder, method, seed)
        if (place / "record.json").is_file():
            finished += 1
            steps += _steps(study, method)
        elif (place / "progress").is_file():
            steps += int((place / "progress").read_text())
    return finished, steps


def _failures(study: Study, folder: Path) -> list[str]:
    """One line for each failed cell, then what can be done."""
    unfinished = [cell for cell in cells(study) if not (cell_folder(study, folder, *cell) / "record.json").is_file()]
    errors = {cell: cell_folder(study, folder, *cell) / "error.txt" for cell in unfinished}
    failed = {cell: file.read_text().strip() for cell, file in errors.items() if file.is_file()}
    lines = [f"failed: {method}, seed {seed}: {error}" for (method, seed), error in failed.items()]
    waiting = len(unfinished) - len(failed)
    return [
        *lines,
        f"{study.name}: {len(failed)} cells failed, {waiting} did not finish; log: {folder}/snakemake.log",
        f"Run the study again to go on, or `pfs collect {study.name}` and `pfs figures {study.name}` "
        "for the tables of what there is.",
    ]


if __name__ == "__main__":
    sys.exit(main())

"""A whole study brought up to date: one Snakemake run, one bar of its progress, one line for each failure. No torch."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from filelock import Timeout

from pfs.config.base import StudyError
from pfs.config.checksums import BrokenFileError, begin_study, check_files
from pfs.config.files import atomic_write, repository
from pfs.config.study import Study
from pfs.data.install.state import changed_since_verified, current_checksum
from pfs.study.execution.cluster.handover import Cluster
from pfs.study.execution.interruption import stopping_on_signals
from pfs.study.execution.locks import folder_lock
from pfs.study.execution.progress.bar import progress_bar
from pfs.study.execution.progress.plan import plan_session
from pfs.study.execution.progress.stage import PROGRESS
from pfs.study.execution.run import DONE, DRAWN, REPORTED
from pfs.study.execution.stopping import await_requests
from pfs.study.places import TEACHER, run_folder, runs_of, study_folder
from pfs.study.records import COLLECTED
from pfs.study.staleness import Stale, finished_runs, stale_runs
from pfs.study.trial.preflight import preflight

Marks = dict[tuple[str, int], int | None]

_STARTS = "Using workflow specific profile"  # the first line of each start of Snakemake, whose log holds many
# Lines of Snakemake's log that stand there whatever the reason of a failure.
_SAYS_NOTHING = r"\s*File |Using |\[|Complete log|Shutting down|Exiting because|At least one job|Elapsed"


def bring_up_to_date(
    study: Study,
    path: str,
    *,
    results: str,
    data: str,
    cores: str = "all",
    threads: int | None = None,
    devices: int = 1,
    cluster: Cluster | None = None,
) -> bool:
    """Run what is stale of a study, with one bar of its progress; whether all went well.

    Args:
        study: the study.
        path: its file.
        results: folder of all results.
        data: folder of all data sets.
        cores: how many to use, or "all".
        threads: that a student computes with; None: 1, or all cores where there is a GPU.
        devices: how many train each run.
        cluster: which makes the runs; None: this machine. There, `cores` and `threads` are a job's on each node.
    """
    folder = study_folder(study, results)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        return _nothing_to_write(study, folder)
    teachers = run_folder(study, folder, TEACHER, study.teacher.seed).parent
    with ExitStack() as locks:
        for needed in sorted({folder, teachers}):
            locks.enter_context(_study_lock(needed))
        begin_study()
        await_requests(folder / ".stop")
        marked = _times_of_marks(study, folder)
        stale = _stale_runs(study, folder, repository() / data)
        images = preflight(study, set(stale), repository() / data)
        _renew_marks(study, folder, set(stale), marked)
        trained = {run for run, reason in stale.items() if reason.trains}  # scoring weights again costs hardly anything
        timed = cluster is None
        plan = plan_session(
            study, path, folder, trained, images, cores=cores, threads=threads, devices=devices, timed=timed
        )
        named = Path(results) / study.name  # as the Snakefile names them
        marks = [str(run_folder(study, named, *run) / DONE) for run in stale]
        marks += [str(named / mark) for mark in _broken_pages(folder, tuning=study.tuning)]
        config = {"study": path, "results": results, "data": data}
        config |= {} if threads is None else {"threads": str(threads)}
        config |= {} if devices == 1 else {"devices": str(devices)}
        if cluster is None:
            how = ["--cores", cores, "--config", *_as_yaml(config)]
        else:
            how = cluster.arguments(study, folder, config, plan.costs, cores=cores, threads=threads)
        with (
            _redirect_output(folder / "snakemake.log") as terminal,
            stopping_on_signals(study.name, folder / ".stop", terminal, cluster.jobs if cluster else None),
            progress_bar(study, folder, plan, terminal),
        ):
            return _snakemake(marks, how)


def _stale_runs(study: Study, folder: Path, data: Path) -> dict[tuple[str, int], Stale]:
    """The runs that must be made (again), and why; what is no mere matter of a first run is told.

    Raises:
        StudyError: files of the data have changed since they were verified.
    """
    if changed := changed_since_verified(study.data, data):
        raise StudyError(f"study {study.name}: {changed}")
    stale = stale_runs(study, folder, data)
    if not stale and current_checksum(study.data, data) is None:
        print(f"{study.name}: no data in {data}: finished runs were not compared with them", file=sys.stderr)
    for (method, seed), reason in stale.items():
        if (run_folder(study, folder, method, seed) / "record.json").is_file():
            print(f"{study.name}: {method}, seed {seed}, is made again: {reason}", file=sys.stderr)
    return stale


def _times_of_marks(study: Study, folder: Path) -> Marks:
    """When the mark of each run was written, in nanoseconds; None where there is none."""
    marks = {run: run_folder(study, folder, *run) / DONE for run in runs_of(study)}
    return {run: mark.stat().st_mtime_ns if mark.is_file() else None for run, mark in marks.items()}


def _renew_marks(study: Study, folder: Path, stale: set[tuple[str, int]], marked: Marks) -> None:
    """Take away the marks of runs that are stale, and mark those that are done.

    A cluster's job of an earlier start may end a run after the stale ones were counted. Its mark stays: without it, the
    Snakemake on the node would wait for it in vain, and take the job for a failure.

    Args:
        study: the study.
        folder: its results.
        stale: the runs that must be made.
        marked: when the marks were written that there were before the stale runs were counted.
    """
    now = _times_of_marks(study, folder)
    for run in runs_of(study):
        place = run_folder(study, folder, *run)
        if run not in stale:
            if now[run] is None:
                atomic_write(place / DONE, "")
            continue
        if now[run] != marked[run]:
            continue
        for leftover in (DONE, PROGRESS, "error.txt"):
            (place / leftover).unlink(missing_ok=True)


def _broken_pages(folder: Path, *, tuning: bool) -> list[str]:
    """The marks of tables, figures and report of which a file is missing or was edited: told, and made again.

    A tuning study has its table of runs alone.
    """
    broken = []
    for mark in (COLLECTED,) if tuning else (COLLECTED, DRAWN, REPORTED):
        if not (folder / mark).is_file():  # Snakemake asks for the last of them alone
            broken.append(mark)
            continue
        try:
            check_files(folder / mark)
        except BrokenFileError as error:
            print(f"{error}; it is made again", file=sys.stderr)
            (folder / mark).unlink()
            broken.append(mark)
    return broken


def _nothing_to_write(study: Study, folder: Path) -> bool:
    """True for a study that is finished, whose results may only be read; a StudyError for one that is not."""
    last = "runs.csv" if study.tuning else "report.html"
    if finished_runs(study, folder) == set(runs_of(study)) and (folder / last).is_file():
        return True
    raise StudyError(f"{folder} cannot be written, and the study is not finished: name another folder with --results")


@contextmanager
def _study_lock(folder: Path) -> Iterator[None]:
    """Be the only process at work on a study: wait for another one, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder_lock(folder)
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
def _redirect_output(log: Path) -> Iterator[TextIO]:
    """Write what this process and those it starts print into a file; yields the terminal's standard error."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = [os.dup(1), os.dup(2)]
    letters, rest = sys.stderr.encoding, "backslashreplace"
    with (
        log.open("a", encoding="utf-8", buffering=1, errors="backslashreplace") as file,
        os.fdopen(os.dup(2), "w", encoding=letters, errors=rest) as terminal,
    ):
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield terminal
        finally:
            for number, saved in enumerate(before, start=1):
                os.dup2(saved, number)
                os.close(saved)


def _as_yaml(config: dict[str, str]) -> list[str]:
    """Settings of the Snakefile's config as arguments that Snakemake takes for text, whatever they are.

    It would read `5` as a number and `a: b` as a mapping, and it strips quotes at the ends.
    """
    return [f"{key}=!!str {json.dumps(value, ensure_ascii=False)} " for key, value in config.items()]


def _snakemake(marks: list[str], how: list[str]) -> bool:
    """Run the Snakefile in this process, so that whoever kills the one has killed the other.

    Args:
        marks: the outputs of the Snakefile's rules that must be made again.
        how: arguments that say with what the Snakefile is run, and where.
    """
    from snakemake.cli import main as snakemake

    # Staleness is decided from the records and not from Snakemake's metadata, so that the missing runs are also made
    # where the .snakemake folder is lost, or where tables came with the clone, but not the records behind them.
    # Nothing here locks the clone: `_study_lock` has, and it leaves no lock behind when it is killed.
    try:
        snakemake(["--nolock", *(["--forcerun", *marks] if marks else []), *how])
    except SystemExit as end:
        return end.code == 0
    return True


def failures(study: Study, folder: Path) -> list[str]:
    """One line for each failed run, or for the page that failed; then how much is missing, and where the log lies."""
    unfinished = [run for run in runs_of(study) if not (run_folder(study, folder, *run) / DONE).is_file()]
    errors = {run: run_folder(study, folder, *run) / "error.txt" for run in unfinished}
    failed = {run: file.read_text(encoding="utf-8").strip() for run, file in errors.items() if file.is_file()}
    lines = [f"failed: {method}, seed {seed}: {error}" for (method, seed), error in failed.items()]
    waiting = len(unfinished) - len(failed)
    log = folder / "snakemake.log"
    if (folder / ".stop").is_file():
        done = len(runs_of(study)) - len(unfinished)
        return [*lines, f"{study.name}: stopped as asked, finished runs: {done} of {len(runs_of(study))}; log: {log}"]
    if not unfinished:
        return [
            *(_failed_pages(log) or _last_words(log)),
            f"{study.name}: all runs are done, a page of theirs failed; log: {log}",
        ]
    return [
        *(lines or _last_words(log)),
        f"{study.name}: {len(failed)} runs failed, {waiting} did not finish; log: {log}",
    ]


def _failed_pages(log: Path) -> list[str]:
    """What the notebook of tables, figures or report said last, as `run_notebook` tells it."""
    said = [line for line in _lines(log) if re.match(r"\w+\.ipynb: ", line)]
    return [f"failed: {line}" for line in said[-1:]]


def _last_words(log: Path) -> list[str]:
    """Why a study failed of which neither a run nor a page has told it: what the log of its last start ends with.

    Where a command failed, that is what the command printed last, just before Snakemake says that it has failed.
    """
    lines = _lines(log)
    starts = [row for row, line in enumerate(lines) if line.startswith(_STARTS)]
    said = [
        line.strip() for line in lines[max(starts, default=0) :] if line.strip() and not re.match(_SAYS_NOTHING, line)
    ]
    if "RuleException:" in said:
        said = said[: said.index("RuleException:")][-1:]
    return [f"Snakemake: {line}" for line in said[-3:]]


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()

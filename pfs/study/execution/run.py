"""How a run is carried out: its notebook is executed by Papermill. No torch here.

A run of a study is the teacher, or one method with one seed. The Snakefile says what follows from
what and starts `pfs run` for each stale run.
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

from pfs.config.base import StudyError
from pfs.config.checksums import BrokenFileError, check_files, check_files_once, files_under, write_checksums
from pfs.config.files import atomic_write, repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.install.state import current_checksum
from pfs.study.code.hashes import run_code
from pfs.study.execution.kernels_end import GO_ON, KERNEL_DIED
from pfs.study.execution.locks import folder_lock
from pfs.study.execution.notebooks import NotebookError, NotebookStoppedError, Parameter, run_notebook
from pfs.study.execution.progress.stage import BEGAN, PROGRESS
from pfs.study.execution.stopping import stop_requested
from pfs.study.places import TEACHER, notebook_of, notebook_path, run_folder, runs_of, study_folder
from pfs.study.records import COLLECTED
from pfs.study.staleness import why_stale

DONE = ".done"  # in a run's folder: Snakemake's own mark that the run is done
# The checksums of what the notebooks of tables and figures wrote, and of the report.
DRAWN, REPORTED = ".drawn.sha256.json", ".reported.sha256.json"


def execute_run(
    path: str, method: str, seed: int, *, results: str, data: str, threads: int, devices: int = 1, attempt: int = 1
) -> None:
    """Carry out one run of a study, unless another process has just finished it.

    A lock on the run's folder keeps two processes from writing it at once. Its `progress` and, if it fails,
    `error.txt` are for the study that waits for it.

    Args:
        path: the study's file.
        method: "teacher" or a method of the study.
        seed: a seed of the study; the teacher has its own.
        results: folder of all results.
        data: folder of all data sets.
        threads: of the kernel's pools.
        devices: how many train the run, each an equal part of every batch.
        attempt: which one in this start of the study. A cluster tries a job again that has failed.

    Raises:
        StudyError: the study has no such run, or its batch cannot be shared equally by so many devices.
        NotebookError: the notebook failed, or ended without a record; or it failed at an earlier attempt.
        NotebookStoppedError: the study was asked to stop.
    """
    study = load_study(path)
    parameters: dict[str, Parameter] = {"study": path, "results": results, "data": data, "threads": threads}
    parameters |= {"devices": devices} if devices > 1 else {}
    if method != TEACHER:
        study.method(method)
        parameters |= {"method": method, "seed": seed}
    if (method, seed) not in runs_of(study):
        seeds = [own for name, own in runs_of(study) if name == method]
        raise StudyError(f"{path}: {method} has no seed {seed}; valid choices: {', '.join(map(str, seeds))}")
    check_shares(study, path, ["teacher" if method == TEACHER else "student"], devices)
    if attempt > 1:
        _refuse_what_failed(run_folder(study, study_folder(study, results), method, seed))
    _execute(study, (method, seed), parameters, results=results, data=data)


def check_shares(study: Study, path: str, roles: Iterable[str], devices: int) -> None:
    """Refuse a number of devices that cannot share a batch equally, before anything is started.

    Args:
        study: the study.
        path: its file.
        roles: whose batches are meant: "teacher", "student".
        devices: how many train each run.

    Raises:
        StudyError: names the file, the role, and what would be right.
    """
    for role in roles:
        try:
            {"teacher": study.teacher, "student": study.student}[role].check_shares(devices)
        except StudyError as error:
            raise StudyError(f"{path}: {role}: {error}") from None


def _refuse_what_failed(folder: Path) -> None:
    """Raise the error of an earlier attempt which would come again; what was killed may well succeed."""
    error = folder / "error.txt"
    told = error.read_text(encoding="utf-8").strip() if error.is_file() else ""
    if told and not any(killed in told for killed in (KERNEL_DIED, GO_ON)):
        raise NotebookError(f"not tried again: {told}")


def _execute(study: Study, run: tuple[str, int], parameters: dict[str, Parameter], *, results: str, data: str) -> None:
    """Execute a run's notebook under its lock, unless the run is done."""
    notebook = notebook_of(run[0])
    folder = run_folder(study, study_folder(study, results), *run)
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder):
        found = current_checksum(study.data, repository() / data)
        code, results_folder = run_code(study, run[0]), study_folder(study, results)
        stale = why_stale(study, results_folder, *run, code, found, check_cache=check_files_once)
        if stale is None:
            return
        if stop_requested():
            raise NotebookStoppedError(f"{notebook.name}: not started, for the study was asked to stop")
        # The record of a run that is only scored again says on which machine its weights were trained.
        for leftover in (PROGRESS, BEGAN, "error.txt", "executed.ipynb", *(["record.json"] if stale.trains else [])):
            (folder / leftover).unlink(missing_ok=True)
        (folder / BEGAN).touch()
        _execute_notebook(notebook, folder, parameters)


def _execute_notebook(notebook: Path, folder: Path, parameters: dict[str, Parameter]) -> None:
    """Execute a notebook that writes a record into a folder; what fails after the record changes no number."""
    before = _written(folder / "record.json")
    try:
        run_notebook(notebook, folder / "executed.ipynb", parameters)
        if _written(folder / "record.json") == before:
            raise NotebookError(f"{notebook.name}: ended without writing {folder / 'record.json'}")
    except NotebookStoppedError:
        raise
    except NotebookError as error:
        if _written(folder / "record.json") != before:  # written last: what failed was a picture, or came after it
            print(f"{error}: the run is done all the same")
            return
        atomic_write(folder / "error.txt", f"{error}\n")
        raise


def _written(file: Path) -> int | None:
    """When a file was written, in nanoseconds; None where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else None


def mark_done(path: str, method: str, seed: int, *, results: str) -> None:
    """Write the file by which Snakemake knows that a run is done.

    Snakemake deletes this file before and after a job that it interrupts, and so never a record.
    """
    study = load_study(path)
    atomic_write(run_folder(study, study_folder(study, results), method, seed) / DONE, "")


def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent has ended, so that a killed study leaves nothing training.

    The kernel watches this process in the same way. Ctrl-C in a terminal reaches the study alone, which then asks its
    runs to stop.
    """
    os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def draw_pages(path: str, *, results: str) -> None:
    """Execute the notebooks of tables and figures, and note the checksums of what lies in their folders then."""
    folder = study_folder(load_study(path), results)
    try:
        if (folder / COLLECTED).is_file():
            check_files(folder / COLLECTED)
    except BrokenFileError as error:
        print(f"{error}; tables and figures are made of it as it is", file=sys.stderr)
    for page in ("tables", "figures"):
        run_page(path, page, results=results)
    write_checksums(folder / DRAWN, [*files_under(folder / "tables"), *files_under(folder / "figures")])


def run_page(path: str, name: str, *, results: str) -> Path:
    """Execute a notebook that reads collected records alone, such as `tables`; return the executed one.

    Raises:
        NotebookError: the notebook failed.
        StudyError: the study is a tuning study, of which nothing is shown.
    """
    study = load_study(path)
    if study.tuning:
        raise StudyError(f"{path}: a tuning study has no tables and pages; its scores on val are in its runs.csv")
    executed = study_folder(study, results) / f"{name}.ipynb"
    run_notebook(notebook_path(name), executed, {"study": path, "results": results})
    return executed

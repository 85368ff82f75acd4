"""What the caller of a command has: a folder that paths are meant from, an encoding, temporary files, and signals."""

import errno
import io
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pfs.config.files import repository
from pfs.config.text.mistakes import StudyError, shown

# Sockets lie in temporary folders. The system bounds their paths, and Python puts a name such as
# /pymp-abcdefgh/listener-abcdefgh behind the folder's.
LONGEST_TEMPORARY = (103 if sys.platform == "darwin" else 107) - 32


def study_file(name: str) -> str:
    """The file of a study that a command was given: by its bare name, or by its path.

    `digits` is studies/digits.yaml of the clone. A path is taken from the caller's folder, and if there is no such file
    from the clone's root.

    Returns:
        A path from the clone's root where the file lies in the clone, else an absolute one.
    """
    if not name.endswith((".yaml", ".yml")):
        return f"studies/{name}.yaml"
    return from_clone(Path(name)) if os.path.lexists(name) else name


def from_clone(path: Path) -> str:
    """A path of the caller's as the clone's root sees it: relative if it lies in the clone, else absolute."""
    absolute = Path(os.path.normpath(Path.cwd() / path))
    clone = repository()
    return str(absolute.relative_to(clone) if absolute.is_relative_to(clone) else absolute)


def check_results(results: str) -> None:
    """Raise a StudyError for a folder of results that Snakemake would misread, or that is a file."""
    if "{" in results or "}" in results:
        raise StudyError(f"--results {shown(results)}: braces are wildcards to Snakemake: name a folder without them")
    place = repository() / results
    if place.exists() and not place.is_dir():
        raise StudyError(f"--results {shown(results)}: is a file, not a folder: name a folder")


def check_data(data: str) -> None:
    """Raise a StudyError for a folder of data sets that is not there: its name may be misspelt.

    The clone's own `data` need not be there yet, because the first study makes it.
    """
    if data != "data" and not (repository() / data).is_dir():
        raise StudyError(
            f"--data {shown(data)}: no such folder: correct the name, or make the folder if it is to be new"
        )


def check_clone() -> None:
    """Raise a StudyError for a clone in whose path Papermill would look for the names of parameters."""
    clone = str(repository())
    if "{" in clone or "}" in clone:
        raise StudyError(f"{clone}: braces are parameters to Papermill: move the clone to a folder without them")


def prepare_output() -> None:
    """Let a terminal that has no character for what is printed show its number, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def prepare_temporary_folder() -> None:
    """Use /tmp, here and in all processes that are started, where TMPDIR is too long for a socket's name in it."""
    given = tempfile.gettempdir()
    if len(os.fsencode(given)) > LONGEST_TEMPORARY:
        print(f"the temporary folder {shown(given)} is too long for sockets: /tmp is used", file=sys.stderr)
        os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end; everything on the way out removes its temporary files, as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Stopped` in here, in place of ending the process at once.

    A signal that the caller has set aside, as nohup does with SIGHUP, stays so.
    """
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    is_main = threading.current_thread() is threading.main_thread()  # Python lets no other set handlers
    changed = [number for number in numbers if is_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)


def told_stop(stop: KeyboardInterrupt) -> tuple[str, int]:
    """One line on what has stopped a command, and the exit status that shells give to such an end."""
    number = stop.number if isinstance(stop, Stopped) else int(signal.SIGINT)
    return f"stopped by {signal.Signals(number).name}: what was finished stays", 128 + number


def told(error: OSError, options: Collection[str] = ("--results", "--data")) -> str:
    """What the system refused, in one line: the file, the reason, what to try.

    Args:
        error: of the system.
        options: those by which the command is given folders.
    """
    *others, last = (*options, "TMPDIR")
    named = f"with {', '.join(others)} or {last}" if others else f"with {last}"
    file = f"{error.filename}: " if error.filename is not None else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        mend = f"free some space there, or name folders on another disk {named}"
    elif isinstance(error, FileExistsError | NotADirectoryError):
        mend = "a file stands where a folder must be: move it away"
    else:
        mend = f"name folders that can be read and written, {named}"
    return f"{file}{error.strerror or error}; {mend}"

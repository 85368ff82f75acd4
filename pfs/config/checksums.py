"""Checksums of the files that this library writes for itself, so that a broken one is found before it is used.

A list of checksums is a JSON file that lies beside the files it names, and it is written last. A file that was
truncated, edited, deleted or hit by a flipped bit is named. No torch here.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pfs.config.files import atomic_write

LIST = "sha256.json"  # the name of a folder's list
BEGAN = "PFS_STUDY_BEGAN"  # environment variable: when the study began that this process belongs to, in nanoseconds


class BrokenFileError(ValueError):
    """A file is not as it was written; the message names it in one line."""


def sha256(file: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_under(folder: Path) -> list[Path]:
    """All files of a folder and of the folders in it, but for the folder's own lists of checksums."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(LIST))


def write_checksums(checksums: Path, files: Iterable[Path], known: Mapping[str, str] | None = None) -> None:
    """Write down the checksums of files, whole.

    Args:
        checksums: where the list goes; the names in it are relative to its folder.
        files: those that are there already.
        known: name -> sha256 of files that will be written after the list.
    """
    sums = {os.path.relpath(file, checksums.parent): sha256(file) for file in files}
    atomic_write(checksums, json.dumps({**sums, **(known or {})}, indent=1, sort_keys=True) + "\n")


def check_files(checksums: Path) -> None:
    """Read every file of a list and compare its checksum.

    Raises:
        BrokenFileError: the list or files of it are missing, or are not as they were written; names each of them.
    """
    problems = []
    for name, expected in _read(checksums).items():
        file = checksums.parent / name
        if not file.is_file():
            problems.append(f"{file} is missing")
        elif sha256(file) != expected:
            problems.append(f"{file} is not as it was written: it was truncated, edited or damaged")
    if problems:
        raise BrokenFileError("; ".join(problems))


def check_files_once(checksums: Path) -> None:
    """The same for large files that every run of a study opens: they are read once in a study.

    That they have been read is kept beside the list, with each file's size, time and inode. It counts only for
    processes of a study that began before the files were read, so each start of a study finds a flipped bit.

    Raises:
        BrokenFileError: see `check_files`.
    """
    began = int(os.environ.get(BEGAN, time.time_ns()))
    stamp = checksums.with_name(f"{checksums.name}.read")
    read = time.time_ns()
    state = [_state(checksums.parent / name) for name in _read(checksums)]
    with suppress(OSError, ValueError, KeyError, TypeError):  # not read yet, or the stamp itself is broken
        earlier = json.loads(stamp.read_text(encoding="utf-8"))
        if earlier["files"] == state and earlier["read"] >= began:
            return
    check_files(checksums)
    with suppress(OSError):  # in a folder that cannot be written to, every process reads them
        atomic_write(stamp, json.dumps({"read": read, "files": state}))


def begin_study() -> None:
    """Note for the processes that this one starts when the study began."""
    os.environ[BEGAN] = str(time.time_ns())


def _state(file: Path) -> list[int]:
    """Size in bytes, time of the last change in nanoseconds, and inode; nothing of a file that is missing."""
    try:
        status = file.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _read(checksums: Path) -> dict[str, str]:
    try:
        content = json.loads(checksums.read_text(encoding="utf-8"))
        if not content:
            raise ValueError("it names no file")
        return {str(name): str(value) for name, value in content.items()}
    except FileNotFoundError:
        raise BrokenFileError(f"{checksums} is missing, which holds the checksums of the files beside it") from None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BrokenFileError(f"{checksums} cannot be read ({error})") from None

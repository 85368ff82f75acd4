"""The code of an earlier commit of this clone, read from git."""

import io
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from pfs.config.files import repository
from pfs.study.code.definitions import CodeError, Library
from pfs.study.code.hashes import Code, code_of


def code_at(commit: str, notebook: Path) -> Code:
    """The code that a notebook of this clone reached at a commit, as `code_of` tells that of today.

    Raises:
        CodeError: git does not have the commit here, or the commit not the notebook; one line.
    """
    with TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(_archive(commit))) as files:
        files.extractall(folder, filter="data")
        then = Path(folder) / notebook.relative_to(repository())
        if not then.is_file():
            raise CodeError(
                f"commit {commit[:7]} has no {notebook.name}, so that today's code cannot be compared with it"
            )
        return code_of(then, Library(frozenset(), {}, Path(folder)))


def _archive(commit: str) -> bytes:
    """The folders of code of a commit, as a tar file."""
    command = ["git", "-C", str(repository()), "archive", "--format=tar", commit, "pfs", "notebooks"]
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise CodeError(
            f"git does not have commit {commit[:7]} here, so that today's code cannot be compared with it: a shallow "
            "clone gets it by `git fetch --unshallow`"
        ) from None

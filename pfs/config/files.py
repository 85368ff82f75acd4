"""How this library writes its files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pfs.config.text.mistakes import StudyError


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all, by way of a temporary file beside it. Makes the folder."""
    with write_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside a file, which it becomes at the end of the block; nothing is left of a block that fails.

    It is for what is written in pieces; `atomic_write` takes what fits in memory. Makes the folder.

    Raises:
        OSError: the system refuses to write; it names a file, this one if the system names none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # so the system tells of a full disk
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def repository() -> Path:
    """The clone that this process works in: the nearest folder upwards that holds the Snakefile."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file():
            return folder
    raise StudyError(f"{here} is not inside a clone of this repository (no Snakefile here or above): cd into it first")

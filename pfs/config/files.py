"""How this library writes its files."""

import os
import tempfile
from pathlib import Path

from pfs.config.base import StudyError


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all, by way of a temporary file beside it. Makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
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

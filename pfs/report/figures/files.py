"""How a notebook draws a figure, so that one which fails leaves the others. No torch here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def drawing(folder: Path, name: str) -> Iterator[None]:
    """Around the code that draws and saves one figure: a figure that cannot be drawn never fails its study.

    The error is told in one line. The files of the figure are then deleted, because they show earlier numbers.

    Args:
        folder: where the figure is saved.
        name: of its files, without a suffix.

    Raises:
        OSError: the files cannot be written, as on a full disk, where nothing else could be written either.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        for suffix in ("png", "pdf"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        print(f"The figure {name!r} cannot be drawn and is left out ({type(error).__name__}: {reason}).")

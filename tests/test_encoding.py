"""Text files are UTF-8 whatever the locale: no file of the library leaves the encoding to the system."""

import ast
from pathlib import Path

import pytest

from pfs.reading import repository

PACKAGE = repository() / "pfs"
# Files that still leave it to the system; a file is taken out of here when it is mended.
PENDING = {
    "benchmark.py",
    "dry_run.py",
    "overhead.py",
    "scenes.py",
    "workflow.py",
    "datasets/digit_scenes.py",
    "datasets/miniatures.py",
    "datasets/pascal_context.py",
    "datasets/segmentation.py",
}


def without_encoding(file: Path) -> list[int]:
    """The lines in which a text is read or written in whatever encoding the system has."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("read_text", "write_text")
        and "encoding" not in {keyword.arg for keyword in call.keywords}
    ]


@pytest.mark.parametrize("name", sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py")))
def test_text_files_are_utf_8(name: str) -> None:
    assert bool(without_encoding(PACKAGE / name)) == (name in PENDING)

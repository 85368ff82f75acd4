"""Text is UTF-8 whatever the locale says, on the way in and on the way out."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pfs.datasets import miniatures
from pfs.reading import repository


@pytest.mark.parametrize("file", sorted((repository() / "pfs").rglob("*.py")), ids=lambda file: file.stem)
def test_no_file_is_read_or_written_in_the_locale_s_encoding(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if isinstance(node, ast.Call) and called in ("read_text", "write_text"):
            assert "encoding" in {keyword.arg for keyword in node.keywords}, f"{file}:{node.lineno}"


def test_names_of_any_letters_are_read_and_told_in_the_plain_locale(tmp_path: Path) -> None:
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    source = miniatures.own_folder(tmp_path / "own")
    (source / "classes.txt").write_text("Straße\n道路\nKäse\n", encoding="utf-8")
    command = [sys.executable, "-m", "pfs", "data", "folder", "--from", str(source), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, env=plain, cwd=repository(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Stra\\xdfe" in done.stdout
    contents = (tmp_path / "data" / "folder-own" / "contents.json").read_text(encoding="utf-8")
    assert "Straße" in contents

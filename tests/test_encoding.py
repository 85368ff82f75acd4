"""Text is UTF-8 whatever the locale says, on the way in and on the way out."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pfs.config.files import repository
from pfs.study.trial import miniatures

PACKAGE = repository() / "pfs"


@pytest.mark.parametrize("name", sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py")))
def test_no_file_of_the_library_leaves_the_encoding_to_the_system(name: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))):
        called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if isinstance(node, ast.Call) and called in ("read_text", "write_text"):
            assert "encoding" in {keyword.arg for keyword in node.keywords}, f"{name}:{node.lineno}"


def test_names_of_any_letters_are_read_and_told_in_the_plain_locale(tmp_path: Path) -> None:
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    source = miniatures.own_folder(tmp_path / "own")
    (source / "classes.txt").write_text("Straße\n道路\nKäse\n", encoding="utf-8")
    command = [sys.executable, "-m", "pfs", "data", "folder", "--from", str(source), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, env=plain, cwd=repository(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Stra\\xdfe" in done.stdout
    assert "Straße" in (tmp_path / "data" / "folder-own" / "contents.json").read_text(encoding="utf-8")

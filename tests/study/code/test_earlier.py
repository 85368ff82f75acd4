"""The code of an earlier commit, in a toy clone of two commits."""

import subprocess
from pathlib import Path

import nbformat
import pytest

from pfs.study.code.definitions import CodeError
from pfs.study.code.earlier import code_at
from pfs.study.code.hashes import code_of


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook that calls a function of `pfs`, committed."""
    (tmp_path / "Snakefile").touch()
    (tmp_path / "pfs").mkdir()
    (tmp_path / "pfs" / "a.py").write_text("def go():\n    return 1\n")
    (tmp_path / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell("import pfs.a\npfs.a.go()")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "toy.ipynb")
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    commit_all()
    return tmp_path


def git(*arguments: str) -> str:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *author, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit_all() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", "a commit")
    return git("rev-parse", "HEAD")


def test_it_is_that_of_then_whatever_has_changed_since(clone: Path) -> None:
    notebook = clone / "notebooks" / "toy.ipynb"
    first, then = git("rev-parse", "HEAD"), code_of(notebook)
    (clone / "pfs" / "a.py").write_text("def go():\n    return 2\n")
    second, now = commit_all(), code_of(notebook)
    assert then != now
    assert code_at(first, notebook) == then
    assert code_at(second, notebook) == now


def test_a_commit_that_is_not_here_is_told(clone: Path) -> None:
    with pytest.raises(CodeError, match=r"git does not have commit 0123456 here.*--unshallow"):
        code_at("0123456789", clone / "notebooks" / "toy.ipynb")


def test_a_notebook_that_was_not_there_yet_is_told(clone: Path) -> None:
    (clone / "notebooks" / "new.ipynb").touch()
    with pytest.raises(CodeError, match=r"has no new\.ipynb"):
        code_at(git("rev-parse", "HEAD"), clone / "notebooks" / "new.ipynb")

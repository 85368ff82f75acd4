"""Which definitions of `pfs` a notebook's code reaches, in a toy `pfs` of a few files."""

from pathlib import Path

import nbformat
import pytest

from pfs.study.code.definitions import Library
from pfs.study.code.hashes import Code, code_of


def training_of(folder: Path, left_out: frozenset[str] = frozenset(), cell: str = "import pfs.a\npfs.a.go()") -> Code:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbformat.write(notebook, folder / "toy.ipynb")
    return code_of(folder / "toy.ipynb", Library(left_out, {}))


def differing(then: Code, now: Code) -> set[str]:
    return {name for name in {*then.training, *now.training} if then.training.get(name) != now.training.get(name)}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Snakefile").touch()
    (tmp_path / "pfs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pfs"


@pytest.mark.parametrize(
    ("imported", "used"),
    [
        ("from pfs.b import square", "square(2)"),
        ("from pfs.b import square as other", "other(2)"),
        ("from pfs import b", "b.square(2)"),
        ("import pfs.b as c", "c.square(2)"),
        ("import pfs.b", "pfs.b.square(2)"),
        ("from pfs import b", "getattr(b, 'square')(2)"),
        ("from pfs.package import square", "square(2)"),
    ],
)
def test_a_function_is_reached_however_it_is_imported(toy: Path, imported: str, used: str) -> None:
    (toy / "package").mkdir()
    (toy / "package/__init__.py").write_text("from pfs.b import square")
    (toy / "a.py").write_text(f"{imported}\n\n\ndef go():\n    return {used}\n")
    (toy / "b.py").write_text("def square(x):\n    return x * x\n")
    before = training_of(toy.parent)
    (toy / "b.py").write_text("def square(x):\n    return x ** 2\n")
    assert differing(before, training_of(toy.parent)) == {"pfs/b.py"}


@pytest.mark.parametrize(
    ("now", "seen"),
    [
        ("from torch import exp\n\n\ndef go():\n    return exp(2)\n", True),
        ("from math import exp\n\nRATE = 1\n\n\ndef go():\n    return exp(2)\n", False),
        ("from math import exp\n\nprint(1)\n\n\ndef go():\n    return exp(2)\n", True),
    ],
    ids=["another library's function", "a name that nothing mentions", "a statement that defines no name"],
)
def test_of_a_file_what_is_used_counts(toy: Path, now: str, seen: bool) -> None:
    (toy / "a.py").write_text("from math import exp\n\n\ndef go():\n    return exp(2)\n")
    before = training_of(toy.parent)
    (toy / "a.py").write_text(now)
    assert (training_of(toy.parent) != before) is seen


CHOICES = {
    "dict": "LOSSES = {CWD: cwd, PFS: lambda: 1}\n\n\ndef go():\n    return LOSSES\n",
    "case": "def go(x):\n    match x:\n        case CWD():\n            cwd()\n        case PFS():\n            1\n",
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize(("left_out", "seen"), [("CWD", False), ("PFS", True)])
def test_the_loss_of_a_term_counts_where_the_run_names_the_term(
    toy: Path, choice: str, left_out: str, seen: bool
) -> None:
    """In a registry of losses by the terms' classes, and in a match of them."""
    code = "from pfs.config.methods import CWD, PFS\n\n\ndef cwd():\n    return {}\n\n\n" + CHOICES[choice]
    (toy / "a.py").write_text(code.replace("{}", "1", 1))
    before = training_of(toy.parent, frozenset({left_out}))
    (toy / "a.py").write_text(code.replace("{}", "2", 1))
    assert (training_of(toy.parent, frozenset({left_out})) != before) is seen

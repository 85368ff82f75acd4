"""What a run's two hashes see of a change of the code, and what they leave out."""

import ast
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.study.code.definitions import CodeError
from pfs.study.code.hashes import SCORING, Code, run_code

STUDIES = ("digits", "camvid_cpu")
METHODS = ("teacher", "ce", "cwd", "pfs_wsp")
EVERY = {(study, method) for study in STUDIES for method in METHODS}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this repository's code, in which the test works."""
    for folder in ("pfs", "notebooks", "studies"):
        skipped = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(repository() / folder, tmp_path / folder, ignore=skipped)
    (tmp_path / "Snakefile").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codes() -> dict[tuple[str, str], Code]:
    studies = {name: load_study(f"studies/{name}.yaml") for name in STUDIES}
    return {(name, method): run_code(study, method) for name, study in studies.items() for method in METHODS}


def stale_after(change: Callable[[], None]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The runs whose training, and those of which only the scoring, is another after a change."""
    before = codes()
    change()
    after = codes()
    training = {run for run in before if before[run].training != after[run].training}
    return training, {run for run in before if before[run].scoring != after[run].scoring} - training


def every_function_computes_more(file: Path, only: str = "") -> None:
    """Add a statement to every function of a file, or to one of them."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith(only):
            node.body.append(ast.parse("more = 1 + 1").body[0])
    file.write_text(ast.unparse(tree))


def of(study: str) -> set[tuple[str, str]]:
    return {run for run in EVERY if run[0] == study}


@pytest.mark.parametrize(
    ("file", "only", "trained", "scored"),
    [
        ("training/loop.py", "", EVERY, set()),
        ("training/evaluation.py", "", set(), EVERY),
        ("models/inference.py", "", set(), EVERY),
        ("losses/baselines.py", "cwd", {("digits", "cwd"), ("camvid_cpu", "cwd")}, set()),
        ("losses/wsp.py", "", {("digits", "pfs_wsp"), ("camvid_cpu", "pfs_wsp")}, set()),
        ("data/sets/camvid.py", "", of("camvid_cpu"), set()),
        ("data/sets/digit_drawing.py", "", of("digits"), set()),
        ("data/augmentation.py", "", of("camvid_cpu"), set()),
        ("data/install/download.py", "", set(), set()),
        ("report/figures/methods.py", "", set(), set()),
        ("study/staleness.py", "", set(), set()),
    ],
)
def test_a_change_makes_only_the_runs_stale_that_use_it(
    tree: Path, file: str, only: str, trained: set[tuple[str, str]], scored: set[tuple[str, str]]
) -> None:
    assert stale_after(lambda: every_function_computes_more(tree / "pfs" / file, only)) == (trained, scored)


def test_reworded_errors_make_nothing_stale(tree: Path) -> None:
    def reword() -> None:
        for file in (tree / "pfs").rglob("*.py"):
            code = ast.parse(file.read_text())
            for error in (node.exc for node in ast.walk(code) if isinstance(node, ast.Raise)):
                if isinstance(error, ast.Call):
                    error.args = [ast.Constant("other words")]
            file.write_text(ast.unparse(code))

    assert stale_after(reword) == (set(), set())


def test_a_new_data_set_makes_nothing_stale(tree: Path) -> None:
    def add() -> None:
        (tree / "pfs/data/sets/new.py").write_text("class New:\n    name = 'new'\n")
        build = tree / "pfs/data/build.py"
        case = "        case config.Ade20kConfig():\n"
        new = "        case config.OwnFolderConfig():\n            return New(root)\n"
        assert case in build.read_text()
        build.write_text("from pfs.data.sets.new import New\n" + build.read_text().replace(case, new + case))

    assert stale_after(add) == (set(), set())


def test_a_cell_that_was_added_to_a_notebook_is_told_by_the_notebook(tree: Path) -> None:
    before = codes()
    file = tree / "notebooks/study/distil_student.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook["cells"].append(nbformat.v4.new_code_cell("print(network)"))
    nbformat.write(notebook, file)
    after = codes()
    changed = {name for run in before for name in _differing(before[run].training, after[run].training)}
    assert changed == {"distil_student.ipynb"}


def test_the_order_of_a_notebook_s_statements_counts(tree: Path) -> None:
    """A network that is built before the seed is set begins with other weights."""

    def swap() -> None:
        file = tree / "notebooks/study/distil_student.ipynb"
        text = file.read_text()
        seed, network = r"set_seed(run.seed)\n", r"network = build_network("
        assert text.index(seed) < text.index(network)
        notebook = nbformat.read(file, as_version=4)
        cell = next(cell for cell in notebook["cells"] if cell["source"].startswith("set_seed"))
        cell["source"] = "\n".join(reversed(cell["source"].splitlines()))
        nbformat.write(notebook, file)

    trained, _ = stale_after(swap)
    assert ("digits", "ce") in trained and ("digits", "teacher") not in trained


@pytest.mark.parametrize("name", ["train_teacher", "distil_student"])
def test_no_cell_of_scoring_stands_before_the_training(name: str) -> None:
    """There it could draw random numbers, or move a network's statistics, and so change the weights."""
    cells = nbformat.read(repository() / f"notebooks/study/{name}.ipynb", as_version=4)["cells"]
    training = next(number for number, cell in enumerate(cells) if "= train(" in cell["source"])
    tagged = [number for number, cell in enumerate(cells) if "scoring" in cell["metadata"].get("tags", [])]
    assert min(tagged) > training


def test_a_line_that_begins_with_a_remainder_is_no_magic(tree: Path) -> None:
    file = tree / "notebooks/study/distil_student.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook["cells"].append(nbformat.v4.new_code_cell("x = (\n    7\n    % 4\n)"))
    nbformat.write(notebook, file)
    assert codes()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("notebooks/study/distil_student.ipynb", "distil_student.ipynb: is no notebook"),
        ("pfs/training/loop.py", "pfs.training.loop: is no Python"),
    ],
)
def test_code_that_cannot_be_read_is_told_in_one_line(tree: Path, file: str, said: str) -> None:
    (tree / file).write_text("{")
    with pytest.raises(CodeError, match=said) as caught:
        codes()
    assert len(str(caught.value).splitlines()) == 1


def _differing(then: dict[str, str], now: dict[str, str]) -> set[str]:
    return {name for name in {*then, *now} if then.get(name) != now.get(name)}


@pytest.mark.parametrize("name", ["train_teacher", "distil_student"])
def test_no_cell_of_training_uses_what_a_cell_of_scoring_defines(name: str) -> None:
    """The hash of training follows names within the cells of training alone."""
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for cell in nbformat.read(repository() / f"notebooks/study/{name}.ipynb", as_version=4)["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and "picture" not in tags:
            scoring = SCORING in tags
            kind = ast.Store if scoring else ast.Load
            names[scoring] |= set(_names(cell["source"], kind))
    assert names[True]
    assert not names[True] & names[False]


def _names(source: str, kind: type[ast.expr_context]) -> Iterator[str]:
    code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
    nodes = [node for statement in ast.parse(code).body for node in ast.walk(statement)]
    yield from (node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, kind))

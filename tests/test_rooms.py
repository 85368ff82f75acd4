"""The rooms of `pfs` stand in one order, each is small enough to be seen at a glance, and each file has its tests."""

import ast
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PFS = ROOT / "pfs"
TESTS = ROOT / "tests"
ROOMS = ["config", "losses", "models", "data", "study", "training", "report", "export", "bench", "walkthrough"]
FILES = sorted(PFS.rglob("*.py"))
FOLDERS = sorted({file.parent for file in FILES} - {PFS})  # which rooms there are is a test of its own
# Files without a test file of their own, and the one that tests them.
TESTED_IN = {
    "commands/arguments.py": "study/test_caller.py",  # which types what no command takes
    "commands/data.py": "data/install/test_place.py",
    "commands/standing.py": "commands/test_status.py",
    "commands/study.py": "study/test_caller.py",
    "commands/walkthrough.py": "walkthrough/arrays/test_write.py",
    "config/text/mistakes.py": "config/test_base.py",  # through which every room but the first has them
    "config/text/plain_yaml.py": "config/test_load.py",  # which reads studies with any fault that YAML allows
    "data/sets/ade20k.py": "data/sets/test_base.py",  # it differs from the others in names and numbers alone
    "losses/pixelwise.py": "losses/test_wsp.py",  # the losses that it computes
    "report/docs/blocks.py": "report/test_docs.py",
    "report/docs/camvid.py": "report/test_docs.py",
    "report/docs/claims/definitions.py": "report/test_claims.py",
    "report/docs/claims/ledger.py": "report/test_claims.py",
    "report/docs/claims/text.py": "report/test_claims.py",
    "report/docs/contrasts.py": "report/test_docs.py",
    "report/docs/costs.py": "report/test_docs.py",
    "report/docs/drawings/ablations.py": "report/test_docs.py",
    "report/docs/drawings/method.py": "report/test_docs.py",
    "report/docs/keys/schema.py": "report/test_docs.py",
    "report/docs/keys/tables.py": "report/test_docs.py",
    "report/docs/scores.py": "report/test_docs.py",
    "report/docs/tries.py": "report/test_docs.py",
    "report/figures/classes.py": "report/test_figures.py",
    "report/figures/files.py": "report/test_figures.py",
    "report/figures/history.py": "report/test_figures.py",
    "report/figures/methods.py": "report/test_figures.py",
    "report/figures/palette.py": "report/test_style.py",
    "report/pictures.py": "report/test_figures.py",
    "report/site/body.py": "report/test_page.py",
    "report/site/in_process.py": "report/test_page.py",
    "report/site/look.py": "report/test_look.py",
    "report/site/pages.py": "report/test_look.py",
    "report/site/verdict.py": "report/test_page.py",
    "report/tables/labels.py": "report/test_statistics.py",
    "walkthrough/lessons/alike/texts.py": "walkthrough/lessons/alike/test_explorer.py",
    "walkthrough/lessons/pictures.py": "walkthrough/lessons/nodes/test_explorer.py",
    "walkthrough/lessons/switches.py": "walkthrough/lessons/whom/test_explorer.py",
    "study/execution/kernels_end.py": "study/execution/test_run.py",
    "study/execution/notebooks.py": "study/execution/test_run.py",
    "study/execution/stopping.py": "training/test_loop.py",  # which stops
    "training/devices/batch_norm.py": "training/devices/test_processes.py",  # which trains with it
    "training/devices/group.py": "training/devices/test_launch.py",
    "training/devices/other_host.py": "training/devices/test_host.py",
    "training/devices/worker.py": "training/devices/test_launch.py",
    "study/trial/network_count.py": "study/test_cost.py",
}


@cache
def imported(file: Path) -> set[str]:
    """The modules of `pfs` that a file imports anywhere in it, by their dotted names."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not [node for node in froms if node.level], f"{file}: a relative import"
    names = plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    return {name for name in names if name.startswith("pfs.")}


@cache
def files_imported(file: Path) -> set[Path]:
    """The files of those modules and packages; of a name that an `__init__.py` hands on, that file."""
    bases = [ROOT.joinpath(*name.split(".")) for name in imported(file)]
    places = [
        (base.with_suffix(".py"), base / "__init__.py", base.parent.with_suffix(".py"), base.parent / "__init__.py")
        for base in bases
    ]
    chosen = (PFS / "commands").glob("*.py") if file == PFS / "__main__.py" else ()  # the command that is typed
    return {next(path for path in found if path.is_file()) for found in places}.union(chosen)


def test_the_rooms_are_these() -> None:
    folders = {path.name for path in PFS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*ROOMS, "commands"}  # the command line is no room: it comes after all of them
    assert {path.name for path in PFS.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_those_before_it(room: str) -> None:
    allowed = {room} if room == "losses" else set(ROOMS[: ROOMS.index(room) + 1])
    for file in (PFS / room).rglob("*.py"):
        others = {name.split(".")[1] for name in imported(file)}
        assert others <= allowed, f"{file.relative_to(ROOT)} imports from {sorted(others - allowed)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PFS)))
def test_no_file_is_longer_than_300_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300


def test_functions_are_short() -> None:
    """At most 60 lines each, 25 of nine in ten, and 10 of every other, docstrings included."""
    lengths = {
        f"{file.relative_to(PFS)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 25
    assert statistics.median(lengths.values()) <= 10


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != PFS], ids=lambda folder: folder.name)
def test_a_folder_holds_fewer_than_ten_entries(folder: Path) -> None:
    """Files and folders, but for the `__init__.py` that Python asks for, and the folder of caches.

    The rooms of `pfs` itself are those of `ROOMS`.
    """
    asked_for = ("__init__.py", "__pycache__")
    entries = [path.name for path in folder.iterdir() if path.name not in asked_for]
    assert len(entries) < 10


@pytest.mark.parametrize("file", [file for file in FILES if file.parent != PFS], ids=lambda file: file.stem)
def test_no_two_files_import_each_other(file: Path) -> None:
    """No circle of any length: from what a file imports, directly or not, no way leads back to it."""
    seen: set[Path] = set()
    pending = set(files_imported(file))
    while pending:
        seen.add(found := pending.pop())
        pending |= files_imported(found) - seen
    assert file not in seen


def test_every_file_has_tests_of_its_own_or_says_where_they_are() -> None:
    """`pfs/<room>/<file>.py` is tested by `tests/<room>/test_<file>.py`: a new file without one is told here."""
    files = {str(file.relative_to(PFS)) for file in FILES if file.parent != PFS and file.name != "__init__.py"}
    own = {file for file in files if (TESTS / file).with_name(f"test_{Path(file).name}").is_file()}
    assert files - own == set(TESTED_IN)


@pytest.mark.parametrize("file", TESTED_IN)
def test_a_file_without_tests_of_its_own_is_used_where_it_is_said_to_be_tested(file: str) -> None:
    """Imported by those tests, or by what they import."""
    direct = files_imported(TESTS / TESTED_IN[file])
    assert PFS / file in direct.union(*map(files_imported, direct))

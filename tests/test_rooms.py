"""The rooms of `pfs` stand in one order, and each is small enough to be seen at a glance."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PFS = ROOT / "pfs"
ROOMS = ["config", "losses", "models", "data", "study", "training", "report", "bench"]
FILES = sorted(PFS.rglob("*.py"))
FOLDERS = sorted({file.parent for file in FILES})


def imported(file: Path) -> set[str]:
    """The modules of `pfs` that a file imports anywhere in it, by their dotted names."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not [node for node in froms if node.level], f"{file}: a relative import"
    names = plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    return {name for name in names if name.startswith("pfs.")}


def test_the_rooms_are_these() -> None:
    folders = {path.name for path in PFS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)
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


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_fewer_than_ten_entries(folder: Path) -> None:
    """Files and folders, but for the `__init__.py` that makes it one of Python's and the folder of caches."""
    entries = [path.name for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__")]
    assert len(entries) < 10


@pytest.mark.parametrize("file", [file for file in FILES if file.parent != PFS], ids=lambda file: file.stem)
def test_no_two_files_import_each_other(file: Path) -> None:
    """No circle of any length: from what a file imports, directly or not, no way leads back to it."""
    seen: set[Path] = set()
    pending = [file]
    while pending:
        for name in imported(pending.pop()):
            base = ROOT.joinpath(*name.split("."))
            places = (base.with_suffix(".py"), base.parent.with_suffix(".py"), base.parent / "__init__.py")
            found = [path for path in places if path.is_file()]
            pending += [path for path in found[:1] if path not in seen]
            seen |= set(found[:1])
    assert file not in seen

"""A hash of the code that decides a notebook's numbers."""

import ast
import hashlib
import json
from pathlib import Path

from pfs.config.files import repository

# Not hashed: these modules affect a run only through its settings, which are compared separately.
BOOKKEEPING = {
    "pfs.config.base",
    "pfs.config.checksums",
    "pfs.config.data",
    "pfs.config.files",
    "pfs.config.load",
    "pfs.config.methods",
    "pfs.config.networks",
    "pfs.config.study",
    "pfs.data.install.state",
    "pfs.study.code_hash",
    "pfs.study.execution.notebooks",
    "pfs.study.execution.run",
    "pfs.study.execution.stopping",
    "pfs.study.places",
    "pfs.study.records",
    "pfs.study.staleness",
}
# Cells of a notebook that change no record: pictures, and the defaults of its parameters.
UNHASHED_TAGS = {"parameters", "picture"}


def code_hash(notebook: Path) -> str:
    """SHA-256 of the code that decides a notebook's numbers.

    That is its code cells, but for those tagged `parameters` or `picture`, and all `pfs` modules that they
    import, directly or not. Prose, comments, docstrings and formatting do not count.
    """
    pending = {notebook: _code_cells(notebook)}
    hashed: dict[str, str] = {}
    while pending:
        file, source = pending.popitem()
        tree = ast.parse(source, filename=str(file))
        hashed[file.name if file == notebook else str(file.relative_to(repository()))] = _normal_form(tree)
        for module in _imported_modules(tree):
            if str(module.relative_to(repository())) not in hashed:
                pending[module] = module.read_text(encoding="utf-8")
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


def _code_cells(notebook: Path) -> str:
    """The source of a notebook's cells that count, without IPython's magics."""
    counted = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code" and not UNHASHED_TAGS & set(cell["metadata"].get("tags", []))
    ]
    lines = "\n".join(counted).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def _normal_form(tree: ast.Module) -> str:
    """Code without comments, docstrings and formatting."""
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]
            node.body = node.body[1:]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _imported_modules(tree: ast.Module) -> set[Path]:
    """The files of the `pfs` modules that code imports, but for the bookkeeping."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from pfs.x import y`: y may be a module too.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in names - BOOKKEEPING if name.split(".")[0] == "pfs"}
    bases = [repository().joinpath(*name.split(".")) for name in ours]
    candidates = [file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py")]
    return {file for file in candidates if file.is_file()}

"""How a study is carried out: what a cell depends on, and how its notebook is executed.

A cell is one run of a study: the teacher, or one method with one seed. The Snakefile says what follows from
what and starts `pfs cell` for each stale cell; what it needs to decide that is here. No torch.
"""

import ast
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from filelock import FileLock
from traitlets.config import Config

from pfs.reading import load_study, repository
from pfs.records import TEACHER, RecordError, cell_folder, cells, read_record, write_whole
from pfs.strict import StudyError
from pfs.study import Study

# These keep the books: what they say to a run is in its settings, so their edits never retrain anything.
BOOKKEEPING = {"pfs.reading", "pfs.records", "pfs.strict", "pfs.study", "pfs.terms", "pfs.workflow"}
# Cells of a notebook that change no record: pictures, and the defaults of its parameters.
UNHASHED_TAGS = {"parameters", "picture"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Parameter = str | int | float | bool


class NotebookError(RuntimeError):
    """A notebook was given wrong parameters, or failed."""


# --- where things are ---------------------------------------------------------------------------------------


def study_path(name: str) -> str:
    """The file of a study that is given by its path or by its bare name: `digits` is studies/digits.yaml."""
    return name if name.endswith((".yaml", ".yml")) else f"studies/{name}.yaml"


def study_folder(study: Study, results: str) -> Path:
    """Where a study's results go; a relative `results` is taken from the repository's root."""
    return repository() / results / study.name


def notebook_path(name: str) -> Path:
    """A notebook of the study by its bare name, such as `tables`."""
    return repository() / "notebooks" / "study" / f"{name}.ipynb"


def cell_notebook(method: str) -> Path:
    """The notebook that makes a cell."""
    return notebook_path("train_teacher" if method == TEACHER else "distil_student")


# --- what a cell depends on ---------------------------------------------------------------------------------


def cell_settings(study: Study, method: str | None = None, seed: int | None = None) -> dict[str, Any]:
    """The part of a study that one cell depends on, as JSON: other methods and seeds are not in it.

    Args:
        study: the study.
        method: the student's method; None (or "teacher") for the teacher.
        seed: the student's seed.

    Returns:
        data, views and evaluation if there are any, and teacher; for a student also student, method and seed, and the
        teacher only if it has one.
    """
    everything = study.model_dump(mode="json", exclude_none=True)
    seen = [key for key in ("data", "views", "evaluation") if key in everything]
    if method in (None, TEACHER):
        return {key: everything[key] for key in (*seen, "teacher")}
    terms = everything["methods"][method]
    keys = ("teacher", "student") if study.methods[method].needs_teacher else ("student",)
    return {**{key: everything[key] for key in (*seen, *keys)}, "method": terms, "seed": seed}


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
                pending[module] = module.read_text()
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


def _code_cells(notebook: Path) -> str:
    """The source of a notebook's cells that count, without IPython's magics."""
    counted = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text())["cells"]
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


def is_done(study: Study, folder: Path, method: str, seed: int, code: str) -> bool:
    """Whether a cell's record is there, with its files, and is of today's settings, code and teacher.

    Args:
        study: the study.
        folder: its results.
        method: the cell's method.
        seed: its seed.
        code: `code_hash` of its notebook.
    """
    settings = cell_settings(study, method, seed)
    own = cell_folder(study, folder, method, seed)
    try:
        record = read_record(own / "record.json")
        learnt_from = record.provenance.teacher_checksum
        if "student" in settings and "teacher" in settings:
            teacher = read_record(cell_folder(study, folder, TEACHER, study.teacher.seed) / "record.json")
            learnt_from = teacher.provenance.teacher_checksum
    except RecordError:
        return False
    origin = record.provenance
    complete = all((own / file).exists() for file in record.files.values())
    return complete and (record.settings, origin.code_hash, origin.teacher_checksum) == (settings, code, learnt_from)


def finished_cells(study: Study, folder: Path) -> set[tuple[str, int]]:
    """The cells of a study, as (method, seed), that need not run."""
    notebooks = {method: cell_notebook(method) for method, _ in cells(study)}
    codes = {notebook: code_hash(notebook) for notebook in set(notebooks.values())}
    return {cell for cell in cells(study) if is_done(study, folder, *cell, code=codes[notebooks[cell[0]]])}


# --- executing a notebook -----------------------------------------------------------------------------------


def run_notebook(notebook: Path, output: Path, parameters: Mapping[str, Parameter]) -> None:
    """Execute a notebook with Papermill, in the repository's root, and keep the executed one, failed or not.

    Args:
        notebook: what to execute.
        output: where the executed notebook goes; identical runs give identical bytes.
        parameters: values for its `parameters` cell. `threads`, if there, bounds the kernel's pools too.

    Raises:
        NotebookError: a parameter is unknown or of the wrong type, or the notebook failed; one line.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    check_parameters(notebook, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    pools = dict.fromkeys(THREAD_VARIABLES, str(parameters.get("threads", 1)))
    try:
        # Kernels that start at once may pick the same network port; sockets in a folder cannot collide.
        with _environment(pools), TemporaryDirectory() as sockets:
            papermill.execute_notebook(
                notebook,
                output,
                dict(parameters),
                kernel_name="python3",
                cwd=repository(),
                progress_bar=False,
                autosave_cell_every=0,
                record_timing=False,
                coalesce_streams=True,
                config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
            )
    except papermill.PapermillExecutionError as error:
        reason = " ".join(f"{error.ename}: {error.evalue}".split())
        raise NotebookError(f"{notebook.name}: {reason} (executed notebook: {output})") from None
    except DeadKernelError:
        reason = "the kernel died; was there memory enough?"
        raise NotebookError(f"{notebook.name}: {reason} (executed notebook: {output})") from None
    finally:
        if output.is_file():
            _strip(output)


def check_parameters(notebook: Path, parameters: Mapping[str, Parameter]) -> None:
    """Hold parameters against the notebook's own `parameters` cell: Papermill itself only warns.

    Raises:
        NotebookError: names the parameter, its value, and what would be right.
    """
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    for name, value in parameters.items():
        if name not in known:
            raise NotebookError(f"{notebook.name}: unknown parameter {name}; valid ones: {', '.join(known)}")
        expected = type(ast.literal_eval(known[name]["default"]))
        if type(value) is not expected and (expected, type(value)) != (float, int):
            raise NotebookError(f"{notebook.name}: {name} must be {expected.__name__}, not {value!r}")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started inside."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _strip(executed: Path) -> None:
    """Take out of an executed notebook what differs between identical runs."""
    notebook = json.loads(executed.read_text())
    kept = ("kernelspec", "language_info")
    notebook["metadata"] = {key: notebook["metadata"][key] for key in kept if key in notebook["metadata"]}
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
    write_whole(executed, json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def run_cell(path: str, method: str, seed: int, *, results: str, data: str, threads: int) -> None:
    """Run one cell of a study, unless another process has just finished it.

    A lock on the cell's folder keeps two processes from writing it at once. Its `progress` and, if it fails,
    `error.txt` are for the study that waits for it.

    Args:
        path: the study's file.
        method: "teacher" or a method of the study.
        seed: a seed of the study; the teacher has its own.
        results: folder of all results.
        data: folder of all data sets.
        threads: of the kernel's pools.

    Raises:
        StudyError: the study has no such cell.
        NotebookError: the notebook failed, or ended without a record.
    """
    study = load_study(path)
    parameters: dict[str, Parameter] = {"study": path, "results": results, "data": data, "threads": threads}
    if method != TEACHER:
        study.method(method)
        parameters |= {"method": method, "seed": seed}
    if (method, seed) not in cells(study):
        seeds = [own for name, own in cells(study) if name == method]
        raise StudyError(f"{path}: {method} has no seed {seed}; valid choices: {', '.join(map(str, seeds))}")
    notebook = cell_notebook(method)
    folder = cell_folder(study, study_folder(study, results), method, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if is_done(study, study_folder(study, results), method, seed, code_hash(notebook)):
            return
        for leftover in ("record.json", "progress", "error.txt", "executed.ipynb"):
            (folder / leftover).unlink(missing_ok=True)
        try:
            run_notebook(notebook, folder / "executed.ipynb", parameters)
            if not (folder / "record.json").is_file():
                raise NotebookError(f"{notebook.name}: ended without writing {folder / 'record.json'}")
        except NotebookError as error:
            write_whole(folder / "error.txt", f"{error}\n")
            raise


def stop_with(parent: int) -> None:
    """End this process soon after its parent has ended, so that a killed study leaves nothing training.

    The kernel watches this process in the same way.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def run_page(path: str, name: str, *, results: str) -> Path:
    """Execute a notebook that reads collected records alone, such as `tables`; return the executed one."""
    executed = study_folder(load_study(path), results) / f"{name}.ipynb"
    run_notebook(notebook_path(name), executed, {"study": path, "results": results})
    return executed


def write_report(path: str, *, results: str) -> Path:
    """Execute the report and write it as one self-contained HTML page, whose path is returned."""
    from nbconvert import HTMLExporter

    executed = run_page(path, "report", results=results)
    # Without these addresses the page asks nothing of the network.
    exporter = HTMLExporter(embed_images=True, mathjax_url="", require_js_url="", mermaid_js_url="", exclude_input=True)
    page, _ = exporter.from_filename(str(executed))
    target = executed.with_suffix(".html")
    write_whole(target, page)
    return target

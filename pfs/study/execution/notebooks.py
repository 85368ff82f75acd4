"""How a notebook is executed, and what is said of one that failed."""

import ast
import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from traitlets.config import Config

from pfs.config.files import atomic_write, repository
from pfs.config.text.mistakes import ToldError
from pfs.study.execution.stopping import RunStoppedError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Parameter = str | int | float | bool


class NotebookError(ToldError, RuntimeError):
    """A notebook was given wrong parameters, or failed."""


class NotebookStoppedError(NotebookError):
    """A notebook stopped because its study was asked to."""


def run_notebook(notebook: Path, output: Path, parameters: Mapping[str, Parameter]) -> None:
    """Execute a notebook with Papermill, in the repository's root, and keep the executed one, failed or not.

    Args:
        notebook: what to execute.
        output: where the executed notebook goes; identical runs give identical bytes.
        parameters: values for its `parameters` cell. `threads`, if there, bounds the kernel's pools too.

    Raises:
        NotebookError: a parameter is unknown or of the wrong type, or the notebook failed; one line.
        NotebookStoppedError: the notebook stopped because its study was asked to.
    """
    papermill = _papermill()

    from pfs.study.execution.kernels_end import tell_end, watched_manager

    check_parameters(notebook, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    variables = dict.fromkeys(THREAD_VARIABLES, str(parameters.get("threads", 1)))
    variables["TQDM_DISABLE"] = "1"  # a bar of the notebook's own would be kept in the executed one, with its times
    ends: list[int] = []
    try:
        # Kernels that start at once may pick the same network port; sockets in a folder cannot collide.
        with _environment(variables), TemporaryDirectory() as sockets:
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
                kernel_manager_class=watched_manager(ends),
                extra_arguments=["--IPKernelApp.log_level=50"],  # a kernel calls the interrupt at its end an error
                config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
            )
    except papermill.PapermillExecutionError as error:
        reason = " ".join(f"{error.ename}: {error.evalue}".split())
        kind = NotebookStoppedError if error.ename == RunStoppedError.__name__ else NotebookError
        raise kind(f"{notebook.name}: {reason} (executed notebook: {output})") from None
    except RuntimeError:  # nbclient's, of a kernel that died while it started or later
        if not ends:
            raise
        raise NotebookError(f"{notebook.name}: {tell_end(ends)} (executed notebook: {output})") from None
    finally:
        if output.is_file():
            _strip(output)


def check_parameters(notebook: Path, parameters: Mapping[str, Parameter]) -> None:
    """Hold parameters against the notebook's own `parameters` cell: Papermill itself only warns.

    Raises:
        NotebookError: names the parameter, its value, and what would be right.
    """
    papermill = _papermill()
    known = papermill.inspect_notebook(str(notebook))
    for name, value in parameters.items():
        if name not in known:
            raise NotebookError(f"{notebook.name}: unknown parameter {name}; valid ones: {', '.join(known)}")
        expected = type(ast.literal_eval(known[name]["default"]))
        if type(value) is not expected and (expected, type(value)) != (float, int):
            raise NotebookError(f"{notebook.name}: {name} must be {expected.__name__}, not {value!r}")


def _papermill() -> ModuleType:
    """Papermill, which takes a second to import.

    It imports jsonschema, and that imports rfc3987_syntax where it is there, which compiles a grammar of web addresses
    as it is imported: that alone would take longer than all the rest, in each run. No notebook has such addresses to
    check, and jsonschema does without.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: it cannot be imported
    return importlib.import_module("papermill")


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
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    kept = ("kernelspec", "language_info")
    notebook["metadata"] = {key: notebook["metadata"][key] for key in kept if key in notebook["metadata"]}
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
    atomic_write(executed, json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

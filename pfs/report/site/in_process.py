"""Executes a notebook in this process, which takes a fraction of the time that the start of a kernel takes.

It serves notebooks that only read files, such as `report`. Whatever trains has a kernel of its own.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import RichOutput, capture_output
from traitlets import Type
from traitlets.config import Config

from pfs.study.execution.notebooks import NotebookError, Parameter


class _DisplayValue(DisplayHook):
    """Displays the value of a cell's last expression as `display` does; IPython's own prints it."""

    def __call__(self, result: object = None) -> None:
        if result is not None:
            display(result)


class _Shell(InteractiveShell):
    displayhook_class = Type(_DisplayValue)

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: figures are drawn without windows, and `%matplotlib inline` asks for none."""


def execute(notebook: Path, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """The cells of a notebook with their outputs, in the notebook format; no file is written.

    Args:
        notebook: what to execute.
        parameters: values for the names that its `parameters` cell sets.

    Raises:
        NotebookError: a cell failed; one line.
    """
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    with _shell() as shell:
        for cell in cells:
            if cell["cell_type"] == "code":
                cell["outputs"] = _outputs(shell, "".join(cell["source"]), notebook)
            if "parameters" in cell["metadata"].get("tags", []):
                shell.push(dict(parameters))
    return cells


@contextmanager
def _shell() -> Iterator[InteractiveShell]:
    """An IPython shell that leaves no history behind and that is gone afterwards."""
    _Shell.clear_instance()
    shell = _Shell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        yield shell
    finally:
        shell.restore_sys_module_state()  # type: ignore[no-untyped-call]
        _Shell.clear_instance()


def _outputs(shell: InteractiveShell, source: str, notebook: Path) -> list[dict[str, Any]]:
    """What one cell prints and displays."""
    with capture_output() as captured:
        result = shell.run_cell(source)
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        raise NotebookError(f"{notebook.name}: {type(error).__name__}: {' '.join(str(error).split())}")
    printed = [{"output_type": "stream", "name": "stdout", "text": captured.stdout}] if captured.stdout else []
    return [*printed, *map(_displayed, captured.outputs)]


def _displayed(output: RichOutput) -> dict[str, Any]:
    return {"output_type": "display_data", "data": output.data or {}, "metadata": output.metadata or {}}

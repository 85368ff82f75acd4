"""What a run of a study costs besides its training: processes that start, imports, a notebook and its kernel."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from pfs.config.files import repository
from pfs.study.execution.notebooks import run_notebook

# What a fresh interpreter is told to do; each is done by some process of a study, as often as `each` says.
IMPORTS = {
    "Python": ("pass", "process"),
    "Snakemake": ("import snakemake.cli", "study"),
    "Papermill": ("import pfs.__main__, papermill", "run"),
    "torch, accelerate": ("import torch, accelerate", "run"),
    "all that trains": ("import pfs.training.run, pfs.training.loop, pfs.training.objective", "run"),
    "what draws": ("import pfs.report.figures, pfs.report.pictures", "run"),
}
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def overhead(folder: Path, *, repeats: int) -> pd.DataFrame:
    """Seconds of wall time, the median over some turns: what, each (process, study, run), seconds.

    Args:
        folder: for an empty notebook.
        repeats: turns, in each of which everything is done once.
    """
    notebook = folder / "empty.ipynb"
    notebook.write_text(json.dumps(EMPTY), encoding="utf-8")
    works: dict[str, Callable[[], object]] = {
        what: partial(subprocess.run, [sys.executable, "-c", code], check=True, cwd=repository())
        for what, (code, _) in IMPORTS.items()
    }
    works["an empty notebook"] = partial(run_notebook, notebook, folder / "executed.ipynb", {})
    turns: dict[str, list[float]] = {what: [] for what in works}
    for _ in range(repeats):
        for what, work in works.items():
            started = time.perf_counter()
            work()
            turns[what].append(time.perf_counter() - started)
    each = {what: often for what, (_, often) in IMPORTS.items()} | {"an empty notebook": "run"}
    return pd.DataFrame([{"what": w, "each": each[w], "seconds": statistics.median(own)} for w, own in turns.items()])

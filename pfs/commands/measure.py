"""The commands that measure what losses and training steps cost on this machine."""

import argparse
from typing import Any

from pfs.commands.arguments import RESULTS, add_command, threads
from pfs.config.files import repository
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path


def add_commands(commands: Any) -> None:
    """Add `benchmark` and `throughput`."""
    for name, command in (("benchmark", _benchmark), ("throughput", _throughput)):
        measured = add_command(commands, name, command, RESULTS)
        measured.add_argument("--threads", type=threads, default=1, help="to compute with (%(default)s)")


def _benchmark(options: argparse.Namespace) -> int:
    """measure time and memory of the PFS kernels on this machine: some minutes, best while it does nothing else"""
    return _measure("benchmark", "kernels.md", options)


def _throughput(options: argparse.Namespace) -> int:
    """measure where a training step's time goes on this machine: some minutes, best while it does nothing else"""
    return _measure("throughput", "steps.md", options)


def _measure(notebook: str, summary: str, options: argparse.Namespace) -> int:
    folder = repository() / options.results / "benchmark"
    parameters = {"results": options.results, "threads": options.threads}
    run_notebook(notebook_path(notebook), folder / f"{notebook}.ipynb", parameters)
    print(f"measured: {options.results}/benchmark/ (start with {summary})")
    return 0

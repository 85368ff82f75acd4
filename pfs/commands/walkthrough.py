"""The command that makes what the walkthroughs show."""

import argparse
from typing import Any

from pfs.commands.arguments import RESULTS, STUDY, add_command
from pfs.config.load import load_study
from pfs.study.places import study_folder


def add_commands(commands: Any) -> None:
    """Add `walkthrough`."""
    add_command(commands, "walkthrough", _walkthrough, STUDY, RESULTS)


def _walkthrough(options: argparse.Namespace) -> int:
    """make the data of notebooks/walkthrough/ from a study's finished runs"""
    from pfs.walkthrough.arrays.write import write_walkthrough  # torch takes seconds to import

    study = load_study(options.study)
    file = write_walkthrough(study, study_folder(study, options.results))
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return 0

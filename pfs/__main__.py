"""The command line: `pfs study digits` brings a study up to date, the other commands do a part of it."""

import argparse
import os
import sys
from importlib.metadata import version

from pfs.commands import cost, data, export, pages, status, study, walkthrough
from pfs.commands.arguments import Command, Parser
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.study.caller import (
    check_clone,
    check_data,
    check_results,
    from_clone,
    prepare_output,
    prepare_temporary_folder,
    study_file,
    told,
)
from pfs.study.execution.notebooks import NotebookError
from pfs.study.records import RecordError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; whatever is wrong is told on standard error."""
    prepare_output()
    options = _parser().parse_all(arguments)
    command: Command = options.command
    try:
        prepare_temporary_folder()
        if "outside" not in options:  # of a clone, where an exported network is used
            check_clone()
            _take_paths_from_the_clone(options)
            os.chdir(repository())
        return command(options)
    except (StudyError, RecordError, NotebookError) as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:  # whoever read the output has read enough: `pfs studies | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(told(error), file=sys.stderr)
    return 1


def _take_paths_from_the_clone(options: argparse.Namespace) -> None:
    """Make the caller's paths right for the clone's root, where every command runs; what was not given lies there."""
    if getattr(options, "study", None) is not None:
        results = getattr(options, "results", None)
        options.typed = [options.study, *(["--results", str(results)] if results else [])]
        options.study = study_file(options.study)
    for name, check in (("results", check_results), ("data", check_data)):
        if name in options and not isinstance(given := getattr(options, name), str):
            place = name if given is None else from_clone(given)
            check(place)
            setattr(options, name, place)


def _parser() -> Parser:
    parser = Parser(prog="pfs", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pfs {version('pfs')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="chosen")
    for group in (study, status, cost, pages, walkthrough, data, export):
        group.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

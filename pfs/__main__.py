"""The command line: `pfs study digits` brings a study up to date, the other commands do a part of it."""

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.metadata import version

from pfs.commands.arguments import Command, Parser
from pfs.config.files import repository
from pfs.config.text.mistakes import ToldError
from pfs.study.caller import (
    check_clone,
    check_data,
    check_results,
    from_clone,
    prepare_output,
    prepare_temporary_folder,
    stopped_by_signals,
    study_file,
    told,
    told_stop,
)

# The commands of each module of `pfs.commands`. Only the module of the chosen command is imported, so that each command
# needs no packages but its own: `pfs predict` runs where torch, pandas and pydantic are not installed.
COMMANDS = {
    "study": ("study", "dry-run", "run"),
    "status": ("status", "check", "studies"),
    "cost": ("benchmark", "throughput", "latency", "paces", "devices", "cost"),
    "pages": ("collect", "figures", "report", "look", "claims", "docs"),
    "walkthrough": ("walkthrough",),
    "data": ("data",),
    "export": ("export", "predict"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; whatever is wrong is told on standard error."""
    prepare_output()
    options = argparse.Namespace()
    try:
        options = _parser(sys.argv[1:] if arguments is None else arguments).parse_all(arguments)
        return _run(options)
    except ToldError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:  # whoever read the output has read enough: `pfs studies | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(told(error, [f"--{name}" for name in ("out", "results", "data") if name in options]), file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "pfs":
            raise
        mend = ".venv/bin/pip install -c requirements.lock -e ."
        print(f"the package {error.name} is not installed, which this command needs: {mend}", file=sys.stderr)
    except KeyboardInterrupt as stop:
        line, status = told_stop(stop)
        print(line, file=sys.stderr)
        return status
    return 1


def _run(options: argparse.Namespace) -> int:
    command: Command = options.command
    prepare_temporary_folder()
    if "outside" not in options:  # of a clone, where an exported network is used
        check_clone()
        _take_paths_from_the_clone(options)
        os.chdir(repository())
    with stopped_by_signals() if "stoppable" in options else nullcontext():
        return command(options)


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


def _parser(arguments: Iterable[str]) -> Parser:
    """The parser of the command that these arguments choose; of all whose packages are installed, if it is none."""
    parser = Parser(prog="pfs", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pfs {version('pfs')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="chosen")
    chosen = next((argument for argument in arguments if not argument.startswith("-")), "")
    module = next((module for module, names in COMMANDS.items() if chosen in names), None)
    if module is not None:
        import_module(f"pfs.commands.{module}").add_commands(commands)
        return parser
    for module in COMMANDS:
        with suppress(ModuleNotFoundError):
            import_module(f"pfs.commands.{module}").add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

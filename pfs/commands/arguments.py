"""Arguments that several commands share, and a parser whose errors name what was perhaps meant."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from pfs.config.text.mistakes import suggest

Command = Callable[[argparse.Namespace], int]  # runs a command with its options, and returns the exit status


class Parser(argparse.ArgumentParser):
    """A parser that tells an unknown command or option with those that there are."""

    def error(self, message: str) -> NoReturn:
        """End the process with the error in one line, below the usage."""
        unknown = re.search(r"invalid choice: '(.*?)' \(", message)
        if unknown is not None:
            valid = [name for action in self._actions for name in action.choices or ()]
            message = f"unknown command {unknown[1]!r}{suggest(unknown[1], valid)}"
        super().error(message)

    def parse_all(self, arguments: list[str] | None) -> argparse.Namespace:
        """The options of a command, which has set its own parser as `parser`; an argument left over is an error."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            parser: Parser = options.parser
            valid = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
            names_option = unknown[0].startswith("-")
            hint = suggest(unknown[0].partition("=")[0], valid) if names_option else ""
            parser.error(f"unknown {'option' if names_option else 'argument'} {unknown[0]!r}{hint}")
        return options


def add_command(commands: Any, name: str, command: Command, *parents: Parser) -> Parser:
    """Add a command with the arguments of some parents, and return its parser."""
    text = command.__doc__
    parser: Parser = commands.add_parser(name, help=text, description=text, parents=parents)
    parser.set_defaults(command=command, parser=parser)
    return parser


def not_empty(text: str) -> str:
    """A text of at least one character: an empty path would silently be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty: name a file or a folder")
    return text


def path(text: str) -> Path:
    """A path as it was typed."""
    return Path(not_empty(text))


def absolute(text: str) -> Path:
    """A path of the caller's: the commands themselves run in the clone's root."""
    return path(text).resolve()


def _shared(*names: str, **how: Any) -> Parser:
    parser = Parser(add_help=False)
    parser.add_argument(*names, **how)
    return parser


STUDY = _shared("study", metavar="STUDY", help="the study's file, or its bare name: digits")
RESULTS = _shared("--results", type=path, help="folder of all results (the clone's results)")
DATA = _shared("--data", type=path, help="folder of all data sets (the clone's data)")


def threads(text: str) -> int:
    """A number of threads, at least one, and no more than a few for each core: thousands would stop the machine."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    most = 4 * max(4, os.cpu_count() or 1)
    if int(text) > most:
        raise argparse.ArgumentTypeError(
            f"{text} threads are more than the {os.cpu_count()} cores here can serve: {most} at most"
        )
    return int(text)


def devices(text: str) -> int:
    """A number of devices, at least one."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of devices")
    return int(text)


def cores(text: str) -> str:
    """A number of cores, or all of them, as Snakemake takes it."""
    if text != "all" and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of cores nor 'all'")
    return text

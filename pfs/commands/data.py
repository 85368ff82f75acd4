"""The command that puts data sets into place."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pfs.commands.arguments import absolute, add_command, not_empty
from pfs.config.base import StudyError, suggest
from pfs.config.data import PLACED_NAMES


def add_commands(commands: Any) -> None:
    """Add `data`."""
    parser = add_command(commands, "data", _data)
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(PLACED_NAMES)}")
    use = "use the data in this folder, where they lie"
    parser.add_argument("--from", dest="source", metavar="FOLDER", type=absolute, help=use)
    parser.add_argument("--mirror", metavar="URL", help="address of a folder that holds the archives")
    everything = "folder of all data sets (the clone's %(default)s)"
    parser.add_argument("--data", type=not_empty, default="data", help=everything)
    _add_conversion(parser.add_argument_group("your own data (folder)", "where masks are not 0, 1, 2, ... and 255"))


def _add_conversion(group: argparse._ArgumentGroup) -> None:
    colors = "the masks are RGB: a file with a line `R G B name` a colour; the name void is not scored"
    group.add_argument("--mask-colors", metavar="FILE", type=absolute, help=colors)
    ignore = "a value in the masks that is not scored; may be given several times"
    group.add_argument("--ignore", metavar="N", type=int, action="append", default=[], help=ignore)
    first = "the value of the first class in the masks; smaller values are not scored"
    group.add_argument("--first-class", metavar="N", type=int, default=0, help=first)
    group.add_argument("--binary", action="store_true", help="the masks hold 0 and 255, or 0 and 1: two classes")
    white = "the value that is white in images of more than 8 bits a pixel: 4095 for 12 bits"
    group.add_argument("--white", metavar="N", type=int, default=0, help=white)
    split = "per cent of train, val and test (or of the first two) where the folder does not say it (70/15/15)"
    group.add_argument("--split", metavar="N/N/N", help=split)


def _data(options: argparse.Namespace) -> int:
    """download a data set, or take the folder that you have, and verify every file of it"""
    if options.name not in PLACED_NAMES:
        raise StudyError(f"unknown data set {options.name!r}{suggest(options.name, PLACED_NAMES)}")
    from pfs.data.build import PLACED
    from pfs.data.dataset import DatasetError
    from pfs.data.install.contents import read_contents, report
    from pfs.data.install.own.conversion import conversion
    from pfs.data.install.place import place  # torch takes seconds to import

    try:
        masks = (options.mask_colors, options.ignore, options.first_class, options.binary)
        how = conversion(*masks, options.split, options.white)
        where = {"source": options.source, "mirror": options.mirror}
        folder = place(PLACED[options.name], Path(options.data), **where, conversion=how)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    contents = read_contents(folder)
    assert contents is not None  # `place` has just written it
    counts = ", ".join(f"{held.images} {split}" for split, held in contents.splits.items())
    print(f"{report(contents)}\n{folder}: {counts} images, all verified")
    return 0

"""The command that makes what the walkthroughs show."""

import argparse
from pathlib import Path
from typing import Any

from pfs.commands.arguments import RESULTS, STUDY, absolute, add_command
from pfs.config.base import StudyError
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.places import study_folder

PAGE = "docs/what-is-alike.html"  # in the clone, where every command runs


def add_commands(commands: Any) -> None:
    """Add `walkthrough`."""
    parser = add_command(commands, "walkthrough", _walkthrough, STUDY, RESULTS)
    page = f"only write this page, from data that are there ({PAGE} of the clone)"
    parser.add_argument("--page", metavar="FILE", nargs="?", const=PAGE, type=absolute, help=page)
    picture = "with --page, take a picture of it in Chromium"
    parser.add_argument("--picture", metavar="FILE", type=absolute, help=picture)


def _walkthrough(options: argparse.Namespace) -> int:
    """make the data of the walkthroughs from a study's finished runs, or from the data the page that needs no kernel"""
    if options.picture and not options.page:
        raise StudyError("--picture shows the page: give --page too")
    study = load_study(options.study)
    folder = study_folder(study, options.results)
    file = _page(folder, Path(options.page)) if options.page else _data(study, folder)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    if options.picture:
        from pfs.walkthrough.page.photograph import photograph

        photograph(file, options.picture)
        print(f"{options.picture}: {options.picture.stat().st_size / 1e6:.1f} MB")
    return 0


def _data(study: Study, folder: Path) -> Path:
    from pfs.walkthrough.arrays.write import write_walkthrough  # torch takes seconds to import

    return write_walkthrough(study, folder)


def _page(folder: Path, file: Path) -> Path:
    from pfs.walkthrough.arrays.read import FILE, load_walkthrough
    from pfs.walkthrough.page.build import write_page

    write_page(load_walkthrough(folder / FILE), file)
    return file

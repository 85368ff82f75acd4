"""The command line: `pfs study digits` brings a study up to date, the other commands do a part of it."""

import argparse
import os
import shlex
import shutil
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from pfs.config.base import StudyError, suggest
from pfs.config.data import PLACED_NAMES
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.page import write_report
from pfs.study.caller import (
    check_clone,
    check_results,
    from_clone,
    prepare_output,
    prepare_temporary_folder,
    study_file,
    told,
)
from pfs.study.execution.execute import bring_up_to_date, failures
from pfs.study.execution.notebooks import NotebookError, run_notebook
from pfs.study.execution.run import draw_pages, execute_run, exit_with_parent, mark_done
from pfs.study.places import notebook_path, runs_of, study_folder
from pfs.study.records import RecordError, collect
from pfs.study.staleness import stale_runs
from pfs.study.trial.preflight import check_networks, set_hub_offline_if_unreachable


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; whatever is wrong is told on standard error."""
    prepare_output()
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        check_clone()
        prepare_temporary_folder()
        _take_paths_from_the_clone(options)
        os.chdir(repository())
        return command(options)
    except (StudyError, RecordError, NotebookError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(told(error), file=sys.stderr)
    return 1


def _take_paths_from_the_clone(options: argparse.Namespace) -> None:
    """Make the caller's paths right for the clone's root, where every command runs; what was not given lies there."""
    if "study" in options:
        results = getattr(options, "results", None)
        options.typed = [options.study, *(["--results", str(results)] if results else [])]
        options.study = study_file(options.study)
    for name in ("results", "data"):
        if name in options and not isinstance(given := getattr(options, name), str):
            setattr(options, name, name if given is None else from_clone(given))
    if "results" in options:
        check_results(options.results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pfs", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        if command not in (_benchmark, _throughput, _look):
            added.add_argument("study", metavar="STUDY", help="the study's file, or its bare name: digits")
        if command is not _dry_run:
            added.add_argument("--results", type=Path, help="folder of all results (the clone's results)")
        if command in (_study, _run):
            added.add_argument("--data", type=Path, help="folder of all data sets (the clone's data)")
        added.set_defaults(command=command)
        return added

    for name, command in (("study", _study), ("dry-run", _dry_run)):
        started = add(name, command)
        started.add_argument("--cores", type=_cores, default="all", help="how many to use (%(default)s)")
        started.add_argument("--threads", type=_threads, help="cores that a student computes with (1; with a GPU, all)")
    run = add("run", _run)
    run.add_argument("method", metavar="METHOD", help="teacher, or a method of the study")
    run.add_argument("seed", metavar="SEED", type=int, help="a seed of the study")
    run.add_argument("--threads", type=_threads, default=1, help="of the kernel (%(default)s)")
    run.add_argument("--parent", type=int, help="stop when this process, which started the run, ends")
    add("collect", _collect)
    add("figures", _figures)
    add("report", _report)
    look = add("look", _look)
    look.add_argument("--no-browser", action="store_true", help="only write the pages and print the index's path")
    commands.add_parser("docs", help=_docs.__doc__, description=_docs.__doc__).set_defaults(command=_docs)
    _add_data(commands.add_parser("data", help=_data.__doc__, description=_data.__doc__))
    for name, command in (("benchmark", _benchmark), ("throughput", _throughput)):
        add(name, command).add_argument("--threads", type=_threads, default=1, help="to compute with (%(default)s)")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(PLACED_NAMES)}")
    use = "use the data in this folder, where they lie"
    parser.add_argument("--from", dest="source", metavar="FOLDER", type=_absolute, help=use)
    parser.add_argument("--mirror", metavar="URL", help="address of a folder that holds the archives")
    parser.add_argument("--data", default="data", help="folder of all data sets (the clone's %(default)s)")
    _add_conversion(parser.add_argument_group("your own data (folder)", "where masks are not 0, 1, 2, ... and 255"))
    parser.set_defaults(command=_data)


def _add_conversion(group: argparse._ArgumentGroup) -> None:
    colors = "the masks are RGB: a file with a line `R G B name` a colour; the name void is not scored"
    group.add_argument("--mask-colors", metavar="FILE", type=_absolute, help=colors)
    ignore = "a value in the masks that is not scored; may be given several times"
    group.add_argument("--ignore", metavar="N", type=int, action="append", default=[], help=ignore)
    first = "the value of the first class in the masks; smaller values are not scored"
    group.add_argument("--first-class", metavar="N", type=int, default=0, help=first)
    group.add_argument("--binary", action="store_true", help="the masks hold 0 and 255, or 0 and 1: two classes")
    white = "the value that is white in images of more than 8 bits a pixel: 4095 for 12 bits"
    group.add_argument("--white", metavar="N", type=int, default=0, help=white)
    split = "per cent of train, val and test (or of the first two) where the folder does not say it (70/15/15)"
    group.add_argument("--split", metavar="N/N/N", help=split)


def _threads(text: str) -> int:
    """A number of threads, at least one."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    return int(text)


def _cores(text: str) -> str:
    """A number of cores, or all of them, as Snakemake takes it."""
    if text != "all" and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of cores nor 'all'")
    return text


def _absolute(path: str) -> Path:
    """A path of the caller's: the commands themselves run in the clone's root."""
    return Path(path).resolve()


# --- the commands: each docstring is the command's help -----------------------------------------------------


def _study(options: argparse.Namespace) -> int:
    """run every stale run of a study, then write its tables, figures and report"""
    study = load_study(options.study)
    set_hub_offline_if_unreachable(study)
    check_networks(study)
    how = {"data": options.data, "cores": options.cores, "threads": options.threads}
    if not bring_up_to_date(study, options.study, results=options.results, **how):
        print(*failures(study, study_folder(study, options.results)), sep="\n", file=sys.stderr)
        print(f"Run the study again to go on, or {_tables_of_what_there_is(options)}", file=sys.stderr)
        return 1
    print(f"{study.name} is up to date: {options.results}/{study.name}/ (start with report.html)")
    return 0


def _tables_of_what_there_is(options: argparse.Namespace) -> str:
    """The two commands that make tables of the runs that are done, with study and results as they were typed."""
    collect, figures = (shlex.join(["pfs", command, *options.typed]) for command in ("collect", "figures"))
    return f"`{collect}` and `{figures}` for the tables of what there is."


def _dry_run(options: argparse.Namespace) -> int:
    """try a study at its true networks, crop and batch: two steps on images of noise, of which nothing is kept"""
    from pfs.study.trial.dry_run import report, write_trial  # torch takes seconds to import

    study = load_study(options.study)
    set_hub_offline_if_unreachable(study)
    check_networks(study)
    folder = Path(mkdtemp(prefix=f"pfs-dry-run-{study.name}-"))
    file, said = write_trial(study, folder)
    print(*(f"{study.name}: {line}" for line in said), sep="\n")
    trial, results = load_study(file), str(folder / "results")
    cores = (os.cpu_count() or 1) if options.cores == "all" else int(options.cores)
    threads = options.threads or cores  # there is one student: it may have them all
    data = str(folder / "data")
    if not bring_up_to_date(trial, str(file), results=results, data=data, cores=str(cores), threads=threads):
        print(*failures(trial, study_folder(trial, results)), sep="\n", file=sys.stderr)
        print(f"{study.name}: the dry run failed; all of it is still in {folder}", file=sys.stderr)
        return 1
    print(*(f"{study.name}: {line}" for line in report(trial, folder / "results")), sep="\n")
    print(f"{study.name}: the dry run went through, to tables, figures and report; deleted, for they mean nothing")
    shutil.rmtree(folder)
    return 0


def _run(options: argparse.Namespace) -> int:
    """carry out one run of a study: its teacher, or one method with one seed"""
    if options.parent is not None:
        exit_with_parent(options.parent)
    execute_run(
        options.study,
        options.method,
        options.seed,
        results=options.results,
        data=options.data,
        threads=options.threads,
    )
    mark_done(options.study, options.method, options.seed, results=options.results)
    return 0


def _collect(options: argparse.Namespace) -> int:
    """gather a study's finished records into runs.csv and examples.npz"""
    study = load_study(options.study)
    folder = study_folder(study, options.results)
    stale = stale_runs(study, folder)
    collect(study, folder, set(runs_of(study)) - set(stale))
    for (method, seed), reason in stale.items():
        print(f"{study.name}: {method}/{seed} is left out: {reason}", file=sys.stderr)
    return 0


def _figures(options: argparse.Namespace) -> int:
    """make tables and figures from runs.csv and examples.npz, without training"""
    draw_pages(options.study, results=options.results)
    return 0


def _report(options: argparse.Namespace) -> int:
    """write report.html, one self-contained page, from the tables and figures"""
    write_report(options.study, results=options.results)
    return 0


def _look(options: argparse.Namespace) -> int:
    """open a page of all studies with results: what each asks, its main figure and its verdict, and its report"""
    from pfs.report.site.look import write_index

    index = write_index(results=options.results)
    print(index)
    if not options.no_browser:
        webbrowser.open(index.as_uri())
    return 0


def _docs(_: argparse.Namespace) -> int:
    """bring the generated tables of README.md and docs/ up to date, and draw the diagram of the method"""
    from pfs.report.docs.blocks import write_docs  # pandas and matplotlib take a second to import

    changed = write_docs(repository())
    print(*(f"{page.relative_to(repository())} has changed" for page in changed), "docs are up to date", sep="\n")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())

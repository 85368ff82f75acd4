"""The commands that run a study, or one run of it."""

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from pfs.commands.arguments import DATA, RESULTS, STUDY, add_command, cores, devices, threads
from pfs.config.base import StudyError
from pfs.config.load import load_study
from pfs.study.execution.cluster.handover import Cluster
from pfs.study.execution.cluster.slurm import host_count
from pfs.study.execution.execute import bring_up_to_date, failures
from pfs.study.execution.run import check_shares, execute_run, exit_with_parent, mark_done
from pfs.study.places import study_folder
from pfs.study.trial.preflight import check_networks, set_hub_offline_if_unreachable


def add_commands(commands: Any) -> None:
    """Add `study`, `dry-run` and `run`."""
    study = add_command(commands, "study", _study, STUDY, RESULTS, DATA)
    study.add_argument("--profile", metavar="PROFILE", help="make the runs on a cluster: slurm, kubernetes or a folder")
    for started in (study, add_command(commands, "dry-run", _dry_run, STUDY)):
        started.add_argument("--cores", type=cores, default="all", help="how many to use (%(default)s)")
        started.add_argument("--threads", type=threads, help="cores that a student computes with (1; with a GPU, all)")
    run = add_command(commands, "run", _run, STUDY, RESULTS, DATA)
    run.add_argument("method", metavar="METHOD", help="teacher, or a method of the study")
    run.add_argument("seed", metavar="SEED", type=int, help="a seed of the study")
    run.add_argument("--threads", type=threads, default=1, help="of the kernel (%(default)s)")
    for trained in (study, run):
        trained.add_argument("--devices", type=devices, default=1, help="that train a run together (%(default)s)")
    study.add_argument("--hosts", type=devices, default=1, help="nodes of Slurm that the devices are on (%(default)s)")
    run.add_argument("--attempt", type=int, default=1, help="a cluster's, at a job that has failed (%(default)s)")
    run.add_argument("--parent", type=int, help="stop when this process, which started the run, ends")


def _study(options: argparse.Namespace) -> int:
    """run every stale run of a study, then write its tables, figures and report"""
    study = load_study(options.study)
    check_shares(study, options.study, ("teacher", "student"), options.devices)
    cluster = _cluster(options, study_folder(study, options.results))
    set_hub_offline_if_unreachable(study)
    check_networks(study)
    threads = _threads_of_devices(options, options.hosts)
    how = {"data": options.data, "cores": options.cores, "threads": threads}
    how |= {"devices": options.devices, "cluster": cluster}
    if not bring_up_to_date(study, options.study, results=options.results, **how):
        print(*failures(study, study_folder(study, options.results)), sep="\n", file=sys.stderr)
        print(f"Run the study again to go on, or {_tables_of_what_there_is(options)}", file=sys.stderr)
        return 1
    first = "runs.csv, with scores on val alone" if study.tuning else "report.html"
    print(f"{study.name} is up to date: {options.results}/{study.name}/ (start with {first})")
    return 0


def _cluster(options: argparse.Namespace, folder: Path) -> Cluster | None:
    """The cluster that makes the runs; None: this machine."""
    if options.devices % options.hosts:
        raise StudyError(f"--hosts {options.hosts}: {options.devices} devices cannot be spread equally over them")
    if options.profile is not None:
        return Cluster.of(options.profile, folder, options.hosts)
    if options.hosts > 1:
        raise StudyError(f"--hosts {options.hosts}: this machine is one: --profile slurm has others")
    return None


def _threads_of_devices(options: argparse.Namespace, hosts: int) -> Any:
    """The threads that a run is given on each of its hosts: on a processor, at least one for each device there."""
    if options.devices == 1 or shutil.which("nvidia-smi"):
        return options.threads
    return max(options.threads or 1, options.devices // hosts)


def _tables_of_what_there_is(options: argparse.Namespace) -> str:
    """The two commands that make tables of the runs that are done, with study and results as they were typed."""
    collect, figures = (shlex.join(["pfs", command, *options.typed]) for command in ("collect", "figures"))
    return f"`{collect}` and `{figures}` for the tables of what there is."


def _dry_run(options: argparse.Namespace) -> int:
    """try a study at its true networks, crop and batch: two steps on pictures of noise, of which nothing is kept"""
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
        threads=_threads_of_devices(options, host_count(options.devices)),
        devices=options.devices,
        attempt=options.attempt,
    )
    mark_done(options.study, options.method, options.seed, results=options.results)
    return 0

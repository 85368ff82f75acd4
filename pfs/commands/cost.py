"""The commands that tell what a study would cost, and that measure what losses and training steps cost here."""

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pfs.bench import forecast
from pfs.commands.arguments import DATA, RESULTS, STUDY, add_command, threads
from pfs.commands.status import columns
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.cost import NetworkCost, cached_bytes, size, study_costs
from pfs.study.execution.cluster.resources import memory_of_job
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path

if TYPE_CHECKING:
    from pfs.study.trial.data_check import StudyImages


def add_commands(commands: Any) -> None:
    """Add `cost`, `benchmark`, `throughput`, `devices`, `latency` and `paces`."""
    alone = (("benchmark", _benchmark), ("throughput", _throughput), ("latency", _latency), ("paces", _paces))
    for name, command, default in (*((*each, 1) for each in alone), ("devices", _devices, 2)):
        measured = add_command(commands, name, command, RESULTS)
        measured.add_argument("--threads", type=threads, default=default, help="to compute with (%(default)s)")
    cost = add_command(commands, "cost", _cost, STUDY, DATA)
    cost.add_argument("--price", type=_positive, metavar="MONEY", help="of an hour of a device, in any currency")
    cost.add_argument(
        "--utilisation",
        type=_share,
        default=forecast.UTILISATION,
        metavar="SHARE",
        help="share of its peak that training reaches on a device that was not measured (%(default)s)",
    )
    cost.add_argument(
        "--step-seconds",
        type=_positive,
        nargs=2,
        metavar=("TEACHER", "STUDENT"),
        help="what a training step of each takes on a device of yours, which then has a row of its own",
    )
    cost.add_argument("--measure", action="store_true", help="time a few steps on this machine, for a row of its own")


def _cost(options: argparse.Namespace) -> int:
    """tell what a study would cost: device hours, money, memory, disk, and whether to keep the teacher's outputs"""
    study = load_study(options.study)
    images, origin = _images(study, Path(options.data))
    teacher, student = _network_costs(study, images)
    cached = cached_bytes(study, images.counts, teacher) > 0
    costs = study_costs(study, images.counts, teacher, student, cached=cached)
    rates = forecast.device_rates(study.name, options.utilisation, repository() / "results")
    if options.step_seconds:
        rates["yours"] = forecast.rates_of_steps(costs, study, tuple(options.step_seconds))
    if options.measure:
        rates["this machine"] = _measured(options.study, images)
    print(*_totals(study, costs, images, origin), sep="\n")
    print()
    table = _table(costs, rates, teacher, options.price)
    print(*columns(table, [20] * len(table[0])), sep="\n")
    print()
    print(*_remarks(study, cached, forecast.keeping(study, images.counts, teacher), options.utilisation), sep="\n")
    return 0


def _positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _share(text: str) -> float:
    """A number above 0 and at most 1."""
    share = _positive(text)
    if share > 1:
        raise argparse.ArgumentTypeError(f"{text} is more than all of it: write a share, such as 0.15")
    return share


def _images(study: Study, data: Path) -> "tuple[StudyImages, str]":
    """What the networks are shown, and where that is known from: the data in place, or their publication."""
    from pfs.study.trial.data_check import check_data, published_images  # torch takes seconds to import

    try:
        return check_data(study, data), "in place"
    except StudyError as error:
        try:
            return published_images(study), "as published, for they are not in place"
        except StudyError:
            raise error from None


def _network_costs(study: Study, images: "StudyImages") -> tuple[NetworkCost, NetworkCost]:
    from pfs.study.trial.network_count import network_cost

    teacher, student = (
        network_cost(training.network, images, study.evaluation) for training in (study.teacher, study.student)
    )
    return teacher, student


def _measured(path: str, images: "StudyImages") -> forecast.Rates:
    """What this machine computes: all its cores train the teacher and then a student each, or a GPU one at a time."""
    from pfs.study.execution.progress.plan import measure_steps

    cores = os.cpu_count() or 1
    at_once = 1 if shutil.which("nvidia-smi") else cores  # as the Snakefile has it
    measured = measure_steps(path, images, teacher_threads=cores, student_threads=cores // at_once)
    if not measured.teacher.seconds or not measured.student.seconds:
        raise StudyError(f"{path}: a few steps could not be timed here; `pfs dry-run {path}` tells why")
    teacher, student = (pace.flop / pace.seconds for pace in (measured.teacher, measured.student))
    return forecast.Rates(teacher, student * at_once)


def _totals(study: Study, costs: forecast.Costs, images: "StudyImages", origin: str) -> list[str]:
    """Runs, images, arithmetic, memory and disk: a line each."""
    teacher, students = (sum(cost.flop for cost in runs) / 1e12 for runs in forecast.by_role(costs))
    height, width = images.trained_at
    counts = ", ".join(f"{count:,} {split}" for split, count in images.counts.items())
    return [
        f"{study.name}: a teacher and {len(costs) - 1} students",
        f"images: {counts}, {origin}; trained at {height} x {width}",
        f"arithmetic: {teacher:,.0f} TFLOP for the teacher, {students:,.0f} for all students",
        f"memory: up to {size(forecast.device_memory(costs))} of a device in fp32, about half in bf16",
        f"memory of one job on a cluster: {_job_memory(costs)}, until records tell what such runs take",
        f"disk: {size(sum(cost.disk for cost in costs.values()))}",
    ]


def _job_memory(costs: forecast.Costs) -> str:
    """What the job of the teacher asks for, and the largest of the students' jobs, on one device each."""
    teacher, student = (max(cost.memory_on(1) for cost in runs) / 2**20 for runs in forecast.by_role(costs))
    return f"{memory_of_job(teacher):,} MiB for the teacher, {memory_of_job(student):,} MiB for a student"


def _table(
    costs: forecast.Costs, rates: dict[str, forecast.Rates], teacher: NetworkCost, price: float | None
) -> list[list[str]]:
    """For each device its hours, the money where an hour has a price, and the disk that keeps up with its teacher."""
    rows = [["device", "teacher, h", "students, h", "all, h", *(["money"] if price else []), "outputs, MB/s"]]
    for name, pair in rates.items():
        taken = forecast.hours(costs, pair)
        money = [f"{taken.total * price:,.2f}"] if price else []
        disk = forecast.output_bandwidth(teacher, pair.student) / 1e6
        rows.append([name, *(f"{value:,.2f}" for value in (*taken, taken.total)), *money, f"{disk:,.0f}"])
    return rows


def _remarks(study: Study, cached: bool, kept: forecast.Keeping, utilisation: float) -> list[str]:
    """What the table assumes, and when keeping the teacher's outputs pays."""
    limit = "" if study.cache_gib is None else f" (cache_gib: {study.cache_gib:g})"
    effect = f"{abs(kept.saved) / 1e12:,.0f} TFLOP {'less' if kept.saved >= 0 else 'more'}"
    kept_or_not = f"{'are' if cached else 'are not'} kept{limit}"
    return [
        f"Devices whose row does not say that they were measured are assumed to compute at {utilisation:.0%} of their "
        "peak in bf16; small networks reach less. The start of each run counts as "
        f"{forecast.START_SECONDS:.0f} seconds, whatever the device.",
        f"The teacher's outputs {kept_or_not}. Kept they take {size(kept.size)}, and the study computes "
        f"{effect} than if every student asks the teacher.",
        f"Keeping pays from {kept.runs} student{'s' * (kept.runs > 1)} with a teacher, as long as the disk gives the "
        "MB/s of the last column: a slower one takes longer to read an output than the device to compute it.",
    ]


def _benchmark(options: argparse.Namespace) -> int:
    """measure time and memory of the PFS kernels on this machine: some minutes, best while it does nothing else"""
    return _measure("benchmark", "kernels.md", options)


def _throughput(options: argparse.Namespace) -> int:
    """measure where a training step's time goes on this machine: some minutes, best while it does nothing else"""
    return _measure("throughput", "steps.md", options)


def _devices(options: argparse.Namespace) -> int:
    """measure what it costs to share a step among processes on this machine: some minutes, best while idle"""
    return _measure("devices", "devices.md", options)


def _latency(options: argparse.Namespace) -> int:
    """measure what a small network buys on this machine, in torch and ONNX Runtime: some minutes, best while idle"""
    return _measure("latency", "latency.md", options)


def _paces(options: argparse.Namespace) -> int:
    """measure how fast this machine, or its GPU, trains the networks of the studies at the scale of the field"""
    return _measure("paces", "paces.md", options)


def _measure(notebook: str, summary: str, options: argparse.Namespace) -> int:
    folder = repository() / options.results / "benchmark"
    parameters = {"results": options.results, "threads": options.threads}
    run_notebook(notebook_path(notebook), folder / f"{notebook}.ipynb", parameters)
    print(f"measured: {options.results}/benchmark/ (start with {summary})")
    return 0

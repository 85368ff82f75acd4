"""How long a study would take on a device, what that would cost, and when keeping the teacher's outputs pays.

All of it follows from counts: floating-point operations, bytes, and how fast a device computes. No torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pfs.config.study import Study
from pfs.study.cost import FLOP_PER_MAC, PROCESS_BYTES, Counts, NetworkCost, RunCost, output_rows
from pfs.study.places import TEACHER
from pfs.study.records import RecordError

Costs = Mapping[tuple[str, int], RunCost]  # of the runs of a study, as (method, seed)

UTILISATION = 0.15  # of a device's peak, in training: an assumption, for devices that have not been measured
START_SECONDS = 5.0  # of a run besides its training: what students of `quick` take, by their records


@dataclass(frozen=True)
class Device:
    """A device by its maker's figures.

    Attributes:
        name: for people.
        peak: dense products of bf16 numbers with sums in fp32, in FLOP/s.
    """

    name: str
    peak: float


DEVICES = (
    Device("H100 SXM", 989.4e12),
    Device("A100 SXM", 312e12),
    Device("RTX 4090", 165.2e12),
)


class Rates(NamedTuple):
    """How fast each of the two networks is trained, in FLOP/s."""

    teacher: float
    student: float


class Hours(NamedTuple):
    """Device hours of a study, where a device trains one run at a time."""

    teacher: float
    students: float

    @property
    def total(self) -> float:
        return self.teacher + self.students


def rates_of(device: Device, utilisation: float) -> Rates:
    """What a device computes at a share of its peak."""
    return Rates(device.peak * utilisation, device.peak * utilisation)


def rates_of_steps(costs: Costs, study: Study, seconds: tuple[float, float]) -> Rates:
    """What a device computes that takes so many seconds for a step of the teacher, and for one of a student alone."""
    teacher = costs[TEACHER, study.teacher.seed].training / study.teacher.steps
    student = min(cost.training for (method, _), cost in costs.items() if method != TEACHER) / study.student.steps
    return Rates(teacher / seconds[0], student / seconds[1])


def measured_rates(study: str, results: Path) -> dict[str, Rates]:
    """What devices computed of a study's two networks, by their names, as `pfs paces` has measured it.

    Args:
        study: by its name.
        results: folder of all results; without such a table in it, nothing is known.

    Raises:
        RecordError: the table is damaged; one line with the file and the mend.
    """
    if not (file := results / "benchmark" / "paces.csv").is_file():
        return {}
    try:
        table = pd.read_csv(file, dtype={"study": str, "device": str, "gflop": float, "milliseconds": float})
        rate = 1e12 * table["gflop"] / table["milliseconds"]
        rates = table.assign(rate=rate).pivot(index=["study", "device"], columns="network", values="rate")
        rates = rates[list(Rates._fields)]
        if not (rates > 0).all(axis=None):
            raise ValueError("a network has no pace")
    except (ValueError, KeyError) as error:
        raise RecordError(f"{file}: is damaged ({error}): restore it, with git for instance") from None
    return {device: Rates(*pair) for (of, device), *pair in rates.itertuples() if of == study}


def device_rates(study: str, utilisation: float, results: Path) -> dict[str, Rates]:
    """What each of `DEVICES` computes of a study's networks: as it was measured, or at a share of its peak.

    Args:
        study: by its name.
        utilisation: the share, of devices that were not measured.
        results: folder of all results.

    Returns:
        By the device's name, which says so where it was measured.
    """
    measured, rates = measured_rates(study, results), {}
    for device in DEVICES:
        found = next((pair for name, pair in measured.items() if _chip(device) in name), None)
        rates[f"{device.name}, measured" if found else device.name] = found or rates_of(device, utilisation)
    return rates


def _chip(device: Device) -> str:
    """The word by which a device is known among longer names, such as "H100" in "NVIDIA H100 80GB HBM3"."""
    return next(word for word in device.name.split() if any(map(str.isdigit, word)))


def by_role(costs: Costs) -> tuple[list[RunCost], list[RunCost]]:
    """The costs of the teacher's run, and those of the students'."""
    teacher = [cost for (method, _), cost in costs.items() if method == TEACHER]
    return teacher, [cost for (method, _), cost in costs.items() if method != TEACHER]


def hours(costs: Costs, rates: Rates) -> Hours:
    """Device hours of all runs: their arithmetic at the rates given, and the start of each."""
    seconds = [
        sum(cost.flop / rate + START_SECONDS for cost in runs) for runs, rate in zip(by_role(costs), rates, strict=True)
    ]
    return Hours(seconds[0] / 3600, seconds[1] / 3600)


def device_memory(costs: Costs) -> int:
    """Bytes that the largest run takes on a device, in fp32; in bf16 it is about half."""
    return max(cost.memory for cost in costs.values()) - PROCESS_BYTES


class Keeping(NamedTuple):
    """The teacher's outputs kept on disk, against a teacher that every student asks.

    Attributes:
        size: bytes of the outputs for all training images, or all their augmented views.
        runs: how many students must learn from the teacher until computing its outputs once takes less arithmetic.
        saved: floating-point operations that keeping saves in the whole study; negative where it costs some.
    """

    size: int
    runs: int
    saved: float


def keeping(study: Study, counts: Counts, teacher: NetworkCost) -> Keeping:
    """When keeping the teacher's outputs pays, by arithmetic.

    Args:
        study: the study.
        counts: how many images its splits have.
        teacher: of the teacher's network.
    """
    rows = output_rows(study, counts)
    shown = study.student.steps * study.student.batch_size  # images that one student is shown
    learners = len(study.seeds) * sum(method.needs_teacher for method in study.methods.values())
    return Keeping(
        size=rows * teacher.output_bytes,
        runs=ceil(rows / shown),
        saved=float(FLOP_PER_MAC * teacher.macs * (learners * shown - rows)),
    )


def output_bandwidth(teacher: NetworkCost, rate: float) -> float:
    """The bytes a second at which reading a kept output takes as long as the teacher's forward pass.

    Args:
        teacher: of the teacher's network.
        rate: of the device, in FLOP/s.
    """
    return teacher.output_bytes * rate / (FLOP_PER_MAC * teacher.macs)

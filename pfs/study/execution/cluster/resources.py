"""What each run of a study asks of a cluster: cores, memory, GPUs and minutes. No torch here."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path

from pfs.config.study import Study
from pfs.study.cost import RunCost
from pfs.study.execution.cluster.profile import Profile
from pfs.study.places import TEACHER, run_folder, runs_of
from pfs.study.records import Record, RecordError, read_record

TEACHER_CORES, STUDENT_CORES = 4, 1  # of a job, where --cores and --threads do not say
SPARE_MEMORY, SPARE_TIME = 1.5, 2.0  # times what was counted or measured
MIB_BESIDE = 1000  # of the two processes of Snakemake that start a run on its node, in MiB
MINUTES_BESIDE = 15  # of a run's start on a file system that many nodes share

Asked = dict[str, int]


def cores_of_jobs(cores: str, threads: int | None) -> dict[str, int]:
    """How many cores the job of a teacher and that of a student are given, from `--cores` and `--threads`."""
    return {
        TEACHER: TEACHER_CORES if cores == "all" else int(cores),
        "student": STUDENT_CORES if threads is None else threads,
    }


def resources_of_jobs(
    study: Study, folder: Path, costs: Mapping[tuple[str, int], RunCost], profile: Profile, devices: int
) -> dict[str, Asked]:
    """What the job of each method asks for, by Snakemake's names: `mem_mb`, `runtime` in minutes, and `gpu`.

    Memory is what the study's records say that such a run took, or what was counted where there is none. Minutes
    follow from how fast the runs on record computed; where there is no record, the profile's own `runtime` holds.

    Args:
        study: the study.
        folder: its results.
        costs: of all runs, as (method, seed).
        profile: of the cluster.
        devices: how many train each run.
    """
    records = {run: record for run in runs_of(study) if (record := _record(study, folder, run)) is not None}
    asked = {}
    for method in (TEACHER, *study.methods):
        own = [costs[run] for run in runs_of(study) if run[0] == method and run in costs]
        asked[method] = {
            **_memory([records[run] for run in records if run[0] == method], own),
            **_minutes(records, costs, own, is_teacher=method == TEACHER),
            **({"gpu": profile.gpus * devices} if profile.gpus else {}),
        }
    return asked


def _record(study: Study, folder: Path, run: tuple[str, int]) -> Record | None:
    try:
        return read_record(run_folder(study, folder, *run) / "record.json")
    except RecordError:
        return None


def _memory(records: Collection[Record], costs: Collection[RunCost]) -> Asked:
    """In MiB: the most that a run of the method took, or what was counted of it, and some to spare."""
    took = [peak for record in records if (peak := record.timing.peak_memory_mib) is not None]
    counted = [cost.memory / 2**20 for cost in costs]
    most = max(took or counted, default=0.0)
    return {"mem_mb": MIB_BESIDE + math.ceil(SPARE_MEMORY * most)} if most else {}


def _minutes(
    records: Mapping[tuple[str, int], Record],
    costs: Mapping[tuple[str, int], RunCost],
    own: Collection[RunCost],
    *,
    is_teacher: bool,
) -> Asked:
    """The minutes that a run takes at the slowest pace on record of a teacher, or of a student."""
    paces = [
        seconds / costs[run].flop
        for run, record in records.items()
        if run in costs and (run[0] == TEACHER) == is_teacher and (seconds := record.timing.total_seconds) is not None
    ]
    if not paces or not own:
        return {}
    seconds = SPARE_TIME * max(paces) * max(cost.flop for cost in own)
    return {"runtime": MINUTES_BESIDE + math.ceil(seconds / 60)}

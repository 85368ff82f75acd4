"""What each run of a study asks of a cluster: cores, memory, GPUs and minutes. No torch here."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path

from pfs.config.study import Study
from pfs.study.cost import PROCESS_BYTES, RunCost
from pfs.study.execution.cluster.profile import Profile
from pfs.study.places import TEACHER, run_folder, runs_of
from pfs.study.records import Record, RecordError, read_record

TEACHER_CORES, STUDENT_CORES = 4, 1  # of a job on a node, for each device there, unless --cores and --threads say
SPARE_MEMORY, SPARE_TIME = 1.5, 2.0  # times what was counted or measured
MIB_BESIDE = 1000  # of the two processes of Snakemake that start a run on its node, in MiB
MINUTES_BESIDE = 15  # of a run's start on a file system that many nodes share

Asked = dict[str, int | str]


def cores_of_jobs(cores: str, threads: int | None, devices: int, hosts: int = 1) -> dict[str, int]:
    """How many cores the job of a teacher and that of a student are given on each node; each device has one at least.

    Args:
        cores: of a teacher's job, or "all" where nothing was said.
        threads: cores of a student's job; None where nothing was said.
        devices: how many train each run.
        hosts: over how many nodes they are spread.
    """
    own = devices // hosts
    return {
        TEACHER: TEACHER_CORES * own if cores == "all" else max(int(cores), own),
        "student": STUDENT_CORES * own if threads is None else max(threads, own),
    }


def resources_of_jobs(
    study: Study,
    folder: Path,
    costs: Mapping[tuple[str, int], RunCost],
    profile: Profile,
    devices: int,
    hosts: int = 1,
) -> dict[str, Asked]:
    """What each method's job asks for, by Snakemake's names: `mem_mb` of a node, `runtime` in minutes, nodes, GPUs.

    Memory is what the study's records say that such a run took, or what was counted where there is none. Minutes
    follow from how fast the runs on record computed; where there is no record, the profile's own `runtime` holds.

    Args:
        study: the study.
        folder: its results.
        costs: of all runs, as (method, seed).
        profile: of the cluster.
        devices: how many train each run.
        hosts: over how many nodes they are spread.
    """
    records = {run: record for run in runs_of(study) if (record := _record(study, folder, run)) is not None}
    asked = {}
    for method in (TEACHER, *study.methods):
        own = [costs[run] for run in runs_of(study) if run[0] == method and run in costs]
        asked[method] = {
            **_memory([records[run] for run in records if run[0] == method], own, devices, hosts),
            **_minutes(_comparable(records, method, devices, hosts), costs, own),
            **_nodes(profile, devices, hosts),
        }
    return asked


def unknown_minutes(study: Study, asked: Mapping[str, Asked], profile: Profile) -> str | None:
    """One line on the jobs whose minutes follow from no record: what they ask for instead, and where to set it."""
    unknown = [method for method in asked if "runtime" not in asked[method]]
    if not unknown:
        return None
    default = profile.defaults.get("runtime")
    instead = "name no time limit" if default is None else f"ask for {default} minutes"
    return (
        f"{study.name}: how long a run of {', '.join(unknown)} takes is on no record yet: such jobs {instead}; set it "
        f"as `runtime` of default-resources in {profile.folder}"
    )


def _record(study: Study, folder: Path, run: tuple[str, int]) -> Record | None:
    try:
        return read_record(run_folder(study, folder, *run) / "record.json")
    except RecordError:
        return None


def _memory(records: Collection[Record], costs: Collection[RunCost], devices: int, hosts: int) -> Asked:
    """In MiB: the most that a run of the method took on a node, or what was counted of it, and some to spare."""
    took = [mib for record in records if (mib := _taken_mib(record, devices, hosts)) is not None]
    counted = [cost.memory_on(devices, hosts) / 2**20 for cost in costs]
    most = max(took or counted, default=0.0)
    return {"mem_mb": memory_of_job(most)} if most else {}


def memory_of_job(mib: float) -> int:
    """What a job asks for whose run takes so many MiB: some to spare, and what starts the run on its node."""
    return MIB_BESIDE + math.ceil(SPARE_MEMORY * mib)


def _taken_mib(record: Record, devices: int, hosts: int) -> float | None:
    """The most that a run on record would take on a node of so many devices on so many hosts, in MiB.

    A record tells the peak of the largest of its processes, one a device. With more devices each would take no more
    than that; with fewer, no more than as many times of it as the batch's part grows.
    """
    peak = record.timing.peak_memory_mib
    if peak is None:
        return None
    processes = max(devices, record.provenance.devices)
    return peak * processes / hosts + (PROCESS_BYTES / 2**20 if devices > 1 else 0)


def _comparable(
    records: Mapping[tuple[str, int], Record], method: str, devices: int, hosts: int
) -> dict[tuple[str, int], Record]:
    """The records from whose pace that of a method follows: of the same role, on as many devices and hosts."""
    return {
        run: record
        for run, record in records.items()
        if (run[0] == TEACHER) == (method == TEACHER)
        and (record.provenance.devices, record.provenance.hosts) == (devices, hosts)
    }


def _minutes(
    records: Mapping[tuple[str, int], Record],
    costs: Mapping[tuple[str, int], RunCost],
    own: Collection[RunCost],
) -> Asked:
    """The minutes that a run takes at the slowest pace of these records."""
    paces = [
        seconds / costs[run].flop
        for run, record in records.items()
        if run in costs and (seconds := record.timing.total_seconds) is not None
    ]
    if not paces or not own:
        return {}
    seconds = SPARE_TIME * max(paces) * max(cost.flop for cost in own)
    return {"runtime": MINUTES_BESIDE + math.ceil(seconds / 60)}


def _nodes(profile: Profile, devices: int, hosts: int) -> Asked:
    """The nodes of a job, and the GPUs on them: equally many on each.

    Slurm's `--gpus`, which stands behind `gpu`, counts those of all nodes together and may deal them out unequally.
    """
    if hosts == 1:
        return {"gpu": profile.gpus * devices, "nodes": 1} if profile.gpus else {}
    if not profile.gpus:
        return {"nodes": hosts, "tasks": hosts}
    model = profile.defaults.get("gpu_model")
    kind = f"gpu:{model}" if model else "gpu"
    return {"nodes": hosts, "gres": f"{kind}:{profile.gpus * devices // hosts}", "gpu": 0, "gpu_model": ""}

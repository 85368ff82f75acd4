"""What a job asks for follows from the study's networks and from what its runs on record took."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string

from pfs.config.study import Study
from pfs.study.cost import PROCESS_BYTES, RunCost
from pfs.study.execution.cluster.profile import Profile
from pfs.study.execution.cluster.resources import (
    MIB_BESIDE,
    MINUTES_BESIDE,
    SPARE_MEMORY,
    SPARE_TIME,
    cores_of_jobs,
    resources_of_jobs,
    unknown_minutes,
)
from pfs.study.places import TEACHER, run_folder
from pfs.study.records import Timing, write_record
from tests.study.test_records import make_record

SCHEDULE = {"network": {"name": "dilated_resnet", "width": 2}, "steps": 2, "learning_rate": 1.0e-3}
STUDY = Study.model_validate(
    {
        "name": "tiny",
        "data": {"name": "digit_scenes"},
        "teacher": SCHEDULE,
        "student": SCHEDULE,
        "methods": {"ce": {}, "kd": {"kd": {"weight": 1.0}}},
        "reference": "ce",
        "seeds": [0, 1],
    }
)
GIB = 2**30
CPU = Profile(Path("profile"), "slurm")


class Resources(dict[str, Any]):
    """A job's, as Snakemake hands them to a plugin: by `get`, and as attributes."""

    __getattr__ = dict.__getitem__


def cost(flop: float, memory: int) -> RunCost:
    return RunCost(training=flop, evaluation=0.0, outputs=0.0, memory=memory, disk=0)


COSTS = {
    (TEACHER, 0): cost(8e12, 4 * GIB),
    **{("ce", seed): cost(1e12, GIB) for seed in (0, 1)},
    **{("kd", seed): cost(2e12, 2 * GIB) for seed in (0, 1)},
}


def record(folder: Path, method: str, seed: int, timing: Timing, devices: int = 1) -> None:
    place = run_folder(STUDY, folder, method, seed)
    place.mkdir(parents=True)
    made = make_record(method, seed)
    provenance = made.provenance.model_copy(update={"devices": devices})
    write_record(made.model_copy(update={"timing": timing, "provenance": provenance}), place)


def test_before_any_run_memory_is_counted_and_the_profile_says_the_minutes(tmp_path: Path) -> None:
    asked = resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=1)
    assert asked["kd"] == {"mem_mb": MIB_BESIDE + SPARE_MEMORY * 2048}
    assert asked[TEACHER] == {"mem_mb": MIB_BESIDE + SPARE_MEMORY * 4096}


def test_runs_on_record_say_the_memory_of_their_method_and_the_pace_of_all(tmp_path: Path) -> None:
    record(tmp_path, "ce", 0, Timing(total_seconds=600.0, peak_memory_mib=3000.0))
    asked = resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=1)
    minutes = SPARE_TIME * 600 / 60
    assert asked["ce"] == {"mem_mb": MIB_BESIDE + SPARE_MEMORY * 3000, "runtime": MINUTES_BESIDE + minutes}
    assert asked["kd"]["runtime"] == MINUTES_BESIDE + 2 * minutes  # twice the arithmetic
    assert "runtime" not in asked[TEACHER]  # a student's pace says nothing of the teacher's


def test_each_device_of_a_run_gets_the_gpus_that_the_profile_gives_one_all_on_one_node(tmp_path: Path) -> None:
    profile = Profile(Path("profile"), "slurm", {"gpu": 1})
    asked = resources_of_jobs(STUDY, tmp_path, COSTS, profile, devices=4)
    assert {(each["gpu"], each["nodes"]) for each in asked.values()} == {(4, 1)}


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        ({}, {"nodes": 2, "tasks": 2}),
        ({"gpu": 1}, {"nodes": 2, "gres": "gpu:4", "gpu": 0, "gpu_model": ""}),
        ({"gpu": 1, "gpu_model": "a100"}, {"nodes": 2, "gres": "gpu:a100:4", "gpu": 0, "gpu_model": ""}),
    ],
)
def test_devices_on_two_hosts_get_half_of_the_gpus_on_each(
    defaults: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    """By `--gres`, which Slurm counts for each node; `gpu` would count those of all nodes together."""
    asked = resources_of_jobs(STUDY, tmp_path, {}, Profile(Path("profile"), "slurm", defaults), devices=8, hosts=2)
    assert asked == {TEACHER: expected, "ce": expected, "kd": expected}


def test_what_slurm_is_asked_for_on_two_hosts_is_what_its_plugin_understands(tmp_path: Path) -> None:
    profile = Profile(Path("profile"), "slurm", {"gpu": 1, "gpu_model": "a100"})
    asked = resources_of_jobs(STUDY, tmp_path, {}, profile, devices=8, hosts=2)["kd"]
    job = SimpleNamespace(resources=Resources({**profile.defaults, **asked}), threads=16)
    assert set_gres_string(job) == " --gres=gpu:a100:4"
    names = ("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir")
    command = get_submit_command(job, dict.fromkeys(names, ""))
    assert "--nodes=2" in command and "--gpus" not in command and "--ntasks" not in command


def test_memory_and_cores_are_those_of_one_of_two_hosts(tmp_path: Path) -> None:
    """The first one's, on which the notebook waits too."""
    one, two = (resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=4, hosts=hosts)["kd"] for hosts in (1, 2))
    assert int(one["mem_mb"]) - int(two["mem_mb"]) == SPARE_MEMORY * 2 * PROCESS_BYTES / 2**20
    record(tmp_path, "ce", 0, Timing(peak_memory_mib=3000.0), devices=4)
    took = resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=4, hosts=2)["ce"]
    assert took["mem_mb"] == MIB_BESIDE + SPARE_MEMORY * (2 * 3000 + PROCESS_BYTES / 2**20)
    assert cores_of_jobs("all", None, 4, hosts=2) == {TEACHER: 8, "student": 2}
    assert cores_of_jobs("1", 1, 4, hosts=2) == {TEACHER: 2, "student": 2}


def test_each_further_device_takes_the_memory_of_a_process(tmp_path: Path) -> None:
    """Whose part of the batch is smaller in turn; the notebook's own process is one more."""
    one, four = (resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=devices) for devices in (1, 4))
    assert int(four["kd"]["mem_mb"]) - int(one["kd"]["mem_mb"]) == SPARE_MEMORY * 4 * PROCESS_BYTES / 2**20


@pytest.mark.parametrize(("devices", "processes"), [(1, 2), (2, 2), (4, 4)])
def test_a_record_tells_the_peak_of_one_process_of_a_run_on_several_devices(
    tmp_path: Path, devices: int, processes: int
) -> None:
    record(tmp_path, "ce", 0, Timing(peak_memory_mib=3000.0), devices=2)
    asked = resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=devices)
    waiting = PROCESS_BYTES / 2**20 if devices > 1 else 0
    assert asked["ce"]["mem_mb"] == MIB_BESIDE + SPARE_MEMORY * (processes * 3000 + waiting)


def test_minutes_follow_from_runs_on_as_many_devices_and_hosts(tmp_path: Path) -> None:
    record(tmp_path, "ce", 0, Timing(total_seconds=600.0), devices=4)
    assert "runtime" not in resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=1)["ce"]
    assert "runtime" in resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=4)["ce"]
    assert "runtime" not in resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=4, hosts=2)["ce"]
    assert "runtime" not in resources_of_jobs(STUDY, tmp_path, COSTS, CPU, devices=8)["ce"]


def test_jobs_whose_minutes_are_unknown_are_told_with_what_they_ask_for_and_where_to_set_it() -> None:
    profile = Profile(Path("profiles/own"), "slurm", {"runtime": 1440})
    told = unknown_minutes(STUDY, {TEACHER: {"runtime": 20}, "ce": {}, "kd": {"mem_mb": 1}}, profile)
    assert told == (
        "tiny: how long a run of ce, kd takes is on no record yet: such jobs ask for 1440 minutes; set it as `runtime` "
        "of default-resources in profiles/own"
    )
    assert "such jobs name no time limit" in str(unknown_minutes(STUDY, {"ce": {}}, CPU))
    assert unknown_minutes(STUDY, {"ce": {"runtime": 20}}, profile) is None


def test_where_nothing_is_counted_the_profile_says_everything(tmp_path: Path) -> None:
    """Such as where weights are only scored again."""
    assert resources_of_jobs(STUDY, tmp_path, {}, CPU, devices=1) == {TEACHER: {}, "ce": {}, "kd": {}}


@pytest.mark.parametrize(
    ("cores", "threads", "devices", "expected"),
    [
        ("all", None, 1, {TEACHER: 4, "student": 1}),
        ("8", 2, 1, {TEACHER: 8, "student": 2}),
        ("all", None, 4, {TEACHER: 16, "student": 4}),
        ("8", 2, 4, {TEACHER: 8, "student": 4}),  # as was said, but one for each device at least
    ],
)
def test_cores_are_those_of_one_job(cores: str, threads: int | None, devices: int, expected: dict[str, int]) -> None:
    assert cores_of_jobs(cores, threads, devices) == expected

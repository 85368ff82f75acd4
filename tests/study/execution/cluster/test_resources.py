"""What a job asks for follows from the study's networks and from what its runs on record took."""

from pathlib import Path

import pytest

from pfs.config.study import Study
from pfs.study.cost import RunCost
from pfs.study.execution.cluster.profile import Profile
from pfs.study.execution.cluster.resources import (
    MIB_BESIDE,
    MINUTES_BESIDE,
    SPARE_MEMORY,
    SPARE_TIME,
    cores_of_jobs,
    resources_of_jobs,
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


def cost(flop: float, memory: int) -> RunCost:
    return RunCost(training=flop, evaluation=0.0, outputs=0.0, memory=memory, disk=0)


COSTS = {
    (TEACHER, 0): cost(8e12, 4 * GIB),
    **{("ce", seed): cost(1e12, GIB) for seed in (0, 1)},
    **{("kd", seed): cost(2e12, 2 * GIB) for seed in (0, 1)},
}


def record(folder: Path, method: str, seed: int, timing: Timing) -> None:
    place = run_folder(STUDY, folder, method, seed)
    place.mkdir(parents=True)
    write_record(make_record(method, seed).model_copy(update={"timing": timing}), place)


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


def test_each_device_of_a_run_gets_the_gpus_that_the_profile_gives_one(tmp_path: Path) -> None:
    profile = Profile(Path("profile"), "slurm", {"gpu": 1})
    asked = resources_of_jobs(STUDY, tmp_path, COSTS, profile, devices=4)
    assert {each["gpu"] for each in asked.values()} == {4}


def test_where_nothing_is_counted_the_profile_says_everything(tmp_path: Path) -> None:
    """Such as where weights are only scored again."""
    assert resources_of_jobs(STUDY, tmp_path, {}, CPU, devices=1) == {TEACHER: {}, "ce": {}, "kd": {}}


@pytest.mark.parametrize(
    ("cores", "threads", "expected"),
    [("all", None, {TEACHER: 4, "student": 1}), ("8", 2, {TEACHER: 8, "student": 2})],
)
def test_cores_are_those_of_one_job(cores: str, threads: int | None, expected: dict[str, int]) -> None:
    assert cores_of_jobs(cores, threads) == expected

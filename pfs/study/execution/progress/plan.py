"""What a start of a study is going to do and to cost, told before it begins. No torch is imported where nothing is."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pfs.config.study import Study
from pfs.study.cost import RunCost, cached_bytes, describe, size, study_costs
from pfs.study.execution.progress.estimate import Measured, Pace, RunState, seconds_left
from pfs.study.places import TEACHER, run_folder
from pfs.study.records import read_record

if TYPE_CHECKING:
    from pfs.study.trial.data_check import StudyImages

SECONDS_TO_MEASURE = 120.0  # after which a study begins without a measured pace


@dataclass(frozen=True)
class Plan:
    """What a start of a study is going to do.

    Attributes:
        costs: of all runs, as (method, seed); empty where none is to do.
        stale: those that must be trained in this session.
        measured: what was timed before the study.
        at_once: how many students train at the same time.
    """

    costs: Mapping[tuple[str, int], RunCost] = field(default_factory=dict)
    stale: frozenset[tuple[str, int]] = frozenset()
    measured: Measured = field(default_factory=Measured)
    at_once: int = 1


def plan_session(
    study: Study,
    path: str,
    folder: Path,
    stale: Collection[tuple[str, int]],
    images: "StudyImages | None",
    *,
    cores: str,
    threads: int | None,
    devices: int = 1,
    timed: bool = True,
) -> Plan:
    """Count what the stale runs of a study will cost, time a few steps, and tell both.

    Args:
        study: the study.
        path: its file.
        folder: its results.
        stale: the runs that must be trained.
        images: what the networks are shown, from `preflight`; None where nothing must be made.
        cores: how many to use, or "all".
        threads: that a student computes with; None: 1, or all cores where there is a GPU.
        devices: how many train each run.
        timed: whether a few steps are timed on this machine. Where a cluster makes the runs, that would tell nothing,
            and all students count as trained at the same time.
    """
    if images is None or not stale:
        return Plan()
    costs = _costs(study, folder, stale, images)
    todo = {run: costs[run] for run in costs if run in stale}
    if not timed:
        students = max(1, sum(method != TEACHER for method, _ in todo))
        print(f"{study.name}: {describe(todo, students, devices)}", file=sys.stderr)
        return Plan(costs, frozenset(stale), Measured(), students)
    available = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1
    used = available if cores == "all" else int(cores)
    of_a_student = min(used, threads or (used if shutil.which("nvidia-smi") else 1))  # as the Snakefile has it
    at_once = used // of_a_student
    print(f"{study.name}: {describe(todo, at_once, devices)}", file=sys.stderr)
    print(f"{study.name}: {_free(folder)}; timing a few training steps ...", file=sys.stderr)
    trains = {method == TEACHER for method, _ in stale}
    measured = measure_steps(path, images, used if True in trains else 0, of_a_student if False in trains else 0)
    left = seconds_left([RunState(method, cost) for (method, _), cost in todo.items()], measured, at_once)
    if left is not None:
        print(f"{study.name}: about {_duration(left)} in all", file=sys.stderr)
    return Plan(costs, frozenset(stale), measured, at_once)


def _costs(
    study: Study, folder: Path, stale: Collection[tuple[str, int]], images: "StudyImages"
) -> dict[tuple[str, int], RunCost]:
    from pfs.study.trial.network_count import network_cost  # imports torch, which takes seconds

    teacher, student = (
        network_cost(training.network, images, study.evaluation) for training in (study.teacher, study.student)
    )
    teacher_run = (TEACHER, study.teacher.seed)
    if teacher_run in stale:
        needed = cached_bytes(study, images.counts, teacher)
        cached = 0 < needed < shutil.disk_usage(folder).free
    else:
        cached = "outputs" in read_record(run_folder(study, folder, *teacher_run) / "record.json").files
    return study_costs(study, images.counts, teacher, student, cached=cached)


def _free(folder: Path) -> str:
    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(folder).free
    return f"free now: {size(memory)} of memory, {size(disk)} of disk"


def measure_steps(path: str, images: "StudyImages", teacher_threads: int, student_threads: int) -> Measured:
    """Time a few steps of each network of a study, in a process of its own: it sets its own threads.

    Where that process fails there is no pace, and no estimate before the runs themselves have begun: what is wrong
    will be told by the first run.

    Args:
        path: the study's file.
        images: what the networks are shown.
        teacher_threads: that the teacher's network computes with; 0: it is not timed.
        student_threads: the same of the student's.
    """
    roles = {"teacher": teacher_threads, "student": student_threads}
    asked = {"study": path, "threads": roles, "classes": images.classes, "size": images.trained_at}
    command = [sys.executable, "-m", "pfs.bench.pace", json.dumps(asked)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_TO_MEASURE, check=True)
        told = json.loads(ended.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return Measured()
    return Measured(Pace(**told["teacher"]), Pace(**told["student"]), told["start"])


def _duration(seconds: float) -> str:
    """Such as "12 minutes" or "3.4 hours"."""
    if seconds < 90:
        return f"{round(seconds, -1):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

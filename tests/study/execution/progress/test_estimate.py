"""How long the rest of a study takes, from step times that were recorded: nothing is timed here."""

import pytest

from pfs.study.cost import RunCost
from pfs.study.execution.progress.estimate import (
    STARTS_OF_A_RUN,
    STARTS_OF_PAGES,
    Measured,
    Pace,
    RunState,
    seconds_left,
)
from pfs.study.execution.progress.stage import RunProgress

# `digits` as its committed records have it: the teacher's 1600 steps took 1101 s with two threads, a student's 1000
# steps 90 to 132 s with one.
TEACHER = RunCost(training=123.5e12, evaluation=1.29e12, outputs=9.65e12, memory=0, disk=0)
STUDENT = RunCost(training=8.62e12, evaluation=0.145e12, outputs=0.0, memory=0, disk=0)
STUDENT_SECONDS = {"ce": 90, "kd": 93, "skd": 132, "fitnet": 100, "cwd": 84, "pfs": 106, "wsp": 94, "pfs_wsp": 113}
BESIDES = 8.0  # seconds of a run
MEASURED = Measured(Pace(0.39e12, 3.4), Pace(0.26e12, 2.6), start=BESIDES / STARTS_OF_A_RUN)
PAGES = STARTS_OF_PAGES * MEASURED.start


def told(stage: str, done: int, total: int, seconds: float, resumed_at: int = 0) -> RunProgress:
    return RunProgress(stage, done, total, resumed_at, seconds)  # type: ignore[arg-type]


def students(finished: int = 0) -> list[RunState]:
    """Three seeds of each method; so many of them have ended in this session."""
    runs = []
    for number, (method, seconds) in enumerate(list(STUDENT_SECONDS.items()) * 3):
        done = told("training", 1000, 1000, seconds)
        ended = RunState(method, STUDENT, done, seconds + BESIDES, finished=True)
        runs.append(ended if number < finished else RunState(method, STUDENT))
    return runs


def truth(runs: list[RunState], teacher_seconds: float) -> float:
    """What it then took: the teacher, and two students at a time."""
    left = [STUDENT_SECONDS[run.method] + BESIDES for run in runs if not run.finished]
    return teacher_seconds + sum(left) / 2 + PAGES


def test_after_the_first_minute_the_estimate_is_true() -> None:
    teacher = RunState("teacher", TEACHER, told("training", 80, 1600, 55.0))
    expected = truth(students(), 1101 - 55 + 86 + 12 + BESIDES)
    assert seconds_left([teacher, *students()], MEASURED, at_once=2) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("finished", [1, 8, 20])
def test_while_students_train_the_estimate_is_true(finished: int) -> None:
    runs = students(finished)
    teacher = RunState("teacher", TEACHER, told("outputs", 375, 375, 86), 1207.0, finished=True)
    assert seconds_left([teacher, *runs], MEASURED, at_once=2) == pytest.approx(truth(runs, 0), rel=0.25)


def test_after_the_load_has_changed_the_last_runs_tell_the_pace() -> None:
    """The first runs took four times as long, for something else kept the machine busy."""
    slow = [
        RunState("kd", STUDENT, told("training", 1000, 1000, 400), 400 + BESIDES, finished=True, ended=float(number))
        for number in range(10)
    ]
    quick = [
        RunState("kd", STUDENT, told("training", 1000, 1000, 100), 100 + BESIDES, finished=True, ended=100.0 + number)
        for number in range(4)
    ]
    left = seconds_left([*slow, *quick, *[RunState("kd", STUDENT)] * 10], MEASURED, at_once=2)
    assert left == pytest.approx(5 * (100 + BESIDES) + PAGES, rel=0.1)


def test_finished_and_resumed_steps_are_no_speed() -> None:
    """900 of 1000 steps were done before; this session's 50 took 5 s."""
    before = RunState("kd", STUDENT, None, None, finished=True)
    resumed = RunState("pfs", STUDENT, told("training", 950, 1000, 5.0, resumed_at=900))
    left = seconds_left([before, resumed], Measured(start=0.0), at_once=2)
    assert left == pytest.approx((0.05 * STUDENT.training + STUDENT.evaluation) / (0.05 * STUDENT.training / 5.0))


def test_one_run_is_not_shared_between_cores() -> None:
    one, two, three = (seconds_left([RunState("ce", STUDENT)] * n, MEASURED, at_once=2) for n in (1, 2, 3))
    assert one is not None and two is not None and three is not None
    assert one == pytest.approx(two)
    assert three - PAGES == pytest.approx(2 * (one - PAGES))


def test_a_pace_that_was_not_measured_is_that_of_the_other_network() -> None:
    runs = [RunState("teacher", TEACHER), RunState("ce", STUDENT)]
    left = seconds_left(runs, Measured(teacher=Pace(1e12, 10.0), start=0.0), at_once=1)
    assert left == pytest.approx((TEACHER.flop + STUDENT.flop) / 1e11)


def test_without_any_timed_step_there_is_no_estimate() -> None:
    assert seconds_left([RunState("teacher", TEACHER)], Measured(), at_once=2) is None


def test_the_overhead_of_runs_that_have_ended_is_learnt() -> None:
    slow = told("training", 1000, 1000, 90.0)
    ended = [RunState("ce", STUDENT, slow, wall, finished=True) for wall in (150.0, 250.0)]
    first, second = (seconds_left([run, RunState("ce", STUDENT)], MEASURED, at_once=1) for run in ended)
    assert first is not None and second is not None
    assert second - first == pytest.approx(50)  # the mean of what was expected and what was seen


def test_outputs_come_after_training_and_evaluation() -> None:
    half = RunState("teacher", TEACHER, told("outputs", 5, 10, 4.0))
    assert half.done == TEACHER.training + TEACHER.evaluation + TEACHER.outputs / 2
    assert half.pace == Pace(TEACHER.outputs / 2, 4.0)

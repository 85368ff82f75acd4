"""How much arithmetic of a study is done, and how long the rest will take. Nothing is read or measured here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import inf

from pfs.study.cost import RunCost
from pfs.study.execution.progress.stage import RunProgress
from pfs.study.places import TEACHER

# What takes as many times as long as a process takes to import all that trains:
STARTS_OF_A_RUN = 4.0  # a run besides its arithmetic, until runs of this session have ended
STARTS_BEFORE_A_RUN = 0.5  # the part of it until the run notes that it has begun, which `wall_seconds` leaves out
STARTS_OF_PAGES = 6.5  # tables, figures and report, after the last run

RECENT = 4  # runs whose pace counts: what else the machine does may change


@dataclass(frozen=True)
class Pace:
    """How fast something was computed.

    Attributes:
        flop: floating-point operations.
        seconds: that they took.
    """

    flop: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Pace") -> "Pace":
        return Pace(self.flop + other.flop, self.seconds + other.seconds)


@dataclass(frozen=True)
class RunState:
    """A run as the estimate sees it.

    Attributes:
        method: "teacher", or the student's method.
        cost: of the whole run.
        progress: what the run told last in this session of the study; None: nothing yet.
        wall_seconds: from its beginning to its end, for a run that was made in this session; None: it has not ended.
        finished: whether it is done, in this session or before.
        ended: when it was done, as a file's time; None while it is at work or waits.
    """

    method: str
    cost: RunCost
    progress: RunProgress | None = None
    wall_seconds: float | None = None
    finished: bool = False
    ended: float | None = None

    @property
    def done(self) -> float:
        """Floating-point operations done, over all sessions of the run."""
        if self.finished:
            return self.cost.flop
        if self.progress is None:
            return 0.0
        share = self.progress.done / self.progress.total
        if self.progress.stage == "training":
            return share * self.cost.training
        return self.cost.training + self.cost.evaluation + share * self.cost.outputs

    @property
    def pace(self) -> Pace:
        """How fast the stage that it told of last was computed in this session; earlier sessions do not count."""
        if self.progress is None:
            return Pace()
        flop = self.cost.training if self.progress.stage == "training" else self.cost.outputs
        share = (self.progress.done - self.progress.resumed_at) / self.progress.total
        return Pace(flop * share, self.progress.seconds)


@dataclass(frozen=True)
class Measured:
    """What was timed before a study begins.

    Attributes:
        teacher: how fast a few steps of the teacher's training were; nothing where it is not trained.
        student: the same of a student.
        start: seconds that a process takes to import all that trains.
    """

    teacher: Pace = Pace()
    student: Pace = Pace()
    start: float = 3.0


def seconds_left(runs: Sequence[RunState], measured: Measured, at_once: int) -> float | None:
    """How long it takes until the study is up to date.

    The teacher comes first, with all cores; students follow, some at a time. Each of the two has a pace of its own:
    a large network computes more operations a second. It is that of the runs at work and of those that ended last, or
    as long as none has trained, that of a few steps before the study.

    Args:
        runs: all runs of the study.
        measured: what was timed before the study.
        at_once: how many students train at the same time.

    Returns:
        Seconds; None as long as no step has been timed.
    """
    before = {True: measured.teacher, False: measured.student}
    paces = {role: _recent(_of(runs, role), pace) for role, pace in before.items()}
    both = paces[True] + paces[False]
    if not both.seconds or not both.flop:
        return None
    rates = {role: pace.flop / pace.seconds if pace.flop else both.flop / both.seconds for role, pace in paces.items()}
    overhead = _overhead(runs, rates, measured.start)
    left = {
        role: [_run_seconds(run, rates[role], overhead) for run in _of(runs, role) if not run.finished]
        for role in (True, False)
    }
    return sum(left[True]) + _shared(left[False], at_once) + STARTS_OF_PAGES * measured.start


def _of(runs: Iterable[RunState], teacher: bool) -> list[RunState]:
    return [run for run in runs if (run.method == TEACHER) == teacher]


def _recent(runs: Iterable[RunState], before: Pace) -> Pace:
    """The pace of this session's last runs; what was timed before it counts until they have computed for longer."""
    timed = [run for run in runs if run.pace.seconds]
    latest = sorted(timed, key=lambda run: inf if run.ended is None else run.ended)[-RECENT:]
    pace = sum((run.pace for run in latest), Pace())
    return pace if pace.seconds > before.seconds else pace + before


def _run_seconds(run: RunState, rate: float, overhead: float) -> float:
    """What is left of one run: its arithmetic, and of its overhead the same share."""
    left = run.cost.flop - run.done
    return left / rate + overhead * left / run.cost.flop


def _overhead(runs: Sequence[RunState], rates: Mapping[bool, float], start: float) -> float:
    """Seconds of a run besides its arithmetic: the mean of what is expected and what this session's runs have shown."""
    seen = [STARTS_OF_A_RUN * start]
    for run in runs:
        if run.wall_seconds is not None and run.progress is not None and run.progress.stage == "training":
            evaluation = run.cost.evaluation / rates[run.method == TEACHER]
            besides = run.wall_seconds - run.progress.seconds - evaluation
            seen.append(STARTS_BEFORE_A_RUN * start + max(0.0, besides))
    return sum(seen) / len(seen)


def _shared(seconds: Sequence[float], at_once: int) -> float:
    """How long runs of so many seconds take, where the next begins as soon as one of those at work ends."""
    ends = [0.0] * at_once
    heapify(ends)
    for run in seconds:
        heapreplace(ends, ends[0] + run)
    return max(ends)

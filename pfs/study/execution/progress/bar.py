"""The one bar of a study: its arithmetic, the run at work, and how long the rest will take. No torch here."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from tqdm import tqdm

from pfs.config.study import Study
from pfs.study.cost import RunCost, few_digits
from pfs.study.execution.progress.estimate import RunState, seconds_left
from pfs.study.execution.progress.plan import Plan
from pfs.study.execution.progress.stage import BEGAN, PROGRESS, read_progress
from pfs.study.execution.run import DONE
from pfs.study.places import TEACHER, run_folder, runs_of

SECONDS_BETWEEN_LOOKS = 1  # on a terminal, where a bar moves
SECONDS_BETWEEN_LINES = 30  # in a log


@contextmanager
def progress_bar(study: Study, folder: Path, plan: Plan, terminal: TextIO) -> Iterator[None]:
    """Show how far a study has come while its runs are made: a moving bar, or in a log a line every half minute.

    Args:
        study: the study.
        folder: its results.
        plan: what there is to do.
        terminal: where it is shown; it may be a file.
    """
    stop, began, display = Event(), time.monotonic(), _Display(terminal)
    interval = SECONDS_BETWEEN_LINES if display.bar.disable else SECONDS_BETWEEN_LOOKS

    def show(*, ended: bool = False) -> None:
        display.show(look_at(study, folder, plan, time.monotonic() - began, ended=ended))

    def watch() -> None:
        while not stop.wait(interval):
            show()

    show()
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        show(ended=True)
        display.bar.close()


@dataclass(frozen=True)
class Look:
    """A study at one moment.

    Attributes:
        share: of the arithmetic that is done, from 0 to 1.
        text: what stands beside the bar.
    """

    share: float
    text: str


def look_at(study: Study, folder: Path, plan: Plan, elapsed: float, *, ended: bool = False) -> Look:
    """Read from the files of all runs how far a study has come; what matters most stands first, for narrow terminals.

    Args:
        study: the study.
        folder: its results.
        plan: what there is to do.
        elapsed: seconds since the study began.
        ended: whether it has come to its end, or been stopped: then nothing is foretold.
    """
    places = {run: run_folder(study, folder, *run) for run in runs_of(study)}
    finished = {run for run, place in places.items() if (place / DONE).is_file()}
    states = [_state(run, cost, places[run], plan) for run, cost in plan.costs.items()]
    total, done = sum(run.cost.flop for run in states), sum(run.done for run in states)
    at_work = _at_work({run: place for run, place in places.items() if run in plan.stale - finished})
    if len(finished) == len(places) and not ended:
        at_work = ["tables, figures, report"]
    last = _last_score({run: places[run] for run in plan.stale & finished})
    left = [] if ended or not total else _left(states, plan)
    arithmetic = [f"{few_digits(done / 1e12)}/{few_digits(total / 1e12)} TFLOP"] if total else []
    counted = [f"{len(finished)}/{len(places)} runs", *arithmetic, f"{tqdm.format_interval(elapsed)} gone"]
    return Look(
        done / total if total else 1.0, f"{study.name}: {'; '.join([*left, *at_work, *last, ', '.join(counted)])}"
    )


def _state(run: tuple[str, int], cost: RunCost, place: Path, plan: Plan) -> RunState:
    """A run as the estimate sees it; one that was finished before this session tells nothing of its speed."""
    finished = (place / DONE).is_file()
    if run not in plan.stale:
        return RunState(run[0], cost, finished=finished)
    wall = _written(place / DONE) - _written(place / BEGAN) if finished and (place / BEGAN).is_file() else None
    ended = _written(place / DONE) if finished else None
    return RunState(run[0], cost, read_progress(place), wall, finished, ended)


def _left(states: Sequence[RunState], plan: Plan) -> list[str]:
    """How long it will take; nothing as long as no step has been timed."""
    left = seconds_left(states, plan.measured, plan.at_once)
    if left is None:
        return []
    if all(run.finished for run in states):  # the pages are being made, since the last run ended
        left = max(0.0, left - (time.time() - max((run.ended or 0.0 for run in states), default=0.0)))
    return [f"about {tqdm.format_interval(left)} left"]


def _at_work(places: Mapping[tuple[str, int], Path]) -> list[str]:
    """The run that has told of itself last, with its step and loss, if any has."""
    told = {run: place for run, place in places.items() if (place / PROGRESS).is_file()}
    if not told:
        return []
    run = max(told, key=lambda run: _written(told[run] / PROGRESS))
    progress = read_progress(told[run])
    if progress is None:
        return []
    loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
    return [f"{_named(run)}: {progress.stage} {progress.done}/{progress.total}{loss}"]


def _last_score(places: Mapping[tuple[str, int], Path]) -> list[str]:
    """The val mIoU of the run that ended last in this session, if any has."""
    records = {run: place / "record.json" for run, place in places.items() if (place / "record.json").is_file()}
    if not records:
        return []
    run = max(records, key=lambda run: _written(records[run]))
    metrics = json.loads(records[run].read_text(encoding="utf-8"))["metrics"]
    return [f"last: {_named(run)}, {metrics['val']['miou']:.1f} % val mIoU"]


def _named(run: tuple[str, int]) -> str:
    method, seed = run
    return method if method == TEACHER else f"{method} {seed}"


def _written(file: Path) -> float:
    return file.stat().st_mtime


def _has_width(terminal: TextIO) -> bool:
    """Whether a bar can move there; some terminals, as that of `script`, have no columns."""
    try:
        return terminal.isatty() and os.get_terminal_size(terminal.fileno()).columns > 0
    except OSError:  # it does not say
        return True


class _Display:
    """Where a study's progress is shown: one moving line on a terminal, else a line at a time."""

    def __init__(self, terminal: TextIO) -> None:
        self.terminal = terminal
        shape = "{percentage:3.0f}% |{bar:10}| {desc}"
        self.bar = tqdm(
            total=1.0, file=terminal, bar_format=shape, disable=not _has_width(terminal), dynamic_ncols=True
        )

    def show(self, look: Look) -> None:
        if self.bar.disable:
            print(f"{look.share:4.0%} {look.text}", file=self.terminal, flush=True)
        else:
            self.bar.n = look.share
            self.bar.set_description_str(look.text)

"""How a run tells how far it has come: to a reader by a bar, to the study that waits for it by a file. No torch."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tqdm.auto import tqdm

from pfs.config.files import atomic_write

PROGRESS = "progress"  # the file's name, in the run's folder
BEGAN = "began"  # an empty file in the run's folder, written when the run begins
SECONDS = 2.0  # between two reports, at most, unless a step takes longer

Stage = Literal["training", "outputs"]  # the teacher's outputs are computed after its training


@dataclass(frozen=True)
class RunProgress:
    """How far one stage of a run has come.

    Attributes:
        stage: what the run is doing.
        done: steps or batches that are done.
        total: of how many.
        resumed_at: how many of them an earlier session of the run had done.
        seconds: what this session has taken for the others.
        loss: the latest, in training.
    """

    stage: Stage
    done: int
    total: int
    resumed_at: int = 0
    seconds: float = 0.0
    loss: float | None = None


def read_progress(folder: Path) -> RunProgress | None:
    """What the run of that folder told last; None where it has told nothing yet, or not in this form."""
    try:
        return RunProgress(**json.loads((folder / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class FollowedBar:
    """The bar of a stage that another process carries out, which tells the run's `progress` file how far it is.

    Args:
        folder: the run's own.
        stage: what the other process is doing.
        total: steps or batches.
    """

    def __init__(self, folder: Path, stage: Stage, total: int) -> None:
        self.folder, self.stage = folder, stage
        self.bar = tqdm(total=total, desc=stage, mininterval=1, disable="TQDM_DISABLE" in os.environ)

    def follow(self) -> None:
        """Show what has been told last."""
        told = read_progress(self.folder)
        if told is not None and told.stage == self.stage:
            self.bar.update(told.done - self.bar.n)
            if told.done == told.total:
                self.bar.close()


class StageBar:
    """The progress of one stage: a bar with the loss, and the run's `progress` file.

    In a notebook the bar is a widget. In a notebook that a study executes there is none, because the study shows one
    bar for all of its runs: `pfs.study.execution.notebooks` sets TQDM_DISABLE, which tqdm's widget does not read.

    Args:
        folder: the run's own.
        stage: what the run is doing.
        total: steps or batches.
        done: how many of them an earlier session has done.
    """

    def __init__(self, folder: Path, stage: Stage, total: int, done: int = 0) -> None:
        self.folder, self.stage, self.resumed_at = folder, stage, done
        hidden = "TQDM_DISABLE" in os.environ
        self.bar, self.total = tqdm(total=total, initial=done, desc=stage, mininterval=1, disable=hidden), total
        self.began = self.told = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last report is `SECONDS` old."""
        return time.monotonic() - self.told >= SECONDS

    def show(self, done: int, loss: float | None = None) -> None:
        """Report that so many steps are done; the bar is closed with the last one."""
        self.told = time.monotonic()
        told = RunProgress(self.stage, done, self.total, self.resumed_at, self.told - self.began, loss)
        atomic_write(self.folder / PROGRESS, json.dumps(asdict(told)))
        if loss is not None:
            self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
        self.bar.update(done - self.bar.n)
        if done == self.total:
            self.bar.close()

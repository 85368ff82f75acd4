"""Where the time of a training step goes, beside the limits that it has and beside torchdistill's own loop.

All cases of a setting live in one process and take turns, a step each: what else the machine does strikes all alike,
and a ratio is taken within a turn.
"""

import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from accelerate import PartialState
from torch.optim import AdamW, Optimizer

from pfs.bench.cases import IGNORED, Bench, Setting, Step, bench
from pfs.losses import Prediction, pfs_loss
from pfs.losses.pixelwise import PixelLoss, cross_entropy_sums, pixel_means
from pfs.losses.wsp import wsp_sums
from pfs.study.code.hashes import code_of
from pfs.study.places import notebook_path
from pfs.study.records import commit
from pfs.training.machine import autocast, instruction_set, mixed_precision, prepare
from pfs.training.teacher import OnlineTeacher, TeacherOutputs

Turns = Mapping[str, Sequence[float]]  # case or part -> the seconds of each of its turns


# --- the parts of a step ------------------------------------------------------------------------------------


def parts(subject: Bench, optimizer: Optimizer) -> dict[str, float]:
    """Seconds of each part of a step. A loss is measured with its gradient for what the student said.

    Args:
        subject: its student takes the step.
        optimizer: of the student.
    """
    rows, device = torch.arange(subject.batch), next(subject.student.parameters()).device
    laps = _Laps()
    images, _, labels = replace(subject.split, teacher=None).batch(rows, device)
    laps.end("data")
    assert isinstance(subject.split.teacher, TeacherOutputs)
    output = subject.split.teacher.outputs(rows, images)
    laps.end("cached outputs")
    OnlineTeacher(subject.teacher).outputs(rows, images)
    laps.end("teacher")
    with autocast(subject.student):
        student_output = subject.student(images)
    said = tuple(x.float() for x in student_output)  # as Accelerate hands them to the loop
    laps.end("student forward")
    leaves = Prediction(*(x.detach().requires_grad_() for x in said))
    losses: dict[str, list[PixelLoss]] = {"CE": [cross_entropy_sums], "CE + WSP": [wsp_sums, cross_entropy_sums]}
    for name, compared in losses.items():
        teacher_logits = output.logits if wsp_sums in compared else None
        means = pixel_means(compared, leaves.logits, teacher_logits, labels, ignore_index=IGNORED)
        gradient = torch.autograd.grad(torch.stack(means).sum(), leaves.logits)
        laps.end(name)
    loss = pfs_loss(leaves.features, output.features, teacher_terms=output.teacher_terms)
    gradient += torch.autograd.grad(loss, leaves.features)
    laps.end("PFS")
    torch.autograd.backward(said, gradient)
    laps.end("student backward")
    optimizer.step()
    optimizer.zero_grad()
    laps.end("optimiser")
    return laps.seconds


class _Laps:
    """A stopwatch that reads the time since it was last read."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = _now()

    def end(self, name: str) -> None:
        now = _now()
        self.seconds[name], self.last = now - self.last, now


def _now() -> float:
    """Seconds, once all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


# --- the table ----------------------------------------------------------------------------------------------


def run(
    settings: Sequence[Setting], folder: Path, *, repeats: int, pictures: int, compiled: Collection[str], threads: int
) -> pd.DataFrame:
    """Measure every case and part of every setting: a row each, whole steps first.

    Args:
        settings: what to measure.
        folder: for images and the teacher's outputs, some MB; empty before.
        repeats: turns of each case, after one that does not count.
        pictures: on disk; at least a batch.
        compiled: the settings whose student is also measured under `torch.compile`.
        threads: to compute with.

    Returns:
        Milliseconds are the turns' median. `ratio_to_student` is to the student that learns from labels alone,
        `ratio_to_limit` to the work that cannot be saved: that student's step, and for "online" the teacher's forward
        pass besides. Both are medians of the ratios within a turn.
    """
    prepare(threads)
    tables = []
    for setting in settings:
        subject = bench(setting, folder / setting.name, pictures=pictures, compiled=setting.name in compiled)
        turns = measure(subject, repeats=repeats)
        rows = [_row(setting, case, turns) for case in turns]
        tables.append(pd.DataFrame(rows))
    table = pd.concat(tables, ignore_index=True)
    table["commit"], table["dirty"] = commit(code_of(notebook_path("throughput")).files)
    table["threads"], table["instruction_set"], table["precision"] = threads, instruction_set(), mixed_precision()
    return table.assign(device=str(PartialState().device), torch=torch.__version__)


def measure(subject: Bench, *, repeats: int) -> Turns:
    """Let the cases take turns, a step each, and after them one step that is taken apart."""
    turns: dict[str, list[float]] = {name: [] for name in subject.cases}
    optimizer = AdamW(subject.student.parameters(), lr=1e-4, fused=True)
    warm_ups: list[Step] = [partial(parts, subject, optimizer), *subject.cases.values()]
    for warm_up in warm_ups:
        warm_up()  # libraries load their kernels, a network is compiled
    for _ in range(repeats):
        for name, step in subject.cases.items():
            started = _now()
            step()
            turns[name].append(_now() - started)
        for name, seconds in parts(subject, optimizer).items():
            turns.setdefault(f"part: {name}", []).append(seconds)
    return turns


def _row(setting: Setting, case: str, turns: Turns) -> dict[str, object]:
    """One case or part of a setting."""
    own, student = turns[case], turns["student"]
    limit = [a + b for a, b in zip(student, turns["teacher"], strict=True)] if "online" in case else student
    return {
        **{"setting": setting.name, "case": case, "batch": setting.batch, "size": setting.size, "repeats": len(own)},
        "milliseconds": 1000 * statistics.median(own),
        "ratio_to_student": statistics.median(a / b for a, b in zip(own, student, strict=True)),
        "ratio_to_limit": statistics.median(a / b for a, b in zip(own, limit, strict=True)),
    }

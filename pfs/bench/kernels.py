"""What comparing all pairs of locations costs in time and memory: `pfs_loss` beside the dense forms of the formula.

Each form of a case lives in a process of its own, forked from a server that has imported this module and computed
nothing, so that its peak of memory is its own. The forms of a case take turns: what else the machine does strikes all.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.losses import pfs_loss
from pfs.losses.pfs import dense_is_cheaper
from pfs.study.code.hashes import code_of
from pfs.study.places import notebook_path
from pfs.study.records import commit
from pfs.training.machine import instruction_set, prepare

Turns = Mapping[str, Sequence[tuple[float, float]]]  # form -> of each turn its seconds, and its MiB above the inputs
RESOLUTION = 2.0  # MiB: the allocator's own noise; no ratio of memory is told from less


@dataclass(frozen=True)
class Case:
    """Forms of one reading, to be measured on student's and teacher's features (batch, channels, H, W)."""

    reading: str  # "squared", "kl", or "machine": a matrix (locations, channels), its square ("gemm") or its "copy"
    batch: int
    locations: int  # N = H W, the square of a whole number
    channels: int
    dtype: str = "float32"  # of the features; or "bfloat16"
    forms: tuple[str, ...] = ("ours",)  # names in `FORMS`; the ratios are to "ours"


# --- the dense forms, as written from the formula -----------------------------------------------------------


def dense_squared(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over (B, N, N) of (P_S - P_T)², P the centred cosines of features (B, C, H, W): what `pfs_loss` gives."""
    S, T = _centred_unit_rows(student), _centred_unit_rows(teacher)
    return (torch.bmm(S, S.mT) - torch.bmm(T, T.mT)).square().mean()


def skd_squared(student: Tensor, teacher: Tensor) -> Tensor:
    """The pair-wise term of Liu et al. 2019 (arXiv 1903.04197, eq. 2) without pooling, as its users code it.

    In fp32, not centred: the number of `pfs_loss(center=False)`. The gradient takes the lengths as constants.
    """
    rows = [features.float().flatten(2) for features in (student, teacher)]  # (B, C, N)
    rows = [f / (f.square().sum(1, keepdim=True).sqrt() + 1e-8).detach() for f in rows]
    S, T = (torch.einsum("icm,icn->imn", f, f) for f in rows)
    return ((T - S).pow(2) / S.shape[1] ** 2 / len(S)).sum()  # sum over b, i, j of (P_T - P_S)² / N² / B


def dense_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over locations of KL(softmax(P_T / 0.1) ‖ softmax(P_S / 0.1)): what `pfs_loss(distance="kl")` gives."""
    S, T = _centred_unit_rows(student), _centred_unit_rows(teacher)
    log_b, log_a = ((torch.bmm(rows, rows.mT) / 0.1).log_softmax(2) for rows in (S, T))  # (B, N, N)
    return F.kl_div(log_b, log_a, reduction="sum", log_target=True) / (S.shape[0] * S.shape[1])


def _centred_unit_rows(features: Tensor) -> Tensor:
    """Features (B, C, H, W) as rows (B, N, C) of mean zero, each then scaled to unit length."""
    rows = features.flatten(2).transpose(1, 2)
    return F.normalize(rows - rows.mean(1, keepdim=True), dim=2)


FORMS: Mapping[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("squared", "ours"): pfs_loss,
    ("squared", "dense"): dense_squared,
    ("squared", "skd"): skd_squared,
    ("kl", "ours"): partial(pfs_loss, distance="kl"),
    ("kl", "dense"): dense_kl,
}


def flop(case: Case, form: str) -> float:
    """Floating-point operations of the matrix products alone, forward and backward."""
    B, N, C = case.batch, case.locations, case.channels
    if case.reading == "machine":
        return 2 * N * C**2 if form == "gemm" else math.nan
    if (case.reading, form) == ("squared", "ours") and not dense_is_cheaper(N, C, C):
        return 5 * B * 2 * N * C**2  # SᵀS, SᵀT, TᵀT; S SᵀS, T TᵀS
    # SSᵀ, TTᵀ; the gradient of the map times S, where autograd takes it from the left and from the right
    return (3 if (case.reading, form) == ("squared", "ours") else 4) * B * 2 * N**2 * C


def estimate_mib(case: Case, form: str) -> float:
    """About the peak of memory above the inputs: for dense forms 5 maps (B, N, N); 10 copies of the features."""
    maps = 0 if form == "ours" or case.reading == "machine" else 5
    width = 2 if (case.dtype, form) == ("bfloat16", "dense") else 4  # bytes a number; the others compute in fp32
    return case.batch * case.locations * width * (maps * case.locations + 10 * case.channels) / 2**20


# --- measuring ----------------------------------------------------------------------------------------------


def measure(case: Case, *, repeats: int, patience: float, threads: int) -> Turns:
    """Let the forms of a case take turns, each in a fresh process: ours, dense, ours, dense.

    Each has `repeats` turns with `threads` threads, or fewer once a form has computed for `patience` seconds. A
    process that dies, for lack of memory as a rule, raises EOFError.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["pfs.bench.kernels"])
    pipes: dict[str, Connection] = {}
    for form in case.forms:
        pipes[form], theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, case, form, threads), daemon=True).start()
        theirs.close()
        pipes[form].recv()  # its inputs are made
    turns: dict[str, list[tuple[float, float]]] = {form: [] for form in pipes}
    for _ in range(repeats):
        for form, pipe in pipes.items():
            pipe.send(True)
            turns[form].append(pipe.recv())
        if any(sum(seconds for seconds, _ in own) > patience for own in turns.values()):
            break
    for pipe in pipes.values():
        pipe.send(False)
    return turns


def _serve(pipe: Connection, case: Case, form: str, threads: int) -> None:
    """In the child: make the inputs, then take a turn at each word of the parent's."""
    torch.set_num_threads(threads)
    _work(replace(case, locations=16, channels=16), form)()  # libraries load their kernels
    work = _work(case, form)
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak counts from here
    before = _memory_mib("VmRSS")
    pipe.send(True)
    while pipe.recv():
        started = time.perf_counter()
        work()
        pipe.send((time.perf_counter() - started, _memory_mib("VmHWM") - before))


def _work(case: Case, form: str) -> Callable[[], object]:
    """One turn, to be called again and again: a loss and its gradient for the student, or a matrix's square or copy."""
    if case.reading == "machine":
        matrix = torch.randn(case.locations, case.channels).to(getattr(torch, case.dtype))
        result = torch.zeros_like(matrix)
        return partial(torch.mm, matrix, matrix, out=result) if form == "gemm" else partial(result.copy_, matrix)
    shape = (case.batch, case.channels, math.isqrt(case.locations), math.isqrt(case.locations))
    student, teacher = (torch.randn(shape).to(getattr(torch, case.dtype)) for _ in range(2))
    loss = partial(FORMS[case.reading, form], student.requires_grad_(), teacher)
    return lambda: torch.autograd.grad(loss(), student)


def _memory_mib(field: str) -> float:
    """Resident size ("VmRSS") or its peak ("VmHWM", which unlike getrusage's is not the parent's); nan but on Linux."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), math.nan)


# --- the table ----------------------------------------------------------------------------------------------


def run(plan: Sequence[Case], *, memory_gib: float, repeats: int, patience: float, threads: int) -> pd.DataFrame:
    """Measure every case: a row a form. A form whose estimated peak is above `memory_gib` is a row too: skipped.

    Milliseconds are the turns' median. `ratio_time` (the median over rounds) and `ratio_memory` say how many times as
    much as ours a form takes; `fraction_of_peak` is of the plan's "gemm" of that dtype. `measure` explains the rest.
    """
    prepare(threads)  # the children inherit what it decides
    rows = []
    for case in plan:
        fitting = tuple(form for form in case.forms if estimate_mib(case, form) <= 1024 * memory_gib)
        turns = measure(replace(case, forms=fitting), repeats=repeats, patience=patience, threads=threads)
        rows += [_row(case, form, turns, f"skipped: more than {memory_gib:g} GiB") for form in case.forms]
    table = pd.DataFrame(rows)
    peaks = table[table["form"] == "gemm"].set_index("dtype")["gflops"].to_dict()
    table["fraction_of_peak"] = table["gflops"] / table["dtype"].map(peaks).astype(float)
    table["commit"], table["dirty"] = commit(code_of(notebook_path("benchmark")).files)
    table["threads"], table["instruction_set"] = threads, instruction_set()
    return table.assign(torch=torch.__version__)


def _row(case: Case, form: str, turns: Turns, skipped: str) -> dict[str, object]:
    """One form of one case; nan where it was not measured."""
    own, ours = turns.get(form, ()), turns.get("ours", ())
    seconds = statistics.median(turn[0] for turn in own) if own else math.nan
    peak, ours_peak = (max((turn[1] for turn in x), default=math.nan) for x in (own, ours))
    rounds = [a[0] / b[0] for a, b in zip(own, ours, strict=False)]
    return {
        **{"reading": case.reading, "form": form, "batch": case.batch, "locations": case.locations},
        **{"channels": case.channels, "dtype": case.dtype, "status": "measured" if own else skipped},
        **{"repeats": len(own), "milliseconds": 1000 * seconds},
        **{"peak_mib": peak, "estimate_mib": estimate_mib(case, form)},
        "ratio_time": statistics.median(rounds) if rounds else math.nan,
        "ratio_memory": peak / ours_peak if ours_peak > RESOLUTION else math.nan,
        "gflops": flop(case, form) / seconds / 1e9,
    }

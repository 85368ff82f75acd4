"""What a small network buys: milliseconds an image of teacher and student, by several engines, in turns.

All networks and engines of a study take turns, a batch each, so what else the machine does strikes all alike, and the
ratios are taken within a turn.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from pfs.config.study import Study
from pfs.export.int8 import quantise
from pfs.export.onnx_file import Deployable, write_onnx
from pfs.export.session import Pixels, Session
from pfs.models import build_network, count_macs, count_parameters
from pfs.study.code.hashes import code_of
from pfs.study.places import TEACHER, notebook_path
from pfs.study.records import commit
from pfs.training.machine import instruction_set, prepare

STUDENT = "student"
CALIBRATED_ON = 8  # images of noise: int8's speed does not depend on its ranges
Case = tuple[str, str]  # a network and an engine


class Engine(NamedTuple):
    """A network in an engine.

    Attributes:
        run: shows it a batch of images (B, H, W, 3) of uint8.
        kib: of its file on disk.
    """

    run: Callable[[Pixels], object]
    kib: float


def latency_table(
    study: Study,
    classes: int,
    size: tuple[int, int],
    folder: Path,
    *,
    batches: Sequence[int],
    repeats: int,
    threads: int,
    compiled: bool,
) -> pd.DataFrame:
    """Measure the teacher and the student of a study in all engines; their weights are random, which costs the same.

    Args:
        study: the study.
        classes: of its data.
        size: height and width of the images.
        folder: for the networks' files; empty before.
        batches: how many images are shown at once.
        repeats: turns of each, after two that do not count.
        threads: to compute with.
        compiled: whether torch.compile is measured too; it takes a C++ compiler, and minutes.

    Returns:
        A row for each network, engine and batch, with the columns study, network, engine, batch, parameters, macs, kib
        (of its file), milliseconds (an image, the turns' median), speedup (the teacher's milliseconds over its own, the
        median of the ratios within a turn) and macs_ratio; and where and by which commit they were measured.
    """
    prepare(threads)
    specs = {TEACHER: study.teacher.network, STUDENT: study.student.network}
    networks = {role: build_network(spec, classes, pretrained=False).eval() for role, spec in specs.items()}
    engines = {
        (role, name): engine
        for role, network in networks.items()
        for name, engine in _engines(network, folder / role, size, threads, compiled=compiled).items()
    }
    macs = {role: count_macs(network, _padded(size, network)) for role, network in networks.items()}
    rows = []
    for batch in batches:
        images = np.random.default_rng(0).integers(0, 256, (batch, *size, 3), dtype=np.uint8)
        turns = _turns({key: engine.run for key, engine in engines.items()}, images, repeats)
        for (role, name), seconds in turns.items():
            ratios = [a / b for a, b in zip(turns[TEACHER, name], seconds, strict=True)]
            rows.append(
                {"study": study.name, "network": role, "engine": name, "batch": batch}
                | {"parameters": count_parameters(networks[role]), "macs": macs[role], "kib": engines[role, name].kib}
                | {"milliseconds": 1000 * statistics.median(seconds) / batch, "speedup": statistics.median(ratios)}
                | {"macs_ratio": macs[TEACHER] / macs[role]}
            )
    table = pd.DataFrame(rows)
    table["commit"], table["dirty"] = commit(code_of(notebook_path("latency")).files)
    return table.assign(threads=threads, instruction_set=instruction_set(), torch=torch.__version__)


def _engines(
    network: nn.Module, folder: Path, size: tuple[int, int], threads: int, *, compiled: bool
) -> dict[str, Engine]:
    """A network in torch, under torch.compile where that is asked for, in ONNX Runtime, and there in int8."""
    folder.mkdir(parents=True)
    onnx, int8, weights = (folder / name for name in ("model.onnx", "model.int8.onnx", "weights.pt"))
    torch.save(network.state_dict(), weights)
    write_onnx(network, onnx)
    noise = np.random.default_rng(1).integers(0, 256, (CALIBRATED_ON, *size, 3), dtype=np.uint8)
    quantise(onnx, int8, list(noise))
    deployable = Deployable(network).eval().to(memory_format=torch.channels_last)
    found = {"torch": Engine(_by_torch(deployable), weights.stat().st_size / 1024)}
    if compiled:
        found["torch.compile"] = Engine(
            _by_torch(torch.compile(deployable, dynamic=False)), weights.stat().st_size / 1024
        )
    for name, file in (("ONNX Runtime", onnx), ("ONNX Runtime, int8", int8)):
        found[name] = Engine(Session(file, threads), file.stat().st_size / 1024)
    return found


def _padded(size: tuple[int, int], network: nn.Module) -> tuple[int, int]:
    """The height and width that a network is shown where images have this size."""
    multiple = cast(int, network.multiple)
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


def _by_torch(network: Callable[[Tensor], Tensor]) -> Callable[[Pixels], object]:
    @torch.inference_mode()
    def run(images: Pixels) -> Tensor:
        return network(torch.from_numpy(images))

    return run


def _turns(works: Mapping[Case, Callable[[Pixels], object]], images: Pixels, repeats: int) -> dict[Case, list[float]]:
    """Let all take turns with the same images; the seconds of each turn but the first two."""
    turns: dict[Case, list[float]] = {key: [] for key in works}
    for turn in tqdm(range(repeats + 2), desc=f"{len(images)} images at once", unit="turn", leave=False, disable=None):
        for key, work in works.items():
            started = time.perf_counter()
            work(images)
            if turn > 1:
                turns[key].append(time.perf_counter() - started)
    return turns


def with_scores(table: pd.DataFrame, runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add what the networks of a study score: miou, the mean over seeds in percent, and method, whose it is.

    The teacher has its own row. A student has two: alone, and by the method that is best on val.

    Args:
        table: `latency_table` of the study.
        runs: its `runs.csv`.
        study: the study.
    """
    means = runs.groupby(["split", "method"])["miou"].mean()
    val = means["val"].reindex(list(study.methods)).drop(study.reference)
    shown = {TEACHER: [TEACHER], STUDENT: [study.reference, str(val.idxmax())]}
    rows = [
        {**row, "method": method, "miou": means["test"][method]}
        for row in table.to_dict("records")
        for method in shown[row["network"]]
    ]
    return pd.DataFrame(rows)

"""A few training steps of a study's networks, timed: how fast this machine computes them. A study starts this file.

Its argument is JSON: {"study": file, "threads": {"teacher": n, "student": n}, "classes": C, "size": [H, W]}. It prints
{"teacher": {"flop": ..., "seconds": ...}, "student": {...}, "start": seconds until all was imported}. A network with 0
threads is not timed, and has zeros.
"""

import json
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import psutil
import torch
from accelerate import Accelerator, PartialState
from torch import Tensor

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import as_batch
from pfs.models import build_network, count_macs
from pfs.study.code.hashes import code_of
from pfs.study.cost import FLOP_PER_TRAINED_MAC
from pfs.study.places import notebook_path, study_path
from pfs.study.records import commit
from pfs.study.trial.data_check import published_images
from pfs.training.loop import build_optimizer, take_step
from pfs.training.machine import instruction_set, mixed_precision, prepare
from pfs.training.objective import Objective

SECONDS = 2.0  # that steps are repeated for
STEPS = 2  # at least, after a first one that is not timed


def main(argument: str) -> None:
    """Time each network, and print what they took."""
    start = time.time() - psutil.Process().create_time()
    asked = json.loads(argument)
    study = load_study(asked["study"])
    paces = {
        role: pace(getattr(study, role), asked["classes"], tuple(asked["size"]), threads)
        for role, threads in asked["threads"].items()
    }
    print(json.dumps({**paces, "start": start}))


class Timed(NamedTuple):
    """Training steps of one network.

    Attributes:
        flop: floating-point operations of a step, by the network's MACs.
        steps: that were timed.
        seconds: that they took together.
    """

    flop: int
    steps: int
    seconds: float


def pace(spec: Training, classes: int, size: tuple[int, int], threads: int) -> dict[str, float]:
    """The "flop" of all steps that `time_steps` timed, and their "seconds"; zeros where there are 0 threads."""
    if not threads:
        return {"flop": 0.0, "seconds": 0.0}
    timed = time_steps(spec, classes, size, threads)
    return {"flop": float(timed.flop * timed.steps), "seconds": timed.seconds}


def time_steps(spec: Training, classes: int, size: tuple[int, int], threads: int) -> Timed:
    """Time training steps of a network on noise, with the cross-entropy alone.

    Args:
        spec: the network and its batch; pre-trained weights are not fetched.
        classes: of the labels.
        size: height and width of the images.
        threads: that it computes with.
    """
    prepare(threads)
    accelerator = Accelerator(mixed_precision=mixed_precision())
    network = build_network(spec.network, classes, pretrained=False).train()
    flop = FLOP_PER_TRAINED_MAC * count_macs(network, size) * spec.batch_size
    objective = Objective(Method(), ignore_index=255).to(accelerator.device)
    optimizer, _ = build_optimizer(spec, list(network.parameters()))
    prepared, stepper = accelerator.prepare(network.to(memory_format=torch.channels_last), optimizer)
    images, labels = _noise(spec.batch_size, classes, size)
    batch = as_batch(torch.arange(spec.batch_size), images, labels, None, accelerator.device)

    def step() -> None:
        float(take_step(accelerator, prepared, objective, stepper, batch)["total"].detach())  # waits for a GPU

    step()
    steps, began = 0, time.perf_counter()
    while steps < STEPS or time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    return Timed(flop, steps, time.perf_counter() - began)


def paces(studies: Sequence[str], threads: int) -> pd.DataFrame:
    """How fast this machine trains the two networks of each study, at the size that its data have as published.

    Args:
        studies: by their names.
        threads: to compute with.

    Returns:
        A row for each network: study, network ("teacher" or "student"), size (of an image), batch, steps (that were
        timed), gflop and milliseconds (of a step), device, and where the numbers come from.

    Raises:
        StudyError: there is no such study, or its data are drawn or the user's own.
    """
    rows = []
    for study in (load_study(study_path(name)) for name in studies):
        images = published_images(study)
        for network in ("teacher", "student"):
            spec = getattr(study, network)
            timed = time_steps(spec, images.classes, images.trained_at, threads)
            size = " x ".join(map(str, images.trained_at))
            row = {"study": study.name, "network": network, "size": size, "batch": spec.batch_size}
            each = 1000 * timed.seconds / timed.steps
            rows.append({**row, "steps": timed.steps, "gflop": timed.flop / 1e9, "milliseconds": each})
    table = pd.DataFrame(rows).assign(device=_device())
    table["commit"], table["dirty"] = commit(code_of(notebook_path("paces")).files)
    table["threads"], table["instruction_set"], table["precision"] = threads, instruction_set(), mixed_precision()
    return table.assign(torch=torch.__version__)


def _device() -> str:
    """What computes, by its maker's name if it is a GPU of NVIDIA's."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else str(PartialState().device)


def _noise(count: int, classes: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images (count, 3, *size) and labels (count, *size), uint8."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, classes, (count, *size), generator=generator, dtype=torch.uint8)


if __name__ == "__main__":
    main(sys.argv[1])

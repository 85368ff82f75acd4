"""A few training steps of a study's networks, timed: how fast this machine computes them. A study starts this file.

Its argument is JSON: {"study": file, "threads": {"teacher": n, "student": n}, "classes": C, "size": [H, W]}. It prints
{"teacher": {"flop": ..., "seconds": ...}, "student": {...}, "start": seconds until all was imported}. A network with 0
threads is not timed, and has zeros.
"""

import json
import sys
import time

import psutil
import torch
from accelerate import Accelerator
from torch import Tensor

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import as_batch
from pfs.models import build_network, count_macs
from pfs.study.cost import FLOP_PER_TRAINED_MAC
from pfs.training.loop import build_optimizer, take_step
from pfs.training.machine import mixed_precision, prepare
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


def pace(spec: Training, classes: int, size: tuple[int, int], threads: int) -> dict[str, float]:
    """Time training steps of a network on noise, with the cross-entropy alone.

    Args:
        spec: the network and its batch; pre-trained weights are not fetched.
        classes: of the labels.
        size: height and width of the images.
        threads: that it computes with; 0: it is not timed.

    Returns:
        "flop": floating-point operations of the steps by the network's MACs; "seconds": that they took.
    """
    if not threads:
        return {"flop": 0.0, "seconds": 0.0}
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
    return {"flop": float(flop * steps), "seconds": time.perf_counter() - began}


def _noise(count: int, classes: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images (count, 3, *size) and labels (count, *size), uint8."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, classes, (count, *size), generator=generator, dtype=torch.uint8)


if __name__ == "__main__":
    main(sys.argv[1])

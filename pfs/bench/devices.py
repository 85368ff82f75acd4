"""What it costs to share the steps of a run among several processes, at images of several sizes.

One process has all threads, two have half of them each, and so on: the same cores compute the same steps. The numbers
of processes take turns, so that what else the machine does strikes all alike, and a ratio is taken within a turn.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from accelerate import PartialState

from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import ImageSplit
from pfs.losses.pfs import squared_norm
from pfs.models import build_network
from pfs.study.code.hashes import code_of
from pfs.study.places import notebook_path
from pfs.study.records import commit
from pfs.training.devices.launch import run_on_devices
from pfs.training.devices.processes import process_rank
from pfs.training.loop import train_share
from pfs.training.machine import instruction_set, mixed_precision, prepare
from pfs.training.objective import Objective
from pfs.training.teacher import TeacherOutputs

TERMS = {"CE": {}, "CE + PFS + WSP": {"pfs": {"weight": 1.0}, "wsp": {"weight": 1.0}}}
CLASSES, TEACHER_CHANNELS, IGNORED = 11, 64, 255
WARM_UP = 3  # steps that libraries load their kernels in

Milliseconds = dict[tuple[int, str], float]  # of a step, by the size of its images and its terms


def run(
    spec: Training, sizes: Sequence[int], devices: Sequence[int], *, steps: int, turns: int, threads: int
) -> pd.DataFrame:
    """Measure a student's training step on noise: a row for each size, set of terms and number of processes.

    Args:
        spec: the student; of its schedule the batch and the optimizer count.
        sizes: pixels of an image's sides.
        devices: numbers of processes, 1 first.
        steps: that are timed at a time.
        turns: of each number of processes.
        threads: that the processes share.

    Returns:
        `milliseconds` is the turns' median, `ratio` the median of the ratios to one process within a turn.
    """
    prepare(threads)
    found: dict[int, list[Milliseconds]] = {number: [] for number in devices}
    for _ in range(turns):
        for number in devices:
            with TemporaryDirectory() as folder:
                run_on_devices(number, _time_steps, spec, sizes, steps, Path(folder), folder=Path(folder))
                found[number].append(_read(Path(folder)))
    table = pd.DataFrame(
        {
            **{"size": size, "terms": terms, "processes": number, "batch": spec.batch_size},
            "milliseconds": statistics.median(turn[size, terms] for turn in found[number]),
            "ratio": _ratio(found[number], found[devices[0]], (size, terms)),
        }
        for size, terms in found[devices[0]][0]
        for number in devices
    )
    table["steps"], table["turns"], table["threads"] = steps, turns, threads
    table["commit"], table["dirty"] = commit(code_of(notebook_path("devices")).files)
    table["instruction_set"], table["precision"] = instruction_set(), mixed_precision()
    return table.assign(device=str(PartialState().device), torch=torch.__version__)


def _ratio(own: Sequence[Milliseconds], alone: Sequence[Milliseconds], case: tuple[int, str]) -> float:
    return statistics.median(turn[case] / one[case] for turn, one in zip(own, alone, strict=True))


def _read(folder: Path) -> Milliseconds:
    return {
        (size, terms): milliseconds
        for size, terms, milliseconds in json.loads((folder / "found").read_text(encoding="utf-8"))
    }


# --- in the process of a device -----------------------------------------------------------------------------


def _time_steps(spec: Training, sizes: Sequence[int], steps: int, folder: Path) -> None:
    """Time the steps of each size and set of terms in the processes that there are; one of them writes it down."""
    found = []
    for size in sizes:
        for terms in TERMS:
            _train(spec, size, terms, WARM_UP, folder / f"{size}-{terms}-warm-up")
            seconds = _train(spec, size, terms, steps, folder / f"{size}-{terms}")
            found.append((size, terms, 1000 * seconds / steps))
    if process_rank() == 0:
        (folder / "found").write_text(json.dumps(found), encoding="utf-8")


def _train(spec: Training, size: int, terms: str, steps: int, folder: Path) -> float:
    """The seconds that so many steps take."""
    torch.manual_seed(0)
    network = build_network(spec.network, CLASSES, pretrained=False)
    with torch.no_grad():
        logits, features = network.eval()(torch.zeros(1, 3, size, size))
    method = Method.model_validate(TERMS[terms])
    objective = Objective(method, ignore_index=IGNORED, channels=(features.shape[1], TEACHER_CHANNELS))
    split = _noise(size, spec.batch_size, logits.shape[2:], features.shape[2:])
    how = spec.model_copy(update={"steps": steps, "save_every": steps, "snapshots": None, "val_every": None})
    return train_share(network.train(), objective, split, how, 0, folder, "").seconds


def _noise(size: int, count: int, logits: Sequence[int], features: Sequence[int]) -> ImageSplit:
    """Images of that size, labels, and a teacher's outputs, whose heights and widths are given."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    shapes = ((count, CLASSES, *logits), (count, TEACHER_CHANNELS, *features))
    said = [torch.randn(shape, generator=generator).bfloat16() for shape in shapes]
    teacher = TeacherOutputs(said[0], said[1], squared_norm(said[1].float()))
    return ImageSplit(images, images[:, 0] // (256 // CLASSES + 1), teacher)

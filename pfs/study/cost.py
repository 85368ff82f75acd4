"""What the runs of a study cost: arithmetic, memory and disk, from the counts of its two networks. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pfs.config.study import Study, Training
from pfs.study.places import TEACHER, runs_of

FLOP_PER_MAC = 2  # of a forward pass: a multiplication and an addition
FLOP_PER_TRAINED_MAC = 6  # forward, and twice as much backward: the gradients of the inputs and of the weights
BYTES_PER_PARAMETER = 16  # in fp32: the weight, its gradient, and two moments of AdamW
SAVED_BYTES_PER_PARAMETER = 2 * 12 + 4  # two saved states with weight and moments, and the run's checkpoint
PROCESS_BYTES = 900 * 2**20  # a process that has imported all that a run needs


@dataclass(frozen=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        macs: multiply-accumulates of one forward pass of one training image, as in a record's `cost`.
        scored_macs: of scoring one image of val or test, at all scales, windows and mirror images.
        parameters: numbers that training changes.
        activation_bytes: kept for the backward pass of one image, in fp32.
        output_bytes: what is cached of the network's outputs for one image, where it is the teacher.
    """

    macs: int
    scored_macs: float
    parameters: int
    activation_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class RunCost:
    """What one run costs: floating-point operations of its three stages, and bytes.

    Attributes:
        training: of all steps; where the teacher's outputs are not cached, with its forward passes.
        evaluation: of scoring val and test.
        outputs: of the teacher's outputs for all training images, which are computed after its training.
        memory: bytes that the run takes on one device, in fp32; the cached outputs are mapped, and not counted.
        disk: bytes that the run leaves in its folder.
        process: the part of `memory` that each process of a run takes for itself, however the batch is shared.
    """

    training: float
    evaluation: float
    outputs: float
    memory: int
    disk: int
    process: int = PROCESS_BYTES

    @property
    def flop(self) -> float:
        """Floating-point operations of the whole run."""
        return self.training + self.evaluation + self.outputs

    def memory_on(self, devices: int, hosts: int = 1) -> int:
        """Bytes that the run takes on so many devices: a process trains on each, while the notebook's own waits.

        Where the devices are spread over several hosts, those of the first one, on which the notebook runs.
        """
        if devices == 1:
            return self.memory
        return self.memory + (devices // hosts - 1) * self.process + PROCESS_BYTES


Counts = Mapping[str, int]  # images of "train", "val" and "test"


def study_costs(
    study: Study, counts: Counts, teacher: NetworkCost, student: NetworkCost, *, cached: bool
) -> dict[tuple[str, int], RunCost]:
    """What each run of a study costs, as (method, seed).

    Args:
        study: the study.
        counts: how many images its splits have.
        teacher: of the teacher's network.
        student: of the student's.
        cached: whether students read the teacher's outputs from disk, or ask the teacher at every step.
    """
    costs = {}
    for method, seed in runs_of(study):
        if method == TEACHER:
            trained = _training_cost(study.teacher, teacher, counts, None)
            costs[method, seed] = _with_outputs(trained, teacher, output_rows(study, counts)) if cached else trained
        else:
            asked = teacher if study.methods[method].needs_teacher and not cached else None
            costs[method, seed] = _training_cost(study.student, student, counts, asked)
    return costs


def cached_bytes(study: Study, counts: Counts, teacher: NetworkCost) -> int:
    """What the teacher's outputs for all training images take on disk; 0 where `cache_gib` allows less."""
    needed = output_rows(study, counts) * teacher.output_bytes
    return 0 if study.cache_gib is not None and needed > study.cache_gib * 2**30 else needed


def output_rows(study: Study, counts: Counts) -> int:
    """How many images, or augmented views of them, the teacher's outputs are computed for."""
    return (1 if study.augmentation is None else study.augmentation.count) * counts["train"]


def _with_outputs(run: RunCost, network: NetworkCost, rows: int) -> RunCost:
    """The teacher's run, with its outputs for so many rows."""
    return replace(run, outputs=FLOP_PER_MAC * network.macs * rows, disk=run.disk + network.output_bytes * rows)


def _training_cost(spec: Training, network: NetworkCost, counts: Counts, asked: NetworkCost | None) -> RunCost:
    """Of one run without the teacher's outputs; `asked` is the teacher that answers at every step, if one does."""
    step = FLOP_PER_TRAINED_MAC * network.macs + (FLOP_PER_MAC * asked.macs if asked else 0)
    process = PROCESS_BYTES + BYTES_PER_PARAMETER * network.parameters + (4 * asked.parameters if asked else 0)
    return RunCost(
        training=step * spec.batch_size * spec.steps,
        evaluation=FLOP_PER_MAC * network.scored_macs * ((1 + len(spec.curve_steps)) * counts["val"] + counts["test"]),
        outputs=0.0,
        memory=process + spec.batch_size * network.activation_bytes,
        disk=(SAVED_BYTES_PER_PARAMETER + 4 * len(spec.snapshot_steps)) * network.parameters,
        process=process,
    )


def few_digits(number: float, digits: int = 3) -> str:
    """A number for people, to so many digits, or more where it is large: such as "0.15", "39.3" or "12,345"."""
    return f"{number:,.0f}" if number >= 10 ** (digits - 1) else f"{number:.{digits}g}"


def size(count: float) -> str:
    """A number of bytes for people, to two digits or more: such as "5,671 GiB", "1.8 GiB" or "31 MiB"."""
    unit, name = (2**30, "GiB") if count >= 2**30 / 10 else (2**20, "MiB")
    return f"{few_digits(count / unit, digits=2)} {name}"


def describe(costs: Mapping[tuple[str, int], RunCost], at_once: int, devices: int = 1) -> str:
    """One line before training: how many runs there are to do, their arithmetic, memory and disk.

    Args:
        costs: of the runs that must be made.
        at_once: how many students train at the same time.
        devices: how many train each run.
    """
    memories = {run: cost.memory_on(devices) for run, cost in costs.items()}
    students = sorted((memory for (method, _), memory in memories.items() if method != TEACHER), reverse=True)
    teacher = max((memory for (method, _), memory in memories.items() if method == TEACHER), default=0)
    memory = max(teacher, sum(students[:at_once]))
    teraflop = sum(cost.flop for cost in costs.values()) / 1e12
    disk = sum(cost.disk for cost in costs.values())
    runs = f"{len(costs)} run{'s' if len(costs) > 1 else ''}"
    return f"{runs} to do: {few_digits(teraflop)} TFLOP, about {size(memory)} of memory, {size(disk)} of disk"

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
        memory: bytes that the process takes, in fp32; the cached outputs are mapped, and not counted.
        disk: bytes that the run leaves in its folder.
    """

    training: float
    evaluation: float
    outputs: float
    memory: int
    disk: int

    @property
    def flop(self) -> float:
        """Floating-point operations of the whole run."""
        return self.training + self.evaluation + self.outputs


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
            costs[method, seed] = _with_outputs(trained, teacher, _rows(study, counts)) if cached else trained
        else:
            asked = teacher if study.methods[method].needs_teacher and not cached else None
            costs[method, seed] = _training_cost(study.student, student, counts, asked)
    return costs


def cached_bytes(study: Study, counts: Counts, teacher: NetworkCost) -> int:
    """What the teacher's outputs for all training images take on disk; 0 where `cache_gib` allows less."""
    needed = _rows(study, counts) * teacher.output_bytes
    return 0 if study.cache_gib is not None and needed > study.cache_gib * 2**30 else needed


def _rows(study: Study, counts: Counts) -> int:
    """How many images, or augmented views of them, the teacher's outputs are computed for."""
    return (1 if study.augmentation is None else study.augmentation.count) * counts["train"]


def _with_outputs(run: RunCost, network: NetworkCost, rows: int) -> RunCost:
    """The teacher's run, with its outputs for so many rows."""
    return replace(run, outputs=FLOP_PER_MAC * network.macs * rows, disk=run.disk + network.output_bytes * rows)


def _training_cost(spec: Training, network: NetworkCost, counts: Counts, asked: NetworkCost | None) -> RunCost:
    """Of one run without the teacher's outputs; `asked` is the teacher that answers at every step, if one does."""
    step = FLOP_PER_TRAINED_MAC * network.macs + (FLOP_PER_MAC * asked.macs if asked else 0)
    memory = PROCESS_BYTES + BYTES_PER_PARAMETER * network.parameters + spec.batch_size * network.activation_bytes
    return RunCost(
        training=step * spec.batch_size * spec.steps,
        evaluation=FLOP_PER_MAC * network.scored_macs * ((1 + len(spec.curve_steps)) * counts["val"] + counts["test"]),
        outputs=0.0,
        memory=memory + (4 * asked.parameters if asked else 0),
        disk=(SAVED_BYTES_PER_PARAMETER + 4 * len(spec.snapshot_steps)) * network.parameters,
    )


def describe(costs: Mapping[tuple[str, int], RunCost], at_once: int) -> str:
    """One line before training: how many runs there are to do, their arithmetic, memory and disk.

    Args:
        costs: of the runs that must be made.
        at_once: how many students train at the same time.
    """
    students = sorted((cost.memory for (method, _), cost in costs.items() if method != TEACHER), reverse=True)
    teacher = max((cost.memory for (method, _), cost in costs.items() if method == TEACHER), default=0)
    memory = max(teacher, sum(students[:at_once]))
    teraflop = sum(cost.flop for cost in costs.values()) / 1e12
    disk = sum(cost.disk for cost in costs.values()) / 2**30
    runs = f"{len(costs)} run{'s' if len(costs) > 1 else ''}"
    return f"{runs} to do: {teraflop:.3g} TFLOP, about {memory / 2**30:.2g} GiB of memory, {disk:.2g} GiB of disk"

"""The training loop, written out; precision, devices and the state on disk are Accelerate's."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, PolynomialLR

from pfs.config.study import Poly, SgdConfig, Training
from pfs.data.splits import Batch, TrainingSplit, batch_order
from pfs.study.execution.kernels_end import GO_ON
from pfs.study.execution.progress.stage import FollowedBar, StageBar
from pfs.study.execution.stopping import RunStoppedError, stop_requested
from pfs.training.checkpoint import SavedStates, Snapshots
from pfs.training.devices.batch_norm import whole_batch_norm
from pfs.training.devices.group import DeviceError
from pfs.training.devices.launch import run_on_devices
from pfs.training.devices.processes import add_up_gradients, anywhere, is_same_everywhere, process_count, process_rank
from pfs.training.machine import instruction_set, mixed_precision
from pfs.training.objective import Objective

LOG_EVERY = 20  # steps between two entries of the history; each one is checked for NaN


class TrainingError(RuntimeError):
    """Training cannot go on."""


@dataclass
class Progress:
    """How far a run has come; saved and restored with the weights.

    Attributes:
        step: steps done.
        seconds: spent in the loop so far, over all sessions of the run.
        earlier_seconds: those of `seconds` that this session did not spend.
        history: one entry each `LOG_EVERY` steps: step, learning_rate, and every loss unweighted, with
            "total".
    """

    step: int = 0
    seconds: float = 0.0
    earlier_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.earlier_seconds = self.seconds


class _OfThisSession(Progress):
    """The progress of processes that this session has started: what they spent is not an earlier session's."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def train(
    network: nn.Module,
    objective: Objective,
    split: TrainingSplit,
    spec: Training,
    *,
    seed: int,
    folder: Path,
    key: str,
    devices: int = 1,
) -> Progress:
    """Train a network in place, on one device or several, going on where an earlier session of the same run stopped.

    Args:
        network: with its first weights; trained, in eval mode, on the accelerator's device when this returns.
        objective: what is minimised.
        split: the training images, with the teacher's outputs where the objective wants them.
        spec: the optimizer and its schedule.
        seed: sets the order of the images.
        folder: the run's own folder; the state lies in its `state/`, the step it has reached in its `progress`, and the
            weights after the study's `snapshots` in its `snapshots/`.
        key: what the run depends on (settings, code, data, teacher) as a hash: a state of another key is discarded.
        devices: how many train it, each an equal part of every batch. Several are as many processes, on all nodes of a
            job of Slurm, whose last state this one then takes up.

    Raises:
        TrainingError: a loss or a weight is not finite; the last good state stays.
        RunStoppedError: the study was asked to stop; the state of this step is saved.
        StudyError: the batch cannot be shared equally by so many devices.
        DeviceError: there are fewer devices, or one of their processes was killed.
    """
    run = (network, objective, split, spec, seed, folder, key)
    missing = Snapshots(folder, key, spec.snapshot_steps).first_missing()
    if devices == 1 or (missing is None and SavedStates(folder / "state", key).is_finished(spec.steps)):
        return _train(*run, Progress())
    spec.check_shares(devices)
    bar = FollowedBar(folder, "training", spec.steps)
    run_on_devices(devices, train_share, *run, folder=folder, meanwhile=bar.follow)
    return _train(*run, _OfThisSession())


def train_share(
    network: nn.Module, objective: Objective, split: TrainingSplit, spec: Training, seed: int, folder: Path, key: str
) -> Progress:
    """What each process of a run on several devices does: random numbers, such as dropout's, differ between them."""
    set_seed(seed * process_count() + process_rank())
    return _train(network, objective, split, spec, seed, folder, key, Progress())


def _train(
    network: nn.Module,
    objective: Objective,
    split: TrainingSplit,
    spec: Training,
    seed: int,
    folder: Path,
    key: str,
    progress: Progress,
) -> Progress:
    """Train a network in this process, with its part of each batch, and return the progress that has been brought to
    the last step; the other arguments are those of `train`."""
    accelerator = Accelerator(mixed_precision=mixed_precision())
    parameters = [*network.parameters(), *objective.to(accelerator.device).parameters()]
    optimizer, scheduler = build_optimizer(spec, parameters)
    network = network.to(memory_format=torch.channels_last)
    prepared = accelerator.prepare_model(network, evaluation_mode=True)  # its gradients are added up by `take_step`
    stepper = accelerator.prepare_optimizer(optimizer)
    accelerator.register_for_checkpointing(scheduler, progress, objective)
    states = SavedStates(folder / "state", key)
    snapshots = Snapshots(folder, key, spec.snapshot_steps)
    states.restore(accelerator, before=snapshots.first_missing())
    _check_alike(progress.step)
    accelerator.wait_for_everyone()  # until all have seen which snapshots are there
    if accelerator.is_main_process:
        snapshots.begin(network, progress.step)
    order = batch_order(len(split), spec.batch_size, spec.steps, seed, views=split.views)
    batches = split.batches(order[progress.step :, process_rank() :: process_count()], accelerator.device)

    prepared.train()
    bar = StageBar(folder, "training", spec.steps, done=progress.step)
    for step in range(progress.step, spec.steps):
        start = time.perf_counter()
        objective.done = step / spec.steps
        losses = take_step(accelerator, prepared, objective, stepper, next(batches))
        learning_rate = float(scheduler.get_last_lr()[0])
        scheduler.step()

        progress.step = step + 1
        progress.seconds += time.perf_counter() - start
        last = progress.step == spec.steps
        logged = progress.step % LOG_EVERY == 0 or last
        if logged:
            progress.history.append(_entry(progress.step, learning_rate, losses))
        if accelerator.is_main_process and (logged or bar.is_due):
            bar.show(progress.step, loss=float(losses["total"].detach()))
        if accelerator.is_main_process:
            snapshots.write(network, progress.step)
        stopping = anywhere(stop_requested())
        if progress.step % spec.save_every == 0 or last or stopping:
            _check_finite(network, progress.step)
            states.save(accelerator, progress.step)
        if stopping and not last:
            raise RunStoppedError(f"stopped at step {progress.step} of {spec.steps}, whose state is saved")
    accelerator.unwrap_model(prepared, keep_fp32_wrapper=False).eval()
    return progress


def _check_alike(step: int) -> None:
    """Raise a DeviceError if processes on several hosts do not begin at the same step, or do not compute alike."""
    if not is_same_everywhere(str(step)):
        raise DeviceError(
            "the hosts of the run have read saved states of different steps: a shared file system takes some seconds "
            f"until all see a new file; {GO_ON}"
        )
    if not is_same_everywhere(f"{mixed_precision()} {instruction_set()} {torch.__version__}"):
        raise DeviceError(
            "the hosts of the run differ in precision, instruction set or torch's version, on which numbers depend: "
            "let its job ask for nodes of one kind, for example by Slurm's `--constraint`"
        )


def build_optimizer(spec: Training, parameters: list[nn.Parameter]) -> tuple[Optimizer, LRScheduler]:
    """The optimizer that a study names, and what sets its learning rate step by step; AdamW with one cycle if none."""
    optimizer: Optimizer
    match spec.optimizer:
        case SgdConfig(momentum=momentum):
            optimizer = SGD(parameters, spec.learning_rate, momentum, weight_decay=spec.weight_decay, fused=True)
        case _:
            optimizer = AdamW(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True)
    match spec.schedule:
        case Poly(power=power):
            return optimizer, PolynomialLR(optimizer, total_iters=spec.steps, power=power)
        case _:
            return optimizer, OneCycleLR(optimizer, max_lr=spec.learning_rate, total_steps=spec.steps)


def take_step(
    accelerator: Accelerator, network: nn.Module, objective: nn.Module, optimizer: Optimizer, batch: Batch
) -> dict[str, Tensor]:
    """One update of the weights, by this process's part of a batch; returns the losses of the batch before it."""
    images, teacher, labels = batch
    with whole_batch_norm():
        losses: dict[str, Tensor] = objective(network(images), teacher, labels)
    accelerator.backward(losses["total"])
    add_up_gradients(weight for group in optimizer.param_groups for weight in group["params"])
    optimizer.step()
    optimizer.zero_grad()
    return losses


def _entry(step: int, learning_rate: float, losses: dict[str, Tensor]) -> dict[str, float]:
    """One entry of the history; an error where a loss is not finite, before any state with it is saved."""
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    if not all(torch.tensor(list(values.values())).isfinite()):
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise TrainingError(
            f"step {step}: a loss is not finite ({shown}). Lower the learning rate or that term's weight; "
            "the last good state is kept"
        )
    return {"step": step, "learning_rate": learning_rate, **values}


def _check_finite(network: nn.Module, step: int) -> None:
    """A finite loss may still have a gradient that is not, whose update no later loss of this session would show."""
    broken = [name for name, weight in network.state_dict().items() if not weight.isfinite().all()]
    if broken:
        raise TrainingError(
            f"step {step}: {len(broken)} of the network's tensors are not finite, {broken[0]} first. "
            "Lower the learning rate; the last good state is kept"
        )

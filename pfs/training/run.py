"""One run of a study, from its name to its record: what the two training notebooks share."""

import hashlib
import json
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pfs.config import data as config
from pfs.config.checksums import check_files_once
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study, Training
from pfs.data.dataset import DatasetError, SegmentationDataset, data_checksum
from pfs.data.loading.cache import decoded
from pfs.data.splits import EvalSplit, ImageSplit, TrainingSplit
from pfs.models import count_macs, count_parameters
from pfs.study.code.hashes import Code, run_code
from pfs.study.execution.cluster.slurm import host_count
from pfs.study.places import STATE_FOLDER, TEACHER, run_folder
from pfs.study.records import (
    Cost,
    Metrics,
    Provenance,
    Record,
    RecordError,
    Split,
    Timing,
    commit,
    package_versions,
    read_record,
    write_npz,
    write_record,
)
from pfs.study.staleness import SCORING, run_settings, training_differences, why_stale
from pfs.training.checkpoint import snapshot_file, write_checkpoint
from pfs.training.devices.launch import check_machine
from pfs.training.evaluation import ScoredSplit, count_split, score
from pfs.training.loop import Progress
from pfs.training.machine import instruction_set, mixed_precision, peak_memory_mib, prepare

# What every run leaves beside its record, by the names that the record has for them.
FILES = {"checkpoint": "checkpoint.pt", "confusion": "confusion.npz", "examples": "examples.npz"}


@dataclass(frozen=True)
class Run:
    """One run: which study, method ("teacher" or a student's) and seed, and where its files go.

    Attributes:
        settings: the part of the study that the run depends on.
        code: the code that the run depends on.
        commit: of the clone as the run begins, and whether the files of `code` differ from it.
        results: the folder of all studies' results.
        devices: how many train it, each an equal part of every batch.
        hosts: on how many machines these are.
        started: when this session of the run began, on `time.perf_counter`'s clock.
    """

    study: Study
    method: str
    seed: int
    results: Path
    settings: dict[str, object]
    code: Code
    commit: tuple[str, bool]
    devices: int = 1
    hosts: int = 1
    started: float = field(default_factory=time.perf_counter)

    @property
    def folder(self) -> Path:
        """The run's own folder; of the results, it writes nothing else."""
        return run_folder(self.study, self.results / self.study.name, self.method, self.seed)

    @property
    def training(self) -> Training:
        """The network and schedule of this run."""
        return self.study.training(self.method)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits on which this run is scored; on the last of them its examples are shown."""
        return self.study.scored_splits(self.method)

    @property
    def curve(self) -> dict[int, Path]:
        """The weights that the learning curve is scored from, step by step; none without `val_every`."""
        return {step: self.folder / snapshot_file(step) for step in self.training.curve_steps}

    def key(self, dataset: SegmentationDataset, teacher_checksum: str | None = None) -> str:
        """A hash of all that the run's weights depend on; how they are scored is no part of it."""
        learnt = {key: value for key, value in self.settings.items() if key not in SCORING}
        trained = self.trained_before(dataset)
        machine = _machine(self.devices) if trained is None else _machine_of(trained.provenance)
        parts = [learnt, self.code.training, data_checksum(dataset), teacher_checksum, machine]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def trained_before(self, dataset: SegmentationDataset) -> Record | None:
        """The record of this run if its training is what it would be today, so that at most the scores are not."""
        try:
            record = read_record(self.folder / "record.json")
            results = self.results / self.study.name
            differ = training_differences(self.study, results, record, self.code, data_checksum(dataset))
        except RecordError:
            return None
        has_state = any((self.folder / STATE_FOLDER).glob("*"))
        return record if has_state and not differ else None


def _machine(devices: int) -> list[object]:
    """What the last bits of weights depend on besides code and data."""
    shared = [devices] if devices > 1 else []
    return [torch.get_num_threads(), mixed_precision(), instruction_set(), version("torch"), *shared]


def _machine_of(trained: Provenance) -> list[object]:
    """The same of the machine on which weights were trained: finished weights are scored on any."""
    shared = [trained.devices] if trained.devices > 1 else []
    return [trained.threads, trained.precision, trained.instruction_set, trained.packages.get("torch"), *shared]


def open_run(study: str, method: str, seed: int | None, results: str, *, threads: int, devices: int = 1) -> Run:
    """Read the study, find the run in it, and set the threads that this process computes with.

    Args:
        study: the study's YAML file.
        method: "teacher", or a method of the study.
        seed: the student's seed; None for the teacher's own.
        results: the folder of all studies' results; a relative one lies in the clone.
        threads: part of the run's identity: another number may change the last bits. Several devices share them.
        devices: how many train the run; part of its identity likewise.

    Raises:
        StudyError: no such study or method, or a batch cannot be shared equally by so many devices.
        DeviceError: the machine has fewer devices.
    """
    prepare(threads)
    spec = load_study(study)
    code = run_code(spec, method)
    run = Run(
        study=spec,
        method=method,
        seed=spec.teacher.seed if seed is None else seed,
        results=repository() / results,
        settings=run_settings(spec, None if method == TEACHER else method, seed),
        code=code,
        commit=commit(code.files),
        devices=devices,
        hosts=host_count(devices),
    )
    check_machine(devices)
    run.training.check_shares(devices)
    return run


def load_training(run: Run, dataset: SegmentationDataset) -> TrainingSplit:
    """The training split: its augmented views if the study has `augmentation`, else all images in memory."""
    match run.study.augmentation:
        case config.AugmentationConfig():
            from pfs.data.augmentation import AugmentedViews, augmented_split  # torchvision takes a second to import

            return augmented_split(AugmentedViews(dataset, run.study.augmentation))
        case None:
            return ImageSplit(*decoded(dataset))


def load_eval_splits(run: Run, splits: dict[str, SegmentationDataset], size: tuple[int, int]) -> dict[str, ScoredSplit]:
    """The splits that networks are scored on: in memory, or read one by one where the study has an `evaluation`.

    Args:
        run: of the study.
        splits: the data.
        size: height and width to which `EvalSplit.read` crops or pads images of many sizes, to show them.

    Raises:
        DatasetError: a split is missing, or images differ in size and the study has no `evaluation`.
    """
    if missing := [split for split in run.splits if split not in splits]:
        raise DatasetError(
            f"networks are scored on val and test, and these data have no {missing[0]} (only {', '.join(splits)}): "
            "say in the study's data, with holdout, how many training images become val; their own val is then test"
        )
    if run.study.evaluation is not None:
        return {split: EvalSplit(splits[split], size) for split in run.splits}
    return {split: ImageSplit(*decoded(splits[split])) for split in run.splits}


def evaluate(
    run: Run, network: nn.Module, splits: dict[str, SegmentationDataset], images: dict[str, ScoredSplit]
) -> dict[Split, Metrics]:
    """Score a network on the run's splits; each image's confusion counts go to the run's `confusion.npz`."""
    counts = {split: count_split(network, splits[split], images[split], run.study.evaluation) for split in run.splits}
    write_arrays(run.folder / "confusion.npz", {split: count.to(torch.int32) for split, count in counts.items()})
    return {split: score(count, splits[split].classes) for split, count in counts.items()}


def write_arrays(path: Path, tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Write tensors into an .npz file, whole, and return them as arrays by the same names."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    write_npz(path, arrays)
    return arrays


def save_weights(run: Run, network: nn.Module) -> str:
    """Keep the weights in the run's `checkpoint.pt`; returns their checksum."""
    return write_checkpoint(network, run.folder / "checkpoint.pt")


def finish(
    run: Run,
    network: nn.Module,
    progress: Progress,
    metrics: dict[Split, Metrics],
    dataset: SegmentationDataset,
    *,
    size: tuple[int, int],
    teacher_checksum: str | None,
    curve: list[dict[str, float]] | None = None,
    files: dict[str, str] | None = None,
) -> Record:
    """Write the run's record, its last file: from here on the workflow takes the run as done.

    The record of a run that was done before, and has only been looked at again, stays as it is.

    Args:
        size: height and width of the images that it was trained on.
        teacher_checksum: of the teacher that the student learnt from; a teacher names itself.
        curve: its learning curve on val.
        files: what the run left besides checkpoint, confusion counts, examples and snapshots, by name.
    """
    made = (run.study, run.results / run.study.name, run.method, run.seed, run.code)
    if not why_stale(*made, data_checksum(dataset), check_cache=check_files_once):
        return read_record(run.folder / "record.json")
    trained = run.trained_before(dataset)
    snapshots = {f"snapshot of step {step}": snapshot_file(step) for step in run.training.snapshot_steps}
    record = Record(
        study=run.study.teacher_study if run.method == TEACHER else run.study.name,
        method=run.method,
        seed=run.seed,
        settings=run.settings,
        metrics=metrics,
        history=progress.history,
        val_curve=curve or [],
        cost=Cost(parameters=count_parameters(network), macs=count_macs(network, size)),
        timing=_timing(run, progress) if trained is None else trained.timing,
        provenance=_provenance(run, network, dataset, teacher_checksum, trained),
        files={**FILES, **snapshots, **(files or {})},
    )
    write_record(record, run.folder)
    return record


def _timing(run: Run, progress: Progress) -> Timing:
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() and run.devices == 1 else None
    return Timing(
        training_seconds=progress.seconds,
        total_seconds=time.perf_counter() - run.started + progress.earlier_seconds,
        peak_memory_mib=peak_memory_mib(run.devices),
        peak_gpu_memory_mib=gpu,
    )


def _provenance(
    run: Run, network: nn.Module, dataset: SegmentationDataset, teacher_checksum: str | None, trained: Record | None
) -> Provenance:
    """Where the numbers come from; of weights that were only scored again, the machine that trained them."""
    head, dirty = run.commit
    if trained is not None:
        code = {"commit": head, "dirty": dirty, "code": run.code, "code_hash": run.code.digest}
        return trained.provenance.model_copy(update=code)
    return Provenance(
        commit=head,
        dirty=dirty,
        code=run.code,
        code_hash=run.code.digest,
        packages=package_versions(),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        instruction_set=instruction_set(),
        threads=torch.get_num_threads(),
        devices=run.devices,
        hosts=run.hosts,
        precision=mixed_precision(),
        device=str(next(network.parameters()).device),
        data_checksum=data_checksum(dataset),
        teacher_checksum=teacher_checksum,
        data_seed=run.study.data.seed,
        teacher_seed=run.study.teacher.seed,
        seed=run.seed,
    )

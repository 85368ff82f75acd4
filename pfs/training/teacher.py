"""The teacher's outputs: cached on disk, or asked for at every step."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from accelerate import PartialState
from torch import Tensor, nn

from pfs.config.checksums import LIST, BrokenFileError, check_files_once, files_under, write_checksums
from pfs.data.dataset import SegmentationDataset, data_checksum
from pfs.data.splits import Teacher, TrainingSplit
from pfs.losses import Prediction
from pfs.losses.pfs import precompute_teacher_terms
from pfs.losses.prediction import CachedPrediction, sum_dtype
from pfs.models import build_network
from pfs.study.execution.progress.stage import StageBar
from pfs.study.execution.stopping import RunStoppedError, stop_requested
from pfs.study.places import TEACHER, run_folder
from pfs.study.records import Record, RecordError, read_record
from pfs.study.staleness import run_settings
from pfs.training.machine import autocast
from pfs.training.run import Run


class CacheError(ValueError):
    """The teacher's outputs cannot be kept or found."""


class CacheTooLargeError(CacheError):
    """The teacher's outputs take more room than there is: students can ask the teacher at every step."""


# --- the teacher --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TeacherOutputs:
    """The teacher's outputs for all N rows, memory-mapped: every student's process shares one copy.

    Attributes:
        logits: (N, classes, h, w) in bf16.
        features: (N, C, h', w') in bf16.
        teacher_terms: of the cached features, `precompute_teacher_terms`: (N,) in fp64, or (N, h' w', h' w') in fp16.
        folder: the cache that they are mapped from; None: they lie in memory alone.
    """

    logits: Tensor
    features: Tensor
    teacher_terms: Tensor
    folder: Path | None = None

    def __reduce__(self) -> tuple[Callable[..., "TeacherOutputs"], tuple[object, ...]]:
        """A copy for another process maps the same files, instead of holding what is in them."""
        if self.folder is not None:
            return open_teacher_outputs, (self.folder,)
        return TeacherOutputs, (self.logits, self.features, self.teacher_terms)

    @property
    def channels(self) -> int:
        """How many channels the features have."""
        return self.features.shape[1]

    def outputs(self, rows: Tensor, images: Tensor) -> CachedPrediction:
        """The outputs for the rows (B,) of a batch, in fp32, channels_last, on the device of their images."""
        device = images.device
        chosen = (x.permute(0, 2, 3, 1)[rows].permute(0, 3, 1, 2) for x in (self.logits, self.features))
        logits, features = (x.to(device).float() for x in chosen)
        teacher_terms = self.teacher_terms[rows]
        dtype = teacher_terms.dtype if teacher_terms.dim() == 3 else sum_dtype(device)
        return CachedPrediction(logits, features, teacher_terms.to(dtype).to(device))


@dataclass(frozen=True)
class OnlineTeacher:
    """The teacher itself, asked at every step: where its outputs cannot be kept.

    Attributes:
        network: in eval mode; it goes to the device of the images.
    """

    network: nn.Module

    @property
    def channels(self) -> int:
        """How many channels the features have."""
        channels: int = self.network.channels  # type: ignore[assignment]  # every network of ours has it
        return channels

    @torch.no_grad()
    def outputs(self, _: Tensor, images: Tensor) -> Prediction:
        """The outputs for normalised images (B, 3, H, W), rounded as the cache rounds them."""
        network = self.network.to(images.device)
        with autocast(network):
            output = network(images)
        return Prediction(*(x.bfloat16().float() for x in output))


# --- the teacher's cache ------------------------------------------------------------------------------------


def cache_teacher(
    teacher: nn.Module, split: TrainingSplit, folder: Path, *, batch_size: int, limit_gib: float | None = None
) -> None:
    """Run the teacher once over all rows and keep its outputs in `folder`, whole or not at all.

    Logits and features are kept: between them, the methods of a study and of those that extend it need both. So is what
    PFS would compute of the features again and again: their maps where these are smaller, else a number a row.

    Args:
        teacher: in eval mode; what is kept are its outputs as an `OnlineTeacher`.
        split: N images, or their views.
        folder: `outputs-<key>`, made by this; an earlier cache of this name is taken if its files are as they were
            written. A broken one is deleted, and so are those of other keys, from teachers that are no more.
        batch_size: rows a forward pass.
        limit_gib: what they may take; None: what is free.

    Raises:
        CacheTooLargeError: they would take more than is allowed or free; nothing has been written.
        CacheError: an output is not finite.
        RunStoppedError: the study was asked to stop; nothing has been kept.
    """
    if folder.is_dir() and _is_whole(folder):
        return
    device = next(teacher.parameters()).device
    for other in folder.parent.glob("outputs-*"):  # one that a killed process left unfinished, too
        shutil.rmtree(other)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True)
    outputs: TeacherOutputs | None = None
    batches = torch.arange(split.views * len(split)).split(batch_size)  # type: ignore[no-untyped-call]
    bar = StageBar(folder.parent, "outputs", len(batches))
    for number, (rows, (images, _, _)) in enumerate(zip(batches, split.batches(batches, device), strict=True), 1):
        if stop_requested():
            raise RunStoppedError("stopped while the teacher's outputs were computed; they will be computed anew")
        logits, features = OnlineTeacher(teacher).outputs(rows, images)
        output = {"logits": logits, "features": features, "teacher_terms": precompute_teacher_terms(features)}
        outputs = outputs or _allocate(output, split.views * len(split), unfinished, limit_gib)
        for name, values in output.items():
            if not values.isfinite().all():
                raise CacheError(f"the teacher's {name} for rows {rows[0]} to {rows[-1]} are not finite")
            getattr(outputs, name)[rows] = values.to("cpu", getattr(outputs, name).dtype)
        if bar.is_due or number == len(batches):
            bar.show(number)
    write_checksums(unfinished / LIST, files_under(unfinished))
    unfinished.rename(folder)


def _is_whole(folder: Path) -> bool:
    """Whether a cache is as it was written; one that is not is told in one line."""
    try:
        check_files_once(folder / LIST)
    except BrokenFileError as error:
        print(f"{error}: the teacher's outputs are computed again")
        return False
    return True


def open_teacher_outputs(folder: Path) -> TeacherOutputs:
    """The cache that `cache_teacher` made, memory-mapped.

    Raises:
        CacheError: there is none, it is not as it was written, or an older version of this code made it.
    """
    if not folder.is_dir():
        raise CacheError(f"{folder}: the teacher's outputs are not there; run train_teacher.ipynb first")
    try:
        check_files_once(folder / LIST)
    except BrokenFileError as error:
        raise CacheError(f"{error}; run the study again: the teacher's outputs are computed anew") from None
    shapes = json.loads((folder / "shapes.json").read_text(encoding="utf-8"))
    if shapes.keys() != {field.name for field in fields(TeacherOutputs)} - {"folder"}:
        raise CacheError(f"{folder}: the teacher's outputs are of another version; run train_teacher.ipynb again")
    return replace(_map(folder, shapes), folder=folder)


def _allocate(output: Mapping[str, Tensor], rows: int, folder: Path, limit_gib: float | None) -> TeacherOutputs:
    shapes = {name: [rows, *values.shape[1:]] for name, values in output.items()}
    needed = sum(_cache_dtype(shape).itemsize * math.prod(shape) for shape in shapes.values()) / 2**30
    free = shutil.disk_usage(folder).free / 2**30
    if needed > min(free, free if limit_gib is None else limit_gib):
        shutil.rmtree(folder)
        allowed = "" if limit_gib is None else f", the study's cache_gib allows {limit_gib:g}"
        raise CacheTooLargeError(
            f"{folder.parent}: the teacher's outputs for {rows} images take {needed:.3g} GiB, "
            f"{free:.3g} GiB are free{allowed}"
        )
    (folder / "shapes.json").write_text(json.dumps(shapes), encoding="utf-8")
    return _map(folder, shapes, writable=True)


def _map(folder: Path, shapes: dict[str, list[int]], *, writable: bool = False) -> TeacherOutputs:
    """The files of a cache as tensors; what is written to them reaches the files only if `writable`.

    Channels lie together, as in the outputs of a network in channels_last order: so a loss of either adds the same
    numbers in the same order.
    """
    tensors = {}
    for name, shape in shapes.items():
        size, dtype = math.prod(shape), _cache_dtype(shape)
        file = torch.from_file(str(folder / f"{name}.raw"), shared=writable, size=size, dtype=dtype)
        if len(shape) == 4:
            rows, channels, *grid = shape
            tensors[name] = file.view(rows, *grid, channels).movedim(-1, 1)
        else:
            tensors[name] = file.view(shape)
    return TeacherOutputs(tensors["logits"], tensors["features"], tensors["teacher_terms"])


def _cache_dtype(shape: Sequence[int]) -> torch.dtype:
    """Of logits and features (N, C, h, w), of maps (N, h' w', h' w'), and of a number a row."""
    return {4: torch.bfloat16, 3: torch.float16, 1: torch.float64}[len(shape)]


def cache_outputs(
    run: Run, teacher: nn.Module, split: TrainingSplit, dataset: SegmentationDataset, checksum: str
) -> dict[str, str]:
    """Keep a teacher's outputs beside its weights, unless they are too large for the disk or the study's `cache_gib`.

    Returns:
        For the record: what has been kept, by name. Nothing, and a line for the reader, if students are to ask.
    """
    outputs = f"outputs-{run.key(dataset, checksum)[:16]}"
    size, limit = run.training.batch_size, run.study.cache_gib
    if limit == 0:
        print("the study's cache_gib allows 0: students ask the teacher at every step")
        return {}
    try:
        cache_teacher(teacher, split, run.folder / outputs, batch_size=size, limit_gib=limit)
    except CacheTooLargeError as refusal:
        print(f"{refusal}: students ask the teacher at every step")
        return {}
    return {"outputs": outputs}


def load_teacher(run: Run, dataset: SegmentationDataset) -> tuple[Record, Teacher]:
    """The record of the teacher that this student learns from, and its outputs for the training images.

    They are read from its cache, or the teacher itself is asked where it has none.

    Raises:
        RecordError: the teacher has not been trained, or it was trained with other settings than the study's, or on
            other data.
    """
    folder = run_folder(run.study, run.results / run.study.name, TEACHER, run.study.teacher.seed)
    record = read_record(folder / "record.json")
    if record.settings != run_settings(run.study, None, None):
        raise RecordError(f"{folder}: this teacher was trained with other settings; run train_teacher.ipynb again")
    if record.provenance.data_checksum != data_checksum(dataset):
        raise RecordError(
            f"{folder}: this teacher was trained on other data of this name: give the study those (DATA=...), or "
            "delete the folder, and the teacher is trained anew"
        )
    if "outputs" in record.files:
        return record, open_teacher_outputs(folder / record.files["outputs"])
    network = build_network(run.study.teacher.network, len(dataset.classes), pretrained=False)
    network.load_state_dict(torch.load(folder / record.files["checkpoint"], weights_only=True))
    return record, OnlineTeacher(network.eval().to(PartialState().device).to(memory_format=torch.channels_last))

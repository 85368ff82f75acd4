"""One run's record, and the table of many.

A run writes `record.json` last and whole, so a record that exists is a run that finished. Tables and figures
read what `pfs collect` makes of the records, never a checkpoint. No torch here.
"""

import hashlib
import io
import subprocess
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from pfs.config.checksums import LIST, write_checksums
from pfs.config.files import atomic_write, repository
from pfs.config.text.mistakes import ToldError
from pfs.study.code.hashes import Code

Split = Literal["val", "test"]
SPLITS: tuple[Split, ...] = ("val", "test")
NOT_RECORDED = "not recorded"  # what a record of another version does not say
COLLECTED = ".collected.sha256.json"  # the checksums of what `collect` wrote


class RecordError(ToldError, ValueError):
    """A record is missing or cannot be read."""


class Block(BaseModel):
    """A block of a record: values keep their type and are finite.

    Records of other versions stay readable: a field that today's version does not know is kept, and one that it knows
    and the record does not have is None, or says `not recorded`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)


class Metrics(Block):
    """What one split says of a network, from one confusion matrix over the whole split.

    Attributes:
        miou: mean over the classes of the intersection over union, in percent.
        pixel_accuracy: share of the valid pixels that are right, in percent.
        iou: class name -> percent; None where the class is in neither prediction nor labels.
    """

    miou: float
    pixel_accuracy: float
    iou: dict[str, float | None]


class Cost(Block):
    """Trainable parameters, and multiply-accumulates of one forward pass of one image."""

    parameters: int | None = None
    macs: int | None = None


class Timing(Block):
    """Wall time and memory: the only block of a record in which identical reruns differ.

    Attributes:
        training_seconds: of all steps, in all sessions of the run.
        total_seconds: of the whole run.
        peak_memory_mib: of main memory. Of a run on several devices, whose processes are that many, it is what the
            largest of them took alone, not their sum.
        peak_gpu_memory_mib: of the GPU, where one trained the run.
    """

    training_seconds: float | None = None
    total_seconds: float | None = None
    peak_memory_mib: float | None = None
    peak_gpu_memory_mib: float | None = None


class Provenance(Block):
    """Where a run's numbers come from: code, data, seeds and machine.

    Bits are promised for the same packages, instruction set and threads; elsewhere numbers agree to a tolerance.

    Attributes:
        dirty: whether files whose code the run depends on differed from the commit.
        threads: that the run computed with, shared by its devices.
        devices: how many trained it, each an equal part of every batch.
        hosts: on how many machines they were.
        code_hash: the digest of `code`, by which tables name it.
        code: the code that the run depends on, file by file; None in records of older versions.
    """

    commit: str = NOT_RECORDED
    dirty: bool | None = None
    packages: dict[str, str] = {}
    python: str = NOT_RECORDED
    machine: str = NOT_RECORDED
    instruction_set: str = NOT_RECORDED
    threads: int | None = None
    devices: int = 1
    hosts: int = 1
    precision: str = NOT_RECORDED
    device: str = NOT_RECORDED
    data_checksum: str = NOT_RECORDED
    teacher_checksum: str | None = None
    code_hash: str = NOT_RECORDED
    code: Code | None = None
    data_seed: int | None = None
    teacher_seed: int | None = None
    seed: int | None = None


class Record(Block):
    """One finished run.

    Attributes:
        settings: the part of the study that this run depends on, `pfs.study.staleness.run_settings`.
        history: one dict a logged step: step, total, ce, each term, learning_rate.
        val_curve: one dict a step after which the network was scored on val: step, and miou in percent. Empty where the
            study asks for none.
        files: what else the run left -> the file's name beside the record.
    """

    study: str
    method: str
    seed: int
    settings: dict[str, Any] = {}
    metrics: dict[Split, Metrics]
    history: list[dict[str, float]] = []
    val_curve: list[dict[str, float]] = []
    cost: Cost = Cost()
    timing: Timing = Timing()
    provenance: Provenance = Provenance()
    files: dict[str, str] = {}


# --- files --------------------------------------------------------------------------------------------------


def write_npz(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write arrays into a compressed .npz file, whole; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stubs see options, not names
    atomic_write(path, buffer.getvalue())


def write_record(record: Record, folder: Path) -> Path:
    """Write `folder/record.json`, the last file of a run, and return its path.

    The checksums of the record and of the files that it names are written first. Of a folder, its own list of checksums
    counts, which lies in it.
    """
    path = folder / "record.json"
    content = record.model_dump_json(indent=1) + "\n"
    named = [folder / name for name in record.files.values()]
    files = [file / LIST if file.is_dir() else file for file in named]
    known = {path.name: hashlib.sha256(content.encode()).hexdigest()}
    write_checksums(folder / LIST, [file for file in files if file.is_file()], known)
    atomic_write(path, content)
    return path


def read_record(path: Path) -> Record:
    """Read one record.

    Raises:
        RecordError: the file is missing, cut off, or without scores; names file and fault.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise RecordError(f"{path}: no such record; the run has not finished") from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        message = f"{path}: broken record: {key} {fault['msg']}; delete it and run the study again"
        raise RecordError(message) from None


# --- provenance ---------------------------------------------------------------------------------------------


def commit(files: Collection[str]) -> tuple[str, bool]:
    """HEAD's commit, and whether any of some files differs from it; ("unknown", True) without git.

    Args:
        files: whose code numbers depend on, `Code.files`, as paths from the repository's root. Other files, such as a
            study that is not committed yet or a scratch notebook, change no number and are not looked at.
    """
    try:
        head = _git("rev-parse", "--verify", "HEAD")
        return head, bool(_git("status", "--porcelain", "--", *sorted(files)))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(repository()), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def package_versions() -> dict[str, str]:
    """Every installed distribution and its version, by name."""
    installed = {distribution.name: distribution.version for distribution in distributions()}
    return dict(sorted(installed.items()))


# --- the table of many --------------------------------------------------------------------------------------


def run_table(records: Iterable[Record], splits: Collection[Split] = SPLITS) -> pd.DataFrame:
    """One row a run and split, in the records' order; the columns of `runs.csv`."""
    return pd.DataFrame([_row(record, split) for record in records for split in splits if split in record.metrics])


def _row(record: Record, split: Split) -> dict[str, object]:
    metrics, timing, provenance = record.metrics[split], record.timing, record.provenance
    return {
        "study": record.study,
        "method": record.method,
        "seed": record.seed,
        "split": split,
        "miou": metrics.miou,
        "pixel_accuracy": metrics.pixel_accuracy,
        "parameters": record.cost.parameters,
        "macs": record.cost.macs,
        "seconds": timing.total_seconds,
        "training_seconds": timing.training_seconds,
        "peak_memory_mib": timing.peak_memory_mib,
        "commit": provenance.commit,
        "dirty": provenance.dirty,
        "threads": provenance.threads,
        "precision": provenance.precision,
        "instruction_set": provenance.instruction_set,
        "data_checksum": provenance.data_checksum,
        "teacher_checksum": provenance.teacher_checksum,
        "code_hash": provenance.code_hash,
        **{f"iou_{name}": iou for name, iou in metrics.iou.items()},
    }

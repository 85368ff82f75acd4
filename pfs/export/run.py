"""A finished run as a folder that other programs can use: `pfs export`."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from pfs.config.checksums import sha256
from pfs.config.files import atomic_write, repository
from pfs.config.study import Study
from pfs.data.build import build
from pfs.data.dataset import DatasetError, SegmentationDataset, data_checksum
from pfs.data.install.state import current_checksum
from pfs.export.card import card
from pfs.export.description import Description, Quantised, write_description
from pfs.export.folder import BLOCK, CARD, CONFIG, INCOMPLETE, INT8, ONNX, WEIGHTS, ExportError, is_exported
from pfs.export.int8 import write_int8
from pfs.export.onnx_file import write_onnx
from pfs.export.weights import library_config, normalisation, write_weights
from pfs.models import build_network
from pfs.study.code.hashes import run_code
from pfs.study.places import TEACHER, run_folder, runs_of, study_folder
from pfs.study.records import Record, read_record
from pfs.study.staleness import why_stale

TEMPORARY = ".pfs-export-"  # how a folder is called in which files are made that belong beside it


def export_run(
    study: Study, method: str, seed: int, out: Path, *, results: str, data: str, command: str, int8: bool = False
) -> Description:
    """Write the folder of a finished run, whole or not at all; an older export there is replaced, and other files stay.

    Args:
        study: the study.
        method: a method of it, or "teacher".
        seed: the run's seed.
        out: the folder.
        results: the folder of all results.
        data: the folder of all data sets; int8 needs the study's, everything else does not.
        command: the one that brings the study up to date, for errors.
        int8: whether to write and score an int8 network too.

    Returns:
        What its config.json says.

    Raises:
        StudyError: no such method.
        ExportError: no such seed; the run is missing, stale or damaged; the network cannot be exported; or the folder
            holds something else.
    """
    record = finished_record(study, method, seed, results=results, data=data, command=command)
    splits = _data_of(study, record, repository() / data) if int8 else None
    network = _network(study, record, run_folder(study, study_folder(study, results), method, seed))
    with published(out) as folder:
        buffers = write_weights(network, folder / WEIGHTS)
        write_onnx(network, folder / ONNX)
        quantised = write_int8(folder / ONNX, folder / INT8, splits) if splits is not None else None
        library, why_not = library_config(network, folder / WEIGHTS)
        description = _describe(study, record, network, folder, buffers, quantised)
        atomic_write(folder / CARD, card(study, record, description, study_folder(study, results), why_not))
        write_description(folder, description, library)
    return description


def finished_record(study: Study, method: str, seed: int, *, results: str, data: str, command: str) -> Record:
    """The record of a run of today's settings, code and data, with all its files as they were written.

    Raises:
        StudyError: no such method.
        ExportError: no such seed, or the run must be made again; says by which command.
    """
    if method != TEACHER:
        study.method(method)
    seeds = [number for name, number in runs_of(study) if name == method]
    if seed not in seeds:
        raise ExportError(f"study {study.name}: {method} has no seed {seed}, but {', '.join(map(str, seeds))}")
    folder = study_folder(study, results)
    found = current_checksum(study.data, repository() / data)
    stale = why_stale(study, folder, method, seed, run_code(study, method), found)
    if stale is not None:
        raise ExportError(f"{stale}; to bring it up to date: {command}")
    return read_record(run_folder(study, folder, method, seed) / "record.json")


def _network(study: Study, record: Record, folder: Path) -> nn.Module:
    """The run's network with its final weights, in eval mode."""
    spec = (study.teacher if record.method == TEACHER else study.student).network
    network = build_network(spec, len(_classes(record)), pretrained=False)
    network.load_state_dict(torch.load(folder / record.files["checkpoint"], map_location="cpu", weights_only=True))
    return network.eval()


def _classes(record: Record) -> list[str]:
    return list(record.metrics["test"].iou)


def _data_of(study: Study, record: Record, data: Path) -> dict[str, SegmentationDataset]:
    """The data that the run learnt from, for calibration and scores."""
    try:
        splits = build(study.data, data)
    except DatasetError as error:
        raise ExportError(f"--int8 needs the study's data: {error}") from None
    if data_checksum(splits["test"]) != record.provenance.data_checksum:
        raise ExportError(f"{splits['test'].folder}: are other data than the run learnt from: --int8 needs the same")
    return splits


def _describe(
    study: Study,
    record: Record,
    network: nn.Module,
    folder: Path,
    buffers: dict[str, list[float]],
    quantised: Quantised | None,
) -> Description:
    classes = _classes(record)
    training = study.teacher if record.method == TEACHER else study.student
    return Description(
        study=study.name,
        method=record.method,
        seed=record.seed,
        commit=record.provenance.commit,
        network=training.network,
        classes=classes,
        palette=SegmentationDataset.palette[: len(classes)].tolist(),
        ignore_index=SegmentationDataset.ignore_index,
        normalisation=normalisation(network),
        buffers=buffers,
        data_checksum=record.provenance.data_checksum,
        miou={split: metrics.miou for split, metrics in record.metrics.items()},
        int8=quantised,
        sha256={name: sha256(folder / name) for name in (WEIGHTS, ONNX, INT8) if (folder / name).is_file()},
    )


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """A temporary folder; once the block has written the files of an export there, they become those of `out`.

    Other files of `out` stay. The temporary folder lies in `out` if that is there, which may be a disk of its own.

    Raises:
        ExportError: `out` holds something, and `pfs export` did not write it.
    """
    out = out.resolve()
    if out.exists() and not _may_be_written(out):
        raise ExportError(f"{out}: is there and is no exported folder: name another with --out, or delete it")
    place, prefix = (out, TEMPORARY) if out.is_dir() else (out.parent, f".{out.name[:50]}.")
    place.mkdir(parents=True, exist_ok=True)
    for left in place.glob(f"{TEMPORARY}*"):  # by an export that was killed
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
    try:
        yield folder
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if out.is_dir():
            _replace_files(folder, out)
        else:
            folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _may_be_written(out: Path) -> bool:
    if not out.is_dir():
        return False
    return is_exported(out) or all(path.name.startswith(TEMPORARY) for path in out.iterdir())


def _replace_files(folder: Path, out: Path) -> None:
    """Move an export's files to where an older export may lie.

    In between config.json says that the folder is incomplete. So whenever this process is killed, the folder is the old
    export, or the new one, or whoever reads it is told.
    """
    atomic_write(out / CONFIG, json.dumps({BLOCK: INCOMPLETE}) + "\n")
    for name in (WEIGHTS, ONNX, INT8, CARD):
        if (folder / name).is_file():
            (folder / name).replace(out / name)
        else:
            (out / name).unlink(missing_ok=True)
    (folder / CONFIG).replace(out / CONFIG)

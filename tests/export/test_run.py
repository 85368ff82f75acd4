"""`pfs export` takes a finished run of today and nothing else, and writes its folder whole or not at all."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pfs
from pfs.config.base import StudyError
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.build import build
from pfs.data.dataset import DatasetError, data_checksum
from pfs.export import run as module
from pfs.export.description import Description, read_description
from pfs.export.folder import BLOCK, CARD, CONFIG, INT8, ONNX, WEIGHTS, ExportError, read_block
from pfs.export.run import export_run, finished_record, published
from pfs.export.session import Session
from pfs.models import build_network
from pfs.report.tables.collect import collect
from pfs.study.code.hashes import run_code
from pfs.study.places import run_folder
from pfs.study.records import Metrics, Record, read_record, write_record
from pfs.study.staleness import run_settings
from pfs.training.checkpoint import write_checkpoint
from pfs.training.evaluation import confusion_counts, score
from pfs.training.run import FILES
from tests.export.conftest import largest_file
from tests.study.test_records import make_record

STUDY = """# A small one.
name: small
data: {name: digit_scenes, train: 4, val: 2, test: 8}
teacher: {network: {name: dilated_resnet, width: 4}, steps: 2, batch_size: 2, learning_rate: 1.0e-3}
student: {network: {name: dilated_resnet, width: 2}, steps: 2, batch_size: 2, learning_rate: 1.0e-3}
methods: {ce: {}, pfs: {pfs: {weight: 4.0}}}
reference: ce
seeds: [0, 1]
"""


class Place:
    """A study with one finished run, `ce` of seed 0, whose weights are random."""

    def __init__(self, folder: Path, data: Path) -> None:
        (folder / "small.yaml").write_text(STUDY)
        self.study: Study = load_study(folder / "small.yaml")
        self.results, self.data = folder / "results", data
        self.out = folder / "exports" / "student"
        self.run = run_folder(self.study, self.results / "small", "ce", 0)
        self.finish(run_code(self.study, "ce"))

    def finish(self, code: Any) -> Record:
        """Leave the files of a finished run."""
        splits = build(self.study.data, self.data)
        classes = splits["test"].classes
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build_network(self.study.student.network, len(classes)).eval()
        self.run.mkdir(parents=True, exist_ok=True)
        write_checkpoint(network, self.run / "checkpoint.pt")
        for name in ("confusion.npz", "examples.npz"):
            np.savez(self.run / name, nothing=np.zeros(1))
        metrics = {split: self._metrics(network, splits[split]) for split in ("val", "test")}
        record = make_record("ce", 0)
        checksum = data_checksum(splits["test"])
        origin = {"code": code, "code_hash": code.digest, "data_checksum": checksum, "teacher_checksum": None}
        changes = {
            "settings": run_settings(self.study, "ce", 0),
            "metrics": metrics,
            "files": FILES,
            "provenance": record.provenance.model_copy(update=origin),
        }
        record = record.model_copy(update=changes)
        write_record(record, self.run)
        return record

    @staticmethod
    def _metrics(network: torch.nn.Module, dataset: Any) -> Metrics:
        from pfs.data.splits import ImageSplit

        images = [np.array(dataset[index][0]).transpose(2, 0, 1) for index in range(len(dataset))]
        labels = [np.array(dataset[index][1]) for index in range(len(dataset))]
        split = ImageSplit(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels)))
        return score(confusion_counts(network, split, classes=len(dataset.classes), ignore_index=255), dataset.classes)

    def export(self, method: str = "ce", seed: int = 0, **options: Any) -> Description:
        where: dict[str, Any] = {"results": str(self.results), "data": str(self.data), "command": "pfs study small"}
        return export_run(self.study, method, seed, self.out, **where, **options)


@pytest.fixture
def place(tmp_path: Path, data: Path) -> Place:
    return Place(tmp_path, data)


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX files take seconds, and most tests here are not about them."""
    monkeypatch.setattr(module, "write_onnx", lambda network, file: file.write_bytes(b"onnx"))


def test_a_run_becomes_a_folder(place: Place) -> None:
    """With the network in 8 bits. It scores what the record says, whatever reads it: torch, or ONNX Runtime."""
    told = place.export(int8=True)
    assert sorted(file.name for file in place.out.iterdir()) == sorted((CARD, CONFIG, INT8, ONNX, WEIGHTS))
    assert told == read_description(place.out)
    record = read_record(place.run / "record.json")
    assert told.int8 is not None
    for split, metrics in record.metrics.items():
        assert told.int8.fp32[split] == pytest.approx(metrics.miou, abs=0.01)  # but for ties
        assert told.int8.int8[split] == pytest.approx(metrics.miou, abs=5)
    assert told.int8.calibrated_on == 4
    checkpoint = torch.load(place.run / "checkpoint.pt", weights_only=True)
    state = pfs.load(place.out).state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in checkpoint.items())
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 50, 3), dtype=np.uint8)
    fp32, int8 = (Session(place.out / name)(images) for name in (ONNX, INT8))
    assert 0 < np.abs(int8 - fp32).max() < 0.2 * np.abs(fp32).max()
    assert "In 8 bits" in (place.out / CARD).read_text()
    assert {file.stat().st_mode & 0o777 for file in place.out.iterdir()} == {0o644}
    assert [path.name for path in place.out.parent.iterdir()] == ["student"]


# --- how the folder is written ------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def version(text: str, *names: str) -> dict[str, bytes]:
    """The files of an export, by name."""
    return {**{name: text.encode() for name in names}, CONFIG: json.dumps({BLOCK: {"commit": text}}).encode()}


OLD = version("old", WEIGHTS, ONNX, INT8, CARD)
NEW = version("new", WEIGHTS, ONNX, CARD)  # without one in 8 bits


def export(out: Path, files: dict[str, bytes]) -> None:
    with published(out) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def test_an_older_export_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "out"
    export(out, OLD)
    assert contents(out) == OLD
    (out / "notes.txt").write_text("mine")
    export(out, NEW)
    assert contents(out) == {**NEW, "notes.txt": b"mine"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["thesis.tex", CONFIG])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    for out in (tmp_path, tmp_path / name):  # a file is no folder, either
        with pytest.raises(ExportError, match="is no exported folder"):
            export(out, NEW)
    assert contents(tmp_path) == {name: b"{}"}


def test_an_empty_folder_is_filled_even_through_a_link(tmp_path: Path) -> None:
    """It may be a disk of its own, beside which no temporary folder could lie."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    export(tmp_path / "out", NEW)
    assert contents(tmp_path / "real") == NEW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "real"]


def state(out: Path) -> str:
    """Which export the folder holds; an assertion unless it is one of the two, or tells that it is incomplete."""
    now = contents(out)
    if now in (OLD, NEW):
        return "old" if now == OLD else "new"
    with pytest.raises(ExportError, match="is incomplete"):
        read_block(out)
    return "incomplete"


def test_an_export_that_is_killed_leaves_the_old_one_or_the_new_one_or_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each move of a file; whatever is left, the next export makes it whole."""
    move, states = Path.replace, []
    for moves in range(6):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        export(tmp_path / "out", OLD)
        moved = iter(range(moves))

        def killed(file: Path, target: Path, moved: Iterator[int] = moved) -> Path:
            if next(moved, None) is None:
                raise KeyboardInterrupt
            return move(file, target)

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(Path, "replace", killed)
            export(tmp_path / "out", NEW)
        states.append(state(tmp_path / "out"))
        export(tmp_path / "out", NEW)
        assert contents(tmp_path / "out") == NEW
    assert states == ["old", *["incomplete"] * 4, "new"]


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / f"{module.TEMPORARY}x").mkdir()
    (tmp_path / f"{module.TEMPORARY}x" / WEIGHTS).write_bytes(b"")
    export(tmp_path, NEW)
    assert contents(tmp_path) == NEW


def test_what_fails_leaves_the_folder_as_it_was(
    place: Place, without_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.export()
    before = contents(place.out)

    def fail(*_: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(module, "card", fail)
    with pytest.raises(OSError, match="no space"):
        place.export()
    assert contents(place.out) == before
    assert [path.name for path in place.out.parent.iterdir()] == ["student"]


def test_a_full_disk_is_told_with_the_file_and_nothing_stays(place: Place, without_onnx: None) -> None:
    with largest_file(1000), pytest.raises(OSError) as raised:
        place.export()
    assert (raised.value.errno, Path(raised.value.filename).name) == (errno.EFBIG, WEIGHTS)
    assert list(place.out.parent.iterdir()) == []


def break_checkpoint(place: Place) -> None:
    content = bytearray((place.run / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (place.run / "checkpoint.pt").write_bytes(content)


def change_code(place: Place) -> None:
    code = run_code(place.study, "ce")
    place.finish(code.model_copy(update={"training": {**code.training, "pfs/losses/wsp.py": "other"}}))


FAULTS: list[tuple[Callable[[Place], object], str]] = [
    (lambda place: (place.run / "record.json").unlink(), "has not finished"),
    (lambda place: (place.run / "checkpoint.pt").unlink(), r"checkpoint\.pt is missing"),
    (break_checkpoint, r"checkpoint\.pt is not as it was written"),
    (change_code, "made with other training code"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_a_run_that_is_missing_stale_or_damaged_is_told_with_the_command(
    place: Place, fault: Callable[[Place], object], said: str
) -> None:
    fault(place)
    with pytest.raises(ExportError, match=f"{said}.*; to bring it up to date: pfs study small") as raised:
        place.export()
    assert "\n" not in str(raised.value)
    assert not place.out.exists()


def test_unknown_methods_and_seeds_are_told(place: Place) -> None:
    with pytest.raises(StudyError, match=r"unknown method 'pfsp'; did you mean pfs\?"):
        place.export("pfsp")
    with pytest.raises(ExportError, match="ce has no seed 7, but 0, 1"):
        place.export("ce", 7)
    with pytest.raises(ExportError, match="teacher has no seed 1, but 0"):
        place.export("teacher", 1)


def test_int8_wants_the_data_that_the_run_learnt_from(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "data_checksum", lambda dataset: "other")
    with pytest.raises(ExportError, match="other data than the run learnt from"):
        place.export(int8=True)


def test_int8_wants_data_that_are_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise DatasetError("data/camvid has not been verified: run pfs data camvid")

    monkeypatch.setattr(module, "build", missing)
    with pytest.raises(ExportError, match=r"--int8 needs the study's data: data/camvid .* run pfs data camvid"):
        place.export(int8=True)


def test_the_card_tells_the_interval_over_the_seeds_of_the_table(place: Place, without_onnx: None) -> None:
    place.export()
    assert "one seed: no interval" in (place.out / CARD).read_text()
    first = finished_record(place.study, "ce", 0, results=str(place.results), data=str(place.data), command="")
    metrics = {
        split: found.model_copy(
            update={
                "miou": found.miou + 2,
                "iou": {name: None if iou is None else iou + 2 for name, iou in found.iou.items()},
            }
        )
        for split, found in first.metrics.items()
    }
    second = run_folder(place.study, place.results / "small", "ce", 1)
    write_record(first.model_copy(update={"seed": 1, "metrics": metrics, "files": {}}), second)
    for folder in (place.run, second):
        np.savez(folder / "examples.npz", prediction=np.zeros(1), similarity=np.zeros(1))
    collect(place.study, place.results / "small", [("ce", 0), ("ce", 1)])
    write_record(first, place.run)  # the checksum of its examples
    place.export()
    # Two seeds 2 points apart: the standard error is 1, and t(0.975, 1) is 12.706.
    mean = first.metrics["test"].miou + 1
    assert f"{mean:.1f} [{mean - 12.706:.1f}, {mean + 12.706:.1f}], 2 seeds" in (place.out / CARD).read_text()

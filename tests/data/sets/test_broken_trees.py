"""Data trees with links in circles, pipes, sockets and devices: told in a line each, without hang or traceback."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.base import PlacedDataset
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures
from tests.data.pascal_detail import pascal_detail

Kind = type[PlacedDataset]
# Of each data set: its miniature, how many images its splits have, an image, a mask, and what lists or describes them.
TREES: dict[Kind, tuple[Callable[[Path], Path], dict[str, int], tuple[str, ...]]] = {
    Voc2012: (
        miniatures.voc2012,
        {"train": 2, "trainaug": 4, "val": 1},
        (
            "VOCdevkit/VOC2012/JPEGImages/2007_01.jpg",
            "VOCdevkit/VOC2012/SegmentationClass/2007_01.png",
            "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt",
            "benchmark_RELEASE/dataset/cls/2008_01.mat",
            "benchmark_RELEASE/dataset/val.txt",
        ),
    ),
    Ade20k: (
        miniatures.ade20k,
        {"train": 2, "val": 1},
        (
            "ADEChallengeData2016/images/training/ADE_train_01.jpg",
            "ADEChallengeData2016/annotations/validation/ADE_val_01.png",
        ),
    ),
    PascalContext60: (
        pascal_detail,
        {"train": 2, "val": 1},
        ("VOCdevkit/VOC2010/JPEGImages/2008_000001.jpg", "VOCdevkit/VOC2010/trainval_merged.json"),
    ),
    CamVid: (
        miniatures.camvid,
        {"train": 2, "val": 1, "test": 1},
        ("train/train_01.png", "valannot/val_01.png", "test.txt"),
    ),
    OwnFolder: (miniatures.own_folder, {}, ("images/train/00.JPG", "masks/val/02.png")),
}
FILES = [(kind, file) for kind, (_, _, files) in TREES.items() for file in files]


def pipe(file: Path) -> None:
    os.mkfifo(file)


def link_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


def link_to_nothing(file: Path) -> None:
    file.symlink_to("nowhere")


def link_to_its_folder(file: Path) -> None:
    file.symlink_to(".")


def folder(file: Path) -> None:
    file.mkdir()


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")  # without an end


def bound_socket(file: Path) -> None:
    before = Path.cwd()
    os.chdir(file.parent)  # a socket's path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(file.name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(("kind", "file"), FILES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_what_is_no_regular_file_is_told_in_one_line(
    kind: Kind, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, counts, _ = TREES[kind]
    monkeypatch.setattr(kind, "counts", counts)
    source = make(tmp_path / "own")
    (source / file).unlink()
    for put in (pipe, link_to_itself, link_to_nothing, link_to_its_folder, folder, device, bound_socket):
        put(source / file)
        with pytest.raises(DatasetError) as error:
            place(kind, tmp_path / "data", source=source)
        (line,) = set(str(error.value).splitlines())
        assert Path(file).name in line or os.path.realpath(source / file) in line or "nowhere" in line, put
        (source / file).rmdir() if put is folder else (source / file).unlink()


def test_folders_that_link_to_themselves_are_told(tmp_path: Path) -> None:
    source = miniatures.own_folder(tmp_path / "own")
    for name in ("images/train", "masks/val"):
        (source / name / "loop").symlink_to("loop")
    with pytest.raises(DatasetError) as error:
        place(OwnFolder, tmp_path / "data", source=source)
    assert [line.split()[0] for line in str(error.value).splitlines()] == [
        str(source / "images/train/loop"),
        str(source / "masks/val/loop"),
    ]


def test_a_list_of_zero_bytes_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CamVid, "counts", TREES[CamVid][1])
    source = miniatures.camvid(tmp_path / "own")
    (source / "val.txt").write_bytes(bytes(100))
    with pytest.raises(DatasetError, match=r"own/val.txt is not text: it holds a byte that is zero"):
        place(CamVid, tmp_path / "data", source=source)


def test_an_editors_link_to_nothing_does_not_stop_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CamVid, "counts", TREES[CamVid][1])
    source = miniatures.camvid(tmp_path / "own")
    dataset = CamVid(place(CamVid, tmp_path / "data", source=source), "val")
    (source / "val/.#val_01.png").symlink_to("somebody@somewhere.1:2")
    before, after = decoded(dataset), decoded(dataset)  # the second reads what the first has kept
    assert all(one.equal(other) for one, other in zip(before, after, strict=True))

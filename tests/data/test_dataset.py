"""Every damage of a file is told in one line, and some training images can be held out."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pfs.config import data as data_config
from pfs.data.build import build
from pfs.data.dataset import DatasetError, data_checksum, hold_out, hold_out_sequence
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.base import PlacedDataset
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.voc2012 import Voc2012
from tests.data.trees import Kind, every_kind, tree


def truncate(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[0]
    file.write_bytes(file.read_bytes()[:-100])
    return f"{file.name} cannot be read as an image"


def shrink(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    Image.open(file).resize((6, 5)).save(file)
    return f"{file.name} is 6x5, but its image is 12x10"


def label_200(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    changed = Image.open(file)
    changed.putpixel((3, 4), 200)
    changed.save(file)
    return f"{file.name} holds the label 200, which is neither a class"


def colour(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    Image.open(file).convert("RGB").save(file)
    return f"{file.name} is of mode RGB, not a mask with one label a pixel"


def remove(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    file.unlink()
    return f"{file.name} is missing"


def empty(dataset: PlacedDataset) -> str:
    if dataset.list_file.is_dir():
        for file in dataset.list_file.iterdir():
            file.unlink()
    else:
        dataset.list_file.write_text("")
    expected = "no image: the split is empty" if dataset.count is None else f"0 images instead of {dataset.count}"
    return f"{dataset.list_file.name} lists {expected}"


@every_kind
@pytest.mark.parametrize("damage", [truncate, shrink, label_200, colour, remove, empty])
def test_every_damage_is_told_with_the_files_name(
    kind: Kind, damage: Callable[[PlacedDataset], str], tmp_path: Path
) -> None:
    source = tree(kind, tmp_path)
    expected = [damage(kind(source, split)) for split in ("train", "val")]
    with pytest.raises(DatasetError) as error:
        place(kind, tmp_path / "data", source=source)
    lines = str(error.value).splitlines()
    for part in expected:
        assert any(part in line and str(source) in line and "pfs data" in line for line in lines), (part, lines)
    assert [path.suffix for path in (tmp_path / "data").iterdir()] == [".lock"]


def test_training_images_are_held_out_where_test_labels_are_not_public(tmp_path: Path) -> None:
    for kind in (Voc2012, OwnFolder):
        place(kind, tmp_path / "data", source=tree(kind, tmp_path / kind.name))
    specs: list[data_config.Voc2012Config | data_config.OwnFolderConfig] = [
        data_config.Voc2012Config(name="voc2012", holdout=1)
    ]
    specs.append(data_config.OwnFolderConfig(name="folder", folder="own", holdout=1))
    for spec in specs:
        whole = build(spec.model_copy(update={"holdout": None}), tmp_path / "data")
        splits = build(spec, tmp_path / "data")
        assert list(splits) == ["train", "val", "test"]
        assert splits["test"].names == whole["val"].names
        assert sorted(splits["train"].names + splits["val"].names) == sorted(whole["train"].names)
        assert data_checksum(splits["train"]) == data_checksum(whole["train"])
        for split in ("train", "val"):  # the pixels go with the names
            images, _ = decoded(splits[split])
            everything, _ = decoded(whole["train"])
            rows = [whole["train"].names.index(name) for name in splits[split].names]
            assert torch.equal(images, everything[rows])
            np.testing.assert_array_equal(images[0].permute(1, 2, 0), np.asarray(splits[split][0][0]))


def test_what_is_held_out_is_the_same_for_every_order_and_grows_with_the_count(tmp_path: Path) -> None:
    dataset = Voc2012(tree(Voc2012, tmp_path), "trainaug")
    _, one = hold_out(dataset, 1)
    dataset.names = dataset.listed = dataset.names[::-1]
    _, two = hold_out(dataset, 2)
    assert set(one.names) < set(two.names)
    assert one.names == [min(dataset.names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())]


def test_a_sequence_of_a_film_is_held_out_whole(tmp_path: Path) -> None:
    dataset = CamVid(tree(CamVid, tmp_path), "train")
    dataset.names = dataset.listed = ["0006R0_f01140", "0016E5_01470", "0006R0_f00930", "0001TP_006690"]
    train, val = hold_out_sequence(dataset, "0006R0")
    assert train.names == ["0016E5_01470", "0001TP_006690"]
    assert val.names == ["0006R0_f01140", "0006R0_f00930"]
    with pytest.raises(DatasetError, match=r"holdout_sequence: 06R0: .* they have 0001TP, 0006R0, 0016E5"):
        hold_out_sequence(dataset, "06R0")
    dataset.names = dataset.listed = ["0006R0_f01140"]
    with pytest.raises(DatasetError, match="and another one"):
        hold_out_sequence(dataset, "0006R0")


def test_a_holdout_that_does_not_fit_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match="train has 2 images: holdout: 2 leaves none to learn from"):
        build(data_config.OwnFolderConfig(name="folder", folder="own", holdout=2), tmp_path / "data")
    for kind in ("images", "masks"):
        shutil.copytree(source / kind / "val", source / kind / "test")
    shutil.rmtree(tmp_path / "data")
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match=r"test: there is a test split: take holdout out of the study's data"):
        build(data_config.OwnFolderConfig(name="folder", folder="own", holdout=1), tmp_path / "data")

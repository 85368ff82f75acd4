"""A user's folder is taken once, is not written into, and is told where it has changed since."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.config import data as config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.own.layout import files_below
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.folder import OwnFolder
from pfs.study.trial.miniatures import HEIGHT, WIDTH, own_folder, picture
from tests.data.install.own.folders import COLORS, colors_file, images_with, options, pairs, taken


def test_data_that_were_brought_are_a_study_s(tmp_path: Path) -> None:
    pairs(tmp_path / "own/images", tmp_path / "own/masks")
    taken(tmp_path / "own")
    splits = build(config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")
    assert {split: decoded(dataset)[1].shape for split, dataset in splits.items()} == {
        split: (count, HEIGHT, WIDTH) for split, count in (("train", 14), ("val", 3), ("test", 3))
    }


def test_the_users_folder_is_not_written_into(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, COLORS)
    before = {file: file.read_bytes() for file in files_below(source, (".png", ".jpg"))}
    taken(source, options(colors_file(tmp_path)))
    assert {file: file.read_bytes() for file in source.rglob("*") if file.is_file()} == before


def test_the_same_command_again_verifies_and_another_says_what_differs(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, np.array([[0, 1, 2]], np.uint8))
    taken(source, options(ignore=[2]))
    taken(source, options(ignore=[2]))
    with pytest.raises(DatasetError) as error:
        taken(source, options(first=1))
    assert str(error.value) == (
        f"{tmp_path / 'data/folder-own'} is there already, made from {source} with --ignore 2; "
        f"delete it first, to make it from {source} with --first-class 1"
    )
    shutil.copytree(source, tmp_path / "other/own")
    with pytest.raises(
        DatasetError, match=rf"made from {source} with --ignore 2; delete it first, .* from .*other/own"
    ):
        place(OwnFolder, tmp_path / "data", source=tmp_path / "other/own", conversion=options(ignore=[2]))


@pytest.mark.parametrize("change", ["mask", "image", "colours"])
def test_a_folder_that_has_changed_since_is_told(change: str, tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, COLORS)
    file = colors_file(tmp_path)
    taken(source, options(file))
    if change == "mask":
        Image.fromarray(COLORS[::-1].copy()).save(source / "masks/1.png")
    if change == "image":
        picture(source / "images/9.jpg", (2, 2))
        Image.fromarray(COLORS).save(source / "masks/9.png")
    if change == "colours":
        file.write_text(file.read_text().replace("Tree", "Wood"))
    problem = "colors.txt has changed since" if change == "colours" else "in which images or masks have changed since"
    with pytest.raises(DatasetError, match=problem):
        taken(source, options(file))


def test_a_broken_origin_is_told(tmp_path: Path) -> None:
    images_with(tmp_path / "own", np.array([[0, 1]], np.uint8))
    taken(tmp_path / "own")
    (tmp_path / "data/folder-own/origin.json").write_text("{")
    with pytest.raises(
        DatasetError, match=r"origin.json is broken .*: delete .*folder-own and run the same command again"
    ):
        taken(tmp_path / "own")


def test_data_taken_before_there_was_an_origin_are_verified_as_they_are(tmp_path: Path) -> None:
    source = own_folder(tmp_path / "own")
    taken(source)
    (tmp_path / "data/folder-own/origin.json").unlink()
    taken(source)
    with pytest.raises(DatasetError, match="is there already"):
        taken(source, options(ignore=[2]))

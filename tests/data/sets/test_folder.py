"""One's own folder: its classes, and masks and images that do not belong together."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from tests.data.trees import tree


def test_ones_own_folder_names_its_classes(tmp_path: Path) -> None:
    folder = tree(OwnFolder, tmp_path)
    dataset = OwnFolder(folder, "train")
    assert dataset.classes == ("sky", "road", "tree and bush")
    assert dataset.names == ["00.JPG", "01.png"]
    assert OwnFolder.splits(folder) == ["train", "val"]
    (folder / "classes.txt").write_text("sky\nsky\n")
    with pytest.raises(DatasetError, match=r"classes.txt has 2 names, 1 of them different, not 2 to 255"):
        OwnFolder(folder, "train")


def test_two_images_that_share_a_mask_are_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    shutil.copy(source / "images/train/01.png", source / "images/train/00.png")
    with pytest.raises(DatasetError, match=r"images/train has two images called 00, and there is one mask; mend it"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_photograph_that_is_turned_when_it_is_shown_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    picture = Image.open(source / "images/train/00.JPG")
    exif = picture.getexif()
    exif[0x0112] = 3  # upside down: its size fits the mask's
    picture.save(source / "images/train/00.JPG", exif=exif)
    with pytest.raises(DatasetError, match=r"00.JPG is stored turned \(EXIF orientation 3\): save it upright"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_mask_without_an_image_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    (source / "images/train/00.JPG").unlink()
    with pytest.raises(DatasetError, match=r"masks/train/00.png has no image; mend it"):
        place(OwnFolder, tmp_path / "data", source=source)

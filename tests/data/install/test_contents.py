"""What a data set holds is counted while it is verified; what cannot be meant is told, what cannot be used refused."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.__main__ import main
from pfs.config import data as config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.contents import read_contents, report, warnings
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures


def save(file: Path, values: list[list[int]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(file)


def own(folder: Path, masks: dict[str, list[list[int]]], classes: str = "sky\nsea\n") -> Path:
    """One's own folder with masks by `split/name`; every image is noise of its own."""
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text(classes)
    for number, (name, values) in enumerate(masks.items()):
        noise = np.random.default_rng(number).integers(0, 256, (*np.shape(values), 3), np.uint8)
        save(folder / "images" / f"{name}.png", noise.tolist())
        save(folder / "masks" / f"{name}.png", values)
    return folder


GOOD = {"train/a": [[0, 1, 255]], "train/b": [[0, 0]], "val/c": [[1, 0]]}


def test_pixels_images_sizes_and_what_is_not_scored_are_counted_and_kept(tmp_path: Path) -> None:
    contents = read_contents(place(OwnFolder, tmp_path / "data", source=own(tmp_path / "own", GOOD)))
    assert contents is not None
    train = contents.splits["train"]
    assert (train.images, train.sizes) == (2, {"3 x 1": 1, "2 x 1": 1})
    assert (train.pixels, train.images_with, train.unscored) == ([3, 1], [2, 1], 1)
    assert train.unscored_share == pytest.approx(1 / 5)
    assert contents.duplicates == warnings(contents) == []


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(tmp_path / "own", GOOD)
    assert main(["data", "folder", "--from", str(tmp_path / "own"), "--data", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert "train: 2 images of 3 x 1 (1), 2 x 1 (1)" in said
    assert "75.00% (2)" in said  # sky in train
    assert "20.00%" in said  # of train is not scored
    assert said.rstrip().endswith("2 train, 1 val images, all verified")


def test_data_put_there_before_it_was_counted_are_counted_when_verified_again(tmp_path: Path) -> None:
    folder = place(OwnFolder, tmp_path / "data", source=own(tmp_path / "own", GOOD))
    (folder / "contents.json").unlink()
    assert read_contents(folder) is None
    place(OwnFolder, tmp_path / "data", source=tmp_path / "own")
    assert read_contents(folder) is not None


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ({**GOOD, "test/d": [[255, 255]]}, "no pixel of test has a class"),
        ({"train/a": [[0, 255]], "val/c": [[0, 255]]}, "every scored pixel of train is of one class, sky.*--binary"),
    ],
)
def test_what_nothing_can_be_learnt_from_or_scored_on_is_refused(
    tmp_path: Path, masks: dict[str, list[list[int]]], said: str
) -> None:
    with pytest.raises(DatasetError, match=said):
        place(OwnFolder, tmp_path / "data", source=own(tmp_path / "own", masks))
    assert not (tmp_path / "data" / "folder-own").exists()


def copy_image(folder: Path) -> None:
    shutil.copy(folder / "images/train/a.png", folder / "images/val/a.png")
    shutil.copy(folder / "masks/train/a.png", folder / "masks/val/a.png")


@pytest.mark.parametrize(
    ("masks", "classes", "change", "said"),
    [
        (GOOD, "sky\nsea\nsun\n", None, "no mask of train holds sun; if 0 is void in these masks, --first-class 1"),
        (GOOD, "void\nsea\n", None, "the first class is called void, and is scored like any other"),
        (GOOD, "sky\nsea\n", copy_image, "images that stand in two splits.*\\(1\\): train/a.png = val/a.png"),
        ({**GOOD, "val/c": [[0, 1, *[255] * 9]]}, "sky\nsea\n", None, "82% of val's pixels are not scored"),
    ],
)
def test_what_may_not_be_meant_is_told(
    tmp_path: Path,
    masks: dict[str, list[list[int]]],
    classes: str,
    change: Callable[[Path], None] | None,
    said: str,
) -> None:
    source = own(tmp_path / "own", masks, classes)
    if change is not None:
        change(source)
    contents = read_contents(place(OwnFolder, tmp_path / "data", source=source))
    assert contents is not None
    (line,) = [line for line in report(contents).splitlines() if line.startswith("look at this")][:1]
    assert re.search(said, line)


def test_a_label_just_beyond_the_last_class_is_told_with_what_it_may_mean(tmp_path: Path) -> None:
    """Void as 0 and classes from 1: with as many names as classes, the last one is out of range."""
    source = own(tmp_path / "own", {"train/a": [[0, 1, 2]], "val/c": [[1, 0]]})
    with pytest.raises(DatasetError, match=r"a.png holds the label 2, .*0 is void, say --first-class 1"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_mask_saved_as_jpeg_is_told_once_and_for_what_it_is(tmp_path: Path) -> None:
    source = own(tmp_path / "own", GOOD)
    Image.open(source / "masks/val/c.png").save(source / "masks/val/c.jpg")
    (source / "masks/val/c.png").unlink()
    with pytest.raises(DatasetError) as error:
        place(OwnFolder, tmp_path / "data", source=source)
    (line,) = str(error.value).splitlines()
    assert "masks/val/c.jpg is a JPEG, which keeps no exact values: save masks as PNG" in line


def test_a_fault_of_all_masks_is_told_in_forty_lines(tmp_path: Path) -> None:
    source = own(tmp_path / "own", {**{f"train/{number:03}": [[0, 7]] for number in range(60)}, "val/c": [[0, 1]]})
    with pytest.raises(DatasetError) as error:
        place(OwnFolder, tmp_path / "data", source=source)
    lines = str(error.value).splitlines()
    assert len(lines) == 41
    assert lines[-1] == "and 20 more"


def test_of_many_classes_the_rarest_are_printed(tmp_path: Path) -> None:
    names = "".join(f"class{number}\n" for number in range(100))
    values = [[label for label in range(100) for _ in range(label + 1)]]
    source = own(tmp_path / "own", {"train/a": values, "val/b": values}, names)
    contents = read_contents(place(OwnFolder, tmp_path / "data", source=source))
    assert contents is not None
    printed = report(contents)
    assert "class39 " in printed
    assert "class40 " not in printed
    assert "the 40 rarest of 100 classes" in printed


def test_labelme_s_ignore_is_no_class(tmp_path: Path) -> None:
    source = own(tmp_path / "own", GOOD, "__ignore__\nsky\nsea\n")
    with pytest.raises(DatasetError, match="names __ignore__, which is no class"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    source = own(tmp_path / "own", GOOD, "\ufeffsky\nsea\n")
    folder = place(OwnFolder, tmp_path / "data", source=source)
    assert OwnFolder(folder, "train").classes == ("sky", "sea")


def test_files_of_other_kinds_are_named_with_those_that_are_read(tmp_path: Path) -> None:
    source = own(tmp_path / "own", GOOD)
    (source / "images/train/film.gif").write_bytes(b"GIF89a")
    (source / "masks/val/c.gif").write_bytes(b"")
    (source / "images/train/.DS_Store").write_bytes(b"")
    with pytest.raises(DatasetError) as error:
        place(OwnFolder, tmp_path / "data", source=source)
    lines = str(error.value).splitlines()
    assert len(lines) == 3  # the mask c has two files, too
    assert "film.gif is not an image that is read (.jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp)" in str(error.value)
    assert "c.gif is not a mask that is read (.png, .bmp, .tif, .tiff)" in str(error.value)


def test_images_and_masks_of_several_kinds_and_endings_in_capitals_are_read(tmp_path: Path) -> None:
    source = own(tmp_path / "own", GOOD)
    for kind, name, to in (("images", "train/a", ".TIF"), ("masks", "train/a", ".BMP"), ("images", "val/c", ".webp")):
        file = source / kind / f"{name}.png"
        Image.open(file).save(file.with_suffix(to))
        file.unlink()
    folder = place(OwnFolder, tmp_path / "data", source=source)
    image, mask = OwnFolder(folder, "train")[0]
    assert image.mode == "RGB"
    assert np.asarray(mask).tolist() == GOOD["train/a"]


def test_voc_without_sbd_is_enough_for_its_own_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Voc2012, "counts", {"train": 2, "trainaug": 4, "val": 1})
    source = miniatures.voc2012(tmp_path / "own")
    shutil.rmtree(source / "benchmark_RELEASE")
    place(Voc2012, tmp_path / "data", source=source)
    spec = config.Voc2012Config(name="voc2012", train="train", holdout=1)
    assert {split: len(data) for split, data in build(spec, tmp_path / "data").items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    with pytest.raises(DatasetError, match=r"no labels of SBD.*say train: train"):
        build(config.Voc2012Config(name="voc2012", holdout=1), tmp_path / "data")

"""Folders of images and of masks, in the arrangements that they come in."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.data.dataset import DatasetError
from pfs.study.trial.miniatures import lines, mask, picture
from tests.data.install.own.folders import NAMES, counts, labels, options, pairs, taken


def test_vocs_layout_with_lists_keeps_its_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "own"
    pairs(source / "JPEGImages", source / "SegmentationClass", NAMES[:3])
    picture(source / "JPEGImages/of-another-task.jpg")
    lines(source / "ImageSets/Segmentation/train.txt", ["02", "00"])
    lines(source / "ImageSets/Segmentation/val.txt", ["01"])
    lines(source / "classes.txt", ["sky", "road", "tree"])
    splits = taken(source)
    assert {split: dataset.names for split, dataset in splits.items()} == {
        "train": ["00.jpg", "02.jpg"],
        "val": ["01.jpg"],
    }
    assert splits["train"].classes == ("sky", "road", "tree")
    assert all(file.is_symlink() for dataset in splits.values() for file in dataset.files(0))
    assert capsys.readouterr().out == (
        f"{source}: VOC's layout (JPEGImages, SegmentationClass, train.txt, val.txt); its own splits: 2 train, 1 val; "
        "masks as they are, 3 classes (classes.txt)\n"
    )


def test_labelmes_voc_is_split_and_its_special_names_are_no_classes(tmp_path: Path) -> None:
    source = tmp_path / "own"
    pairs(source / "JPEGImages", source / "SegmentationClassPNG")
    (source / "SegmentationClass").mkdir()
    np.save(source / "SegmentationClass/00.npy", np.zeros(3))
    lines(source / "labels.txt", ["__ignore__", "_background_", "cat", "dog"])
    splits = taken(source)
    assert counts(splits) == {"train": 14, "val": 3, "test": 3}
    assert splits["train"].classes == ("background", "cat", "dog")


def test_a_list_that_names_what_is_not_there_is_told(tmp_path: Path) -> None:
    source = tmp_path / "own"
    pairs(source / "JPEGImages", source / "SegmentationClass", NAMES[:3])
    lines(source / "ImageSets/Segmentation/train.txt", [f"x{number}" for number in range(48)])
    with pytest.raises(DatasetError, match=r"train.txt: x0 has no image and mask of that name") as error:
        taken(source)
    assert str(error.value).splitlines()[10:] == ["and 38 more"]


@pytest.mark.parametrize(
    ("images", "masks", "affix", "ending"),
    [
        ("images", "masks", "", ".jpg"),
        ("img", "label", "", ".png"),
        ("Images", "Labels", "_mask", ".JPG"),
        ("photographs", "drawn", "", ".jpg"),
        ("frames", "labels", "_L", ".png"),
        ("701_StillsRaw_full", "LabeledApproved_full", "_L", ".png"),
        ("a", "b", "", ".png"),
    ],
)
def test_a_folder_of_images_and_one_of_masks_are_split_by_name(
    images: str, masks: str, affix: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "own"
    pairs(source / images, source / masks, affix=affix, ending=ending)
    splits = taken(source)
    assert sorted(name for dataset in splits.values() for name in dataset.names) == [
        f"{name}{ending}" for name in NAMES
    ]
    assert counts(splits) == {"train": 14, "val": 3, "test": 3}
    np.testing.assert_array_equal(
        labels(splits["val"]), np.asarray(Image.open(source / masks / f"{splits['val'].names[0][:2]}{affix}.png"))
    )
    assert "no val, so split 70/15/15 by the sha256 of names: 14 train, 3 val, 3 test" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arrange",
    [
        lambda split, kind: {"train": "training", "val": "validation"}[split].join((f"{kind}/", "")),
        lambda split, kind: f"{split}/{kind}",
        lambda split, kind: f"{split}{'_labels' if kind == 'masks' else ''}",
        lambda split, kind: f"{split}{'annot' if kind == 'masks' else ''}",
    ],
)
def test_splits_of_ones_own_are_kept_however_they_are_arranged(
    arrange: Callable[[str, str], str], tmp_path: Path
) -> None:
    source = tmp_path / "own"
    for split, names in (("train", NAMES[:3]), ("val", NAMES[3:5])):
        pairs(source / arrange(split, "images"), source / arrange(split, "masks"), names)
    assert counts(taken(source)) == {"train": 3, "val": 2}
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(DatasetError, match="has train and val of its own: leave --split out"):
        taken(source, options(split="80/20"))


def test_what_has_no_partner_is_left_out_and_said_in_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "own"
    pairs(source / "images", source / "masks")
    for number in range(47):
        picture(source / f"images/more{number:02}.jpg")
    mask(source / "masks/alone.png", [0])
    assert sum(counts(taken(source)).values()) == 20
    told = capsys.readouterr().out.splitlines()
    assert told[1:4] == ["images without a mask, left out (47):", "  images/more00.jpg", "  images/more01.jpg"]
    assert told[12:15] == ["  and 37 more", "masks without an image, left out (1):", "  masks/alone.png"]


def test_several_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "own"
    pairs(source / "images", source / "masks", NAMES[:4])
    mask(source / "masks/02.tif", [0, 1])
    mask(source / "masks/03_mask.png", [0, 1])
    with pytest.raises(DatasetError) as error:
        taken(source)
    assert str(error.value).splitlines() == [
        f"{source / 'masks'}: {names} are for one image: keep one of them"
        for names in ("02.png, 02.tif", "03.png, 03_mask.png")
    ]


def test_folders_with_no_name_in_common_are_told(tmp_path: Path) -> None:
    source = tmp_path / "own"
    pairs(source / "images", source / "other", ["a1", "a2"])
    pairs(source / "third", source / "masks", ["b1", "b2"])
    with pytest.raises(DatasetError, match=r"have no name in common \(a1.jpg, b1.png\): call each mask as its image"):
        taken(source)

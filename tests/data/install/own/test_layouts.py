"""One's own data in the layouts that they come in: recognised, said, and brought into the one that is read."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pfs.__main__ import main
from pfs.config import data as config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.own.conversion import Conversion, conversion
from pfs.data.install.own.layout import files_below
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.folder import OwnFolder
from pfs.study.trial.miniatures import HEIGHT, WIDTH, lines, mask, own_folder, picture

NAMES = [f"{number:02}" for number in range(20)]


def options(
    colors: Path | None = None,
    ignore: Sequence[int] = (),
    first: int = 0,
    binary: bool = False,
    split: str | None = None,
    white: int = 0,
) -> Conversion:
    return conversion(colors, ignore, first, binary, split, white)


def taken(source: Path, how: Conversion | None = None) -> dict[str, OwnFolder]:
    """A folder, put into place: its splits."""
    folder = place(OwnFolder, source.parent / "data", source=source, conversion=how or Conversion())
    return {split: OwnFolder(folder, split) for split in OwnFolder.splits(folder)}


def labels(dataset: OwnFolder, index: int = 0) -> npt.NDArray[np.int64]:
    return np.asarray(dataset[index][1]).astype(np.int64)


def pairs(images: Path, masks: Path, names: Sequence[str] = NAMES, affix: str = "", ending: str = ".jpg") -> None:
    """A folder of images, and one of masks with three classes and 255."""
    for name in names:
        picture(images / f"{name}{ending}")
        mask(masks / f"{name}{affix}.png", [0, 1, 2, 255])


def counts(splits: dict[str, OwnFolder]) -> dict[str, int]:
    return {split: len(dataset) for split, dataset in splits.items()}


# --- folders of masks -------------------------------------------------------------------------------------------------


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


def test_val_is_drawn_from_train_where_there_is_only_a_test(tmp_path: Path) -> None:
    source = tmp_path / "own"
    for split, names in (("train", NAMES[:17]), ("test", NAMES[17:])):
        pairs(source / split / "images", source / split / "masks", names)
    splits = taken(source)
    assert counts(splits) == {"train": 14, "val": 3, "test": 3}
    assert [name[:2] for name in splits["test"].names] == NAMES[17:]


def test_a_split_is_the_same_wherever_it_is_drawn_and_as_large_as_said(tmp_path: Path) -> None:
    pairs(tmp_path / "own/images", tmp_path / "own/masks")
    splits = taken(tmp_path / "own", options(split="80/20"))
    assert counts(splits) == {"train": 16, "val": 4}
    shutil.copytree(tmp_path / "own", tmp_path / "elsewhere/own")
    again = taken(tmp_path / "elsewhere/own", options(split="80/20"))
    assert again["val"].names == splits["val"].names
    order = sorted(NAMES, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert splits["val"].names == [f"{name}.jpg" for name in sorted(order[:4])]


def test_data_that_were_brought_are_a_study_s(tmp_path: Path) -> None:
    pairs(tmp_path / "own/images", tmp_path / "own/masks")
    taken(tmp_path / "own")
    splits = build(config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")
    assert {split: decoded(dataset)[1].shape for split, dataset in splits.items()} == {
        split: (count, HEIGHT, WIDTH) for split, count in (("train", 14), ("val", 3), ("test", 3))
    }


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


# --- what the values of masks mean ------------------------------------------------------------------------------------


def images_with(source: Path, values: npt.NDArray[np.generic], ending: str = ".png", name: str = "masks") -> None:
    """Four images, each with the same mask."""
    for number in range(4):
        picture(source / f"images/{number}.jpg", (values.shape[0], values.shape[1]))
        (source / name).mkdir(exist_ok=True)
        Image.fromarray(values).save(source / name / f"{number}{ending}")


COLORS = np.array([[[128, 0, 0], [0, 128, 0]], [[0, 0, 128], [0, 0, 0]]], np.uint8)


def colors_file(tmp_path: Path) -> Path:
    lines(tmp_path / "colors.txt", ["128 0 0 Building", "0, 128, 0  Tree", "0 0 128\tBuilding", "0 0 0 Void"])
    return tmp_path / "colors.txt"


def test_masks_in_colour_are_read_by_a_file_of_colours(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, COLORS)
    splits = taken(source, options(colors_file(tmp_path)))
    assert splits["train"].classes == ("Building", "Tree")
    np.testing.assert_array_equal(labels(splits["train"]), [[0, 1], [0, 255]])
    assert Image.open(splits["train"].files(0)[1]).mode == "P"
    assert not splits["train"].files(0)[1].is_symlink()


def test_a_colour_that_is_not_listed_is_told_with_its_place(tmp_path: Path) -> None:
    source, strange = tmp_path / "own", COLORS.copy()
    strange[1, 0] = 7, 8, 9
    images_with(source, strange)
    with pytest.raises(DatasetError, match=r"masks/0.png has the colour 7 8 9 at x = 0, y = 1 \(not in .*colors.txt\)"):
        taken(source, options(colors_file(tmp_path)))
    with pytest.raises(
        DatasetError, match=r"masks/0.png is in colour: name the colours in a file, .* --mask-colors FILE"
    ):
        taken(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2 3\n", r"line 1: '1 2 3' is not `R G B name`"),
        ("1 2 300 sky\n", r"line 1: '1 2 300 sky' is not"),
        ("1 2 3 sky\n1 2 3 road\n", "gives the colour 1 2 3 two names, sky and road"),
        ("1 2 3 sky\n4 5 6 void\n", "names 1 classes: give at least two"),
    ],
)
def test_a_file_of_colours_that_cannot_be_is_told(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "colors.txt").write_text(content)
    with pytest.raises(DatasetError, match=message):
        options(tmp_path / "colors.txt")
    with pytest.raises(DatasetError, match=r"nowhere.txt: no such file"):
        options(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("how", "values", "expected"),
    [
        ({"ignore": [3, 9]}, [0, 1, 3, 9, 2, 255], [0, 1, 255, 255, 2, 255]),
        ({"first": 1}, [0, 1, 2, 3, 2, 255], [255, 0, 1, 2, 1, 255]),
        ({"ignore": [65535]}, [0, 1, 2, 65535, 2, 255], [0, 1, 2, 255, 2, 255]),
        ({"first": 1, "ignore": [3]}, [0, 1, 2, 3, 2, 255], [255, 0, 1, 255, 1, 255]),
        ({"binary": True}, [0, 255, 255, 0, 0, 0], [0, 1, 1, 0, 0, 0]),
        ({"binary": True}, [0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0]),
        ({"binary": True, "ignore": [128]}, [0, 255, 128, 0, 0, 0], [0, 1, 255, 0, 0, 0]),
    ],
)
def test_values_become_labels_as_the_options_say(
    how: dict[str, object], values: list[int], expected: list[int], tmp_path: Path
) -> None:
    source = tmp_path / "own"
    images_with(source, np.array([values], np.uint8 if max(values) < 256 else np.uint16))
    splits = taken(source, options(**how))  # type: ignore[arg-type]
    np.testing.assert_array_equal(labels(splits["val"]), [expected])
    names = ("background", "foreground") if "binary" in how else ("class 0", "class 1", "class 2")
    assert splits["val"].classes == names[: max(label for label in expected if label < 255) + 1]


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["16 bits", "one bit", "grey as RGB", "L"])
def test_masks_of_every_kind_are_read_as_their_values(kind: str, ending: str, tmp_path: Path) -> None:
    values = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    made: npt.NDArray[np.generic] = {
        "16 bits": values.astype(np.uint16),
        "one bit": values.astype(bool),
        "grey as RGB": np.repeat(values[..., None], 3, axis=2),
        "L": values,
    }[kind]
    images_with(tmp_path / "own", made, ending)
    dataset = taken(tmp_path / "own")["train"]
    np.testing.assert_array_equal(labels(dataset), values)
    assert dataset.files(0)[1].is_symlink() == ((kind, ending) == ("L", ".png"))


@pytest.mark.parametrize(
    ("values", "how", "message"),
    [
        ([0, 255], {}, "the masks hold nothing but 0 and 255: --binary makes background and foreground of them"),
        ([0, 3], {"binary": True}, r"masks/0.png holds 0, 3: --binary wants 0 with 255, or 0 with 1"),
        (
            [0, 7],
            {},
            "nothing names the classes, and the masks hold 0, 7, not 0, 1, 2, ... without a gap: write classes",
        ),
    ],
)
def test_values_that_cannot_be_meant_are_told_with_the_way_out(
    values: list[int], how: dict[str, object], message: str, tmp_path: Path
) -> None:
    images_with(tmp_path / "own", np.array([values], np.uint8))
    with pytest.raises(DatasetError, match=message):
        taken(tmp_path / "own", options(**how))  # type: ignore[arg-type]
    assert not list((tmp_path / "data").glob("*/"))


def test_labels_beyond_the_named_classes_are_told_of_the_users_file(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, np.array([[0, 1, 2]], np.uint8))
    lines(source / "classes.txt", ["sky", "road"])
    with pytest.raises(
        DatasetError, match=r"own/masks/0.png holds 2, but there are 2 classes \(of classes.txt: 0 to 1\): --first"
    ):
        taken(source)
    assert taken(source, options(first=1))["train"].classes == ("sky", "road")


def test_masks_that_cannot_be_labels_are_told(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, np.array([[0, 1]], np.uint8))
    for number in range(4):
        (source / f"masks/{number}.png").unlink()
    images_with(source, np.zeros((8, 8), np.uint8), ".jpg")
    with pytest.raises(DatasetError, match=r"masks/0.jpg is a JPEG, which keeps no exact values"):
        taken(source)
    shutil.rmtree(source)
    images_with(source, np.full((1, 2), 1000, np.uint16))
    with pytest.raises(DatasetError, match=r"masks/0.png holds 1000, and a label is 0 to 254: --ignore 1000 if"):
        taken(source)
    Image.new("L", (5, 5)).save(source / "masks/0.png")
    with pytest.raises(DatasetError, match=r"masks/0.png is 5x5, but its image .*images/0.jpg is 2x1"):
        taken(source)
    shutil.rmtree(source)
    images_with(source, np.array([[0, 1, 256]], np.uint16))
    with pytest.raises(DatasetError, match=r"masks/0.png holds 256, and a label is"):  # 256 - 1 is not 255
        taken(source, options(first=1))
    (source / "masks/0.png").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"masks/0.png cannot be read as an image"):
        taken(source)


def test_names_that_cannot_be_classes_are_told(tmp_path: Path) -> None:
    images_with(tmp_path / "own", np.array([[0, 1]], np.uint8))
    lines(tmp_path / "own/labels.txt", ["sky", "sky"])
    with pytest.raises(DatasetError, match=r"the classes of labels.txt are 2, of 1 names: there must be 2 to 255 diff"):
        taken(tmp_path / "own")


def test_classes_that_nothing_names_are_numbered_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images_with(tmp_path / "own", np.array([[0, 1, 2]], np.uint8))
    assert taken(tmp_path / "own")["train"].classes == ("class 0", "class 1", "class 2")
    assert "nothing names the classes: they are class 0 to class 2; write classes.txt" in capsys.readouterr().out


def test_an_image_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    images_with(tmp_path / "own", np.array([[0, 1, 2]], np.uint8))
    (tmp_path / "own/images/0.jpg").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"masks/0.png is for .*images/0.jpg, which cannot be read as an image"):
        taken(tmp_path / "own")


def test_the_layout_of_the_page_takes_options_too(tmp_path: Path) -> None:
    source = own_folder(tmp_path / "own")
    splits = taken(source, options(ignore=[2]))
    assert counts(splits) == {"train": 2, "val": 1}
    assert set(np.unique(labels(splits["train"]))) == {0, 1, 255}


def test_images_of_12_bits_are_read_by_the_value_that_is_white(tmp_path: Path) -> None:
    source = tmp_path / "own"
    images_with(source, np.array([[0, 1]], np.uint8))
    for number in range(4):
        (source / f"images/{number}.jpg").unlink()
        Image.fromarray(np.array([[0, 2048]], np.uint16)).save(source / f"images/{number}.tif")
    with pytest.raises(DatasetError, match=r"more than 8 bits a pixel .*--white N"):
        taken(source)
    with pytest.raises(
        DatasetError, match=r"masks/0.png is for .*images/0.tif, which holds values 0 to 2048, and --white"
    ):
        taken(source, options(white=1023))
    dataset = taken(source, options(white=4095))["train"]
    np.testing.assert_array_equal(np.asarray(dataset[0][0]), [[[0] * 3, [128] * 3]])
    assert dataset.files(0)[1].is_symlink()
    Image.fromarray(np.array([[0, 4095]], np.uint16)).save(source / "images/0.tif")
    with pytest.raises(DatasetError, match="images or masks have changed since"):
        taken(source, options(white=4095))


def test_masks_in_colour_may_lie_in_the_layout_of_the_page(tmp_path: Path) -> None:
    source = own_folder(tmp_path / "own")
    for file in files_below(source / "masks", (".png",)):
        red = np.asarray(Image.open(file))
        Image.fromarray(np.stack([red, 0 * red, 0 * red], axis=-1)).save(file)
    lines(tmp_path / "colors.txt", ["0 0 0 sky", "1 0 0 road", "2 0 0 tree", "255 0 0 void"])
    splits = taken(source, options(tmp_path / "colors.txt"))
    assert splits["train"].classes == ("sky", "road", "tree")
    assert set(np.unique(labels(splits["train"]))) == {0, 1, 2, 255}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"first": 1, "binary": True}, "--first-class 1 and --binary contradict each other"),
        ({"ignore": [-1]}, "-1: no value is negative"),
        ({"split": "70/20"}, "--split 70/20: give two or three per cents that make 100"),
        ({"split": "half"}, "--split half: give two or three"),
    ],
)
def test_options_that_cannot_be_are_told(how: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        options(**how)  # type: ignore[arg-type]


# --- outlines ---------------------------------------------------------------------------------------------------------


def shape(label: str, kind: str, points: list[list[float]]) -> dict[str, object]:
    return {"label": label, "shape_type": kind, "points": points}


def labelme(source: Path, shapes: list[dict[str, object]], names: Sequence[str] = NAMES[:4]) -> None:
    """Images of 8 x 6 pixels, each with labelme's file beside it."""
    for name in names:
        picture(source / f"{name}.jpg", (6, 8))
        content = {"imagePath": f"{name}.jpg", "imageHeight": 6, "imageWidth": 8, "shapes": shapes}
        (source / f"{name}.json").write_text(json.dumps(content))


def test_labelmes_outlines_are_drawn_as_labelme_draws_them(tmp_path: Path) -> None:
    source = tmp_path / "own"
    corners = [[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [0.0, 2.0]]
    shapes = [shape("cat", "polygon", corners), shape("dog", "rectangle", [[4.0, 5.0], [2.0, 2.0]])]
    labelme(source, [*shapes, shape("__ignore__", "circle", [[7.0, 0.0], [7.0, 1.0]])])
    splits = taken(source)
    assert counts(splits) == {"train": 2, "val": 1, "test": 1}
    assert splits["train"].classes == ("background", "cat", "dog")
    expected = np.zeros((6, 8), int)
    expected[:3, :4] = 1
    expected[2:6, 2:5] = 2  # a later shape lies over an earlier one
    expected[0, 6:] = expected[1, 7] = 255
    np.testing.assert_array_equal(labels(splits["train"]), expected)


def test_labelmes_files_may_lie_apart_from_their_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "own"
    for split, names in (("train", NAMES[:3]), ("valid", NAMES[3:4])):
        labelme(source / split, [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])], names)
        for name in names:
            file = source / split / f"{name}.json"
            content = json.loads(file.read_text())
            file.unlink()
            (source / "outlines" / split).mkdir(parents=True, exist_ok=True)
            content["imagePath"] = f"..\\..\\{split}\\{name}.jpg"
            (source / "outlines" / split / f"{name}.json").write_text(json.dumps(content))
    picture(source / "train/empty.jpg")
    splits = taken(source)
    assert counts(splits) == {"train": 3, "val": 1}
    assert "images without a mask, left out (1):\n  train/empty.jpg\n" in capsys.readouterr().out


def test_a_file_of_names_sets_the_order_and_refuses_other_labels(tmp_path: Path) -> None:
    source = tmp_path / "own"
    labelme(source, [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    lines(source / "labels.txt", ["__ignore__", "_background_", "dog", "cat"])
    assert labels(taken(source)["train"])[0, 0] == 2
    shutil.rmtree(tmp_path / "data")
    labelme(source, [shape("cow", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    with pytest.raises(
        DatasetError, match=r"00.json has a shape 'cow', which is no class; the classes are background, d"
    ):
        taken(source)


def test_a_shape_without_pixels_is_refused_by_name(tmp_path: Path) -> None:
    labelme(tmp_path / "own", [shape("cat", "linestrip", [[0.0, 0.0], [1.0, 1.0]])])
    with pytest.raises(
        DatasetError, match=r"00.json has a shape of type 'linestrip' with 2 points \(label 'cat'\): only"
    ):
        taken(tmp_path / "own")
    (tmp_path / "own/00.json").write_text('{"shapes": [')
    with pytest.raises(DatasetError, match=r"00.json cannot be read as JSON"):
        taken(tmp_path / "own")


def coco(file: Path, annotations: list[dict[str, object]], names: Sequence[str] = NAMES[:4]) -> None:
    """COCO's file for images of 8 x 6 pixels, each of which has the same objects."""
    content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    for number, name in enumerate(names):
        content["images"].append({"id": 10 + number, "file_name": f"{name}.jpg", "height": 6, "width": 8})
        for annotation in annotations:
            identity = {"id": len(content["annotations"]) + 1, "image_id": 10 + number}
            content["annotations"].append({**identity, **annotation})
    content["categories"] = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def box(category: int, left: int, top: int, right: int, bottom: int) -> dict[str, object]:
    """An object that covers those columns and rows, the last ones not."""
    return {
        "category_id": category,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        "iscrowd": 0,
    }


def test_cocos_outlines_are_drawn_smaller_over_larger(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    source = tmp_path / "own"
    crowd = {"category_id": 3, "iscrowd": 1, "segmentation": {"size": [6, 8], "counts": [0, 48 - 6, 6]}}
    for split, names in (("train", NAMES[:3]), ("val", NAMES[3:4])):
        coco(source / f"annotations/instances_{split}2017.json", [box(3, 1, 1, 3, 3), box(7, 0, 0, 6, 4), crowd], names)
        for name in names:
            picture(source / f"{split}2017/{name}.jpg", (6, 8))
    splits = taken(source)
    assert counts(splits) == {"train": 3, "val": 1}
    assert splits["train"].classes == ("background", "cat", "dog")
    expected = np.full((6, 8), 255)
    expected[:, 7] = 0
    expected[:4, :6] = 2
    expected[1:3, 1:3] = 1
    np.testing.assert_array_equal(labels(splits["train"]), expected)


def test_cocos_boxes_without_outlines_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    source = tmp_path / "own"
    coco(source / "_annotations.coco.json", [{"category_id": 3, "segmentation": [], "bbox": [0, 0, 2, 2]}])
    for name in NAMES[:4]:
        picture(source / f"{name}.jpg", (6, 8))
    with pytest.raises(DatasetError, match=r"coco.json has no outline for the annotation 1, only a box"):
        taken(source)
    with pytest.raises(DatasetError, match=r"--binary: for masks, but .* has COCO's outlines"):
        taken(source, options(binary=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 10}]}, r"coco.json has an image that is not as COCO has it \(KeyError\('file_name'\)\)"),
        ({"categories": [{"id": 3}]}, r"coco.json has a category that is not as COCO has it \(KeyError\('name'\)\)"),
        ({"categories": [{"id": 4, "name": "cat"}]}, r"is not as COCO has it, for the image 10 \(KeyError\(3\)\)"),
    ],
)
def test_a_coco_file_that_is_not_as_coco_has_it_is_told(
    change: dict[str, list[dict[str, object]]], message: str, tmp_path: Path
) -> None:
    pytest.importorskip("pycocotools")
    file = tmp_path / "own/coco.json"
    coco(file, [box(3, 1, 1, 3, 3)])
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    for name in NAMES[:4]:
        picture(tmp_path / f"own/{name}.jpg", (6, 8))
    with pytest.raises(DatasetError, match=message):
        taken(tmp_path / "own")


def test_where_pycocotools_is_missing_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    coco(tmp_path / "own/coco.json", [box(3, 1, 1, 3, 3)])
    with pytest.raises(DatasetError, match=r"coco.json has COCO's polygons, .*: pip install 'pfs\[coco\]'"):
        taken(tmp_path / "own")


@pytest.mark.parametrize(
    "wrong",
    [
        {"shapes": [{"points": []}]},
        {"imageWidth": None},
        {"imageWidth": 10**12},
        {"shapes": [shape("cat", "circle", [[1.0]])]},
    ],
)
def test_a_labelme_file_that_is_not_as_labelme_saves_it_is_told(wrong: dict[str, object], tmp_path: Path) -> None:
    labelme(tmp_path / "own", [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    file = tmp_path / "own/00.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **wrong}))
    with pytest.raises(DatasetError, match=r"^[^\n]*00.json [^\n]*$"):
        taken(tmp_path / "own")


# --- what is not known, and what was taken before ---------------------------------------------------------------------


def test_an_unknown_layout_is_told_once_beside_what_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "own"
    for number in range(40):
        picture(source / f"photos of mine/cat{number:02}.jpg")
    lines(source / "notes.txt", ["of last summer"])
    assert main(["data", "folder", "--from", str(source), "--data", str(tmp_path / "data")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{source}: no layout of images with masks that is known"
    assert [line.split("|") for line in told[1:5]] == [
        [f"  {'wanted:':<38}", " found:"],
        [f"  {'classes.txt  (a name a line)':<38}", " notes.txt"],
        [f"  {'images/':<38}", " photos of mine/"],
        [f"  {'  train/<name>.jpg, .png, ...':<38}", "   cat00.jpg and 39 more .jpg"],
    ]
    assert len(told) == 14
    assert "--mask-colors FILE" in told[-2]
    assert told[-1] == f"Is the folder in it meant? --from {source / 'photos of mine'}"
    assert not list((tmp_path / "data").glob("*/"))


def test_a_folder_that_does_not_exist_is_told_so_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("folder", "voc2012"):
        assert main(["data", name, "--from", str(tmp_path / "nowhere"), "--data", str(tmp_path / "data")]) == 1
        assert capsys.readouterr().err == f"{tmp_path / 'nowhere'}: no such folder\n"


def test_options_are_for_ones_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "camvid", "--from", str(tmp_path), "--binary", "--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err == "--binary: only for one's own data, pfs data folder --from FOLDER\n"


def test_the_command_takes_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images_with(tmp_path / "own", np.array([[1, 2, 9, 0]], np.uint8))
    arguments = ["data", "folder", "--from", str(tmp_path / "own"), "--data", str(tmp_path / "data")]
    assert main([*arguments, "--ignore", "9", "--first-class", "1", "--split", "50/25/25"]) == 0
    told = capsys.readouterr().out
    assert "split 50/25/25 by the sha256 of names: 2 train, 1 val, 1 test; masks by --ignore 9 --first-class 1" in told
    assert "folder-own: 2 train, 1 val, 1 test images, all verified" in told


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


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    source = tmp_path / "own"
    source.mkdir()
    (source / "again").symlink_to(source)
    (source / "itself").symlink_to(source / "itself")
    with pytest.raises(DatasetError, match="no layout of images with masks that is known"):
        taken(source)

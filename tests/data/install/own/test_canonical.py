"""What the values of masks mean, and what becomes of them in the layout that is read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.data.dataset import DatasetError
from pfs.data.install.own.layout import files_below
from pfs.study.trial.miniatures import lines, own_folder
from tests.data.install.own.folders import COLORS, colors_file, counts, images_with, labels, options, taken


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

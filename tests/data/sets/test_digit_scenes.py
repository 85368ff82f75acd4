"""Digit Scenes: what lies on disk, whoever generates it at once, and what a broken file says."""

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.data.build import build
from pfs.data.dataset import DatasetError, data_checksum, voc_palette
from pfs.data.install.state import digit_scenes_folder
from pfs.data.loading.cache import decoded
from pfs.data.sets import digit_scenes
from pfs.data.sets.digit_drawing import draw_scene
from pfs.data.sets.digit_scenes import DigitScenes, generate
from tests.data.digits import SPEC, change_a_pixel

# --- on disk ------------------------------------------------------------------------------------------------


def test_the_files_hold_the_scenes_in_vocs_layout(pristine: Path) -> None:
    dataset = DigitScenes(pristine, "val", SPEC)
    image, mask = dataset[2]
    scene = draw_scene(SPEC.seed, "val", 2)
    np.testing.assert_array_equal(np.asarray(image), scene.image)
    np.testing.assert_array_equal(np.asarray(mask), scene.label)
    assert (image.mode, mask.mode) == ("RGB", "P")
    assert dataset.files(2)[0].relative_to(dataset.folder) == Path("JPEGImages/val_00002.png")
    assert dataset.files(2)[1].relative_to(dataset.folder) == Path("SegmentationClass/val_00002.png")


def test_the_palette_is_vocs(pristine: Path) -> None:
    assert voc_palette()[[0, 1, 2, 15, 20, 255]].tolist() == [
        *([0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192]),
    ]
    _, mask = DigitScenes(pristine, "val", SPEC)[0]
    assert np.asarray(mask.convert("RGB"))[0, 0].tolist() == voc_palette()[np.asarray(mask)[0, 0]].tolist()


def test_the_checksum_tells_data_sets_apart(pristine: Path, tmp_path: Path) -> None:
    other = SPEC.model_copy(update={"seed": 1})
    first = data_checksum(DigitScenes(pristine, "train", SPEC))
    assert data_checksum(DigitScenes(pristine, "test", SPEC)) == first
    assert data_checksum(build(SPEC, tmp_path)["val"]) == first
    assert data_checksum(build(other, tmp_path)["val"]) != first


def test_two_that_ask_at_once_get_the_same_data(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        folders = list(pool.map(generate, [SPEC] * 2, [tmp_path] * 2))
    assert folders[0] == folders[1]
    DigitScenes(tmp_path, "train", SPEC).verify()


def test_an_interrupted_generation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(scenes: object) -> str:
        next(scenes)  # type: ignore[call-overload]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(digit_scenes, "checksum", interrupt)
        generate(SPEC, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_the_remains_of_a_killed_generation_do_not_matter(tmp_path: Path) -> None:
    folder = digit_scenes_folder(SPEC, tmp_path)
    remains = folder.with_suffix(".partial") / "JPEGImages" / "half.png"
    remains.parent.mkdir(parents=True)
    remains.write_bytes(b"half")
    assert generate(SPEC, tmp_path) == folder
    assert not (folder / "JPEGImages" / "half.png").exists()
    assert not remains.exists()


# --- broken data: one clear line each -----------------------------------------------------------------------


def truncate_an_image(dataset: DigitScenes) -> None:
    file = dataset.files(5)[0]
    file.write_bytes(file.read_bytes()[:500])


def remove_an_image(dataset: DigitScenes) -> None:
    dataset.files(5)[0].unlink()


def shrink_a_mask(dataset: DigitScenes) -> None:
    file = dataset.files(5)[1]
    Image.open(file).resize((32, 64)).save(file)


def colour_a_mask(dataset: DigitScenes) -> None:
    file = dataset.files(5)[1]
    Image.open(file).convert("RGB").save(file)


def label_200(dataset: DigitScenes) -> None:
    file = dataset.files(5)[1]
    mask = Image.open(file)
    mask.putpixel((3, 4), 200)
    mask.save(file)


DAMAGE = [
    (
        truncate_an_image,
        r"JPEGImages/train_00005.png cannot be read as an image \(.*\); delete .* and run again",
    ),
    (remove_an_image, r"JPEGImages/train_00005.png is missing; delete .* and run again"),
    (shrink_a_mask, r"SegmentationClass/train_00005.png is 32x64, but its image is 64x64; delete"),
    (
        colour_a_mask,
        r"SegmentationClass/train_00005.png is of mode RGB, not a mask with one label a pixel .*; delete",
    ),
    (label_200, r"train_00005.png holds the label 200, which is neither a class \(0 to 10\) nor 255; delete"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_broken_file_says_so_wherever_it_is_read(
    train: DigitScenes, damage: Callable[[DigitScenes], None], message: str
) -> None:
    damage(train)
    for read in (lambda: train[5], lambda: decoded(train), train.verify):
        with pytest.raises(DatasetError, match=message) as error:
            read()
        assert "\n" not in str(error.value)
    assert not (train.folder / "decoded").exists()


def test_a_changed_pixel_changes_the_checksum(train: DigitScenes) -> None:
    train.verify()
    change_a_pixel(train)
    for read in (train.verify, lambda: decoded(train)):
        with pytest.raises(DatasetError, match=r"the train split's checksum is .*, not .*; delete .* and run again"):
            read()


def test_verify_reports_every_problem_at_once(train: DigitScenes) -> None:
    label_200(train)
    train.files(2)[0].write_bytes(b"not an image")
    names = train.folder / "ImageSets" / "Segmentation" / "train.txt"
    names.write_text("\n".join(train.names[:-1]))
    with pytest.raises(DatasetError) as error:
        DigitScenes(train.folder.parent, "train", SPEC).verify()
    lists, unreadable, label = str(error.value).splitlines()
    assert "train.txt lists 7 images instead of 8" in lists
    assert "train_00002.png cannot be read" in unreadable
    assert "train_00005.png holds the label 200" in label


def test_a_missing_split_list_is_named(train: DigitScenes, root: Path) -> None:
    (train.folder / "ImageSets" / "Segmentation" / "val.txt").unlink()
    with pytest.raises(DatasetError, match=r"ImageSets/Segmentation/val.txt is missing; delete .* and run again"):
        build(SPEC, root)


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"recipe": {"train": 8}, "sha256": {}})])
def test_broken_checksums_are_named(train: DigitScenes, root: Path, content: str) -> None:
    (train.folder / "checksums.json").write_text(content)
    with pytest.raises(DatasetError, match=r"checksums.json is broken \(.*\); delete .* and run again"):
        DigitScenes(root, "train", SPEC)

"""Digit Scenes: what a scene is, what lies on disk, and what a broken file says."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits

from pfs.config import data as config
from pfs.data.build import build
from pfs.data.dataset import SPLITS, DatasetError, data_checksum, voc_palette
from pfs.data.install.state import DIGIT_SCENES_VERSION, digit_scenes_folder
from pfs.data.loading.cache import decoded
from pfs.data.sets import digit_drawing, digit_scenes
from pfs.data.sets.digit_drawing import PHOTOGRAPHS, digits, draw_scene, load_photograph, photographs
from pfs.data.sets.digit_scenes import DigitScenes, generate

SPEC = config.DigitScenesConfig(name="digit_scenes", train=8, val=4, test=4, seed=0)
SOME = [draw_scene(0, split, index) for split in SPLITS for index in range(20)]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the data set of SPEC, generated once; not to be changed."""
    root = tmp_path_factory.mktemp("data")
    generate(SPEC, root)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "data"))


@pytest.fixture
def train(root: Path) -> DigitScenes:
    return DigitScenes(root, "train", SPEC)


# --- a scene ------------------------------------------------------------------------------------------------


def test_a_scene_depends_on_seed_split_and_index_alone() -> None:
    first, again = draw_scene(0, "train", 3), draw_scene(0, "train", 3)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    for other in [(1, "train", 3), (0, "val", 3), (0, "train", 4)]:
        assert (draw_scene(*other).image != first.image).any()


def test_labels_are_background_digits_and_the_ring() -> None:
    labels = np.stack([scene.label for scene in SOME])
    assert set(np.unique(labels).tolist()) == {*range(11), 255}
    assert 0.70 < (labels == 0).mean() < 0.85


def test_a_scene_shows_two_to_five_digits() -> None:
    for _, label in SOME:
        parts = sum(ndimage.label(label == digit, np.ones((3, 3)))[1] for digit in range(1, 11))
        assert parts >= 2
    assert len({len(digit_drawing._place_digits(np.random.default_rng(i), "train")) for i in range(40)}) == 4


def test_a_ring_of_one_pixel_parts_digits_from_background() -> None:
    for _, label in SOME:
        ring = label == 255
        digit = (label > 0) & ~ring
        near = ndimage.maximum_filter(digit, 3)
        assert not (near & (label == 0)).any()  # nowhere do digit and background touch
        assert (ndimage.maximum_filter(near, 3) | ~ring).all()


def test_digits_stand_out_from_what_they_cover() -> None:
    """Over many scenes, so that a change which makes digits hard to see fails."""
    apart = []
    for image, label in SOME:
        for value in np.unique(label[(label > 0) & (label < 255)]):
            digit = label == value
            around = ndimage.binary_dilation(digit, iterations=4) & (label == 0)
            apart.append(np.abs(image[digit].mean(0) - image[around].mean(0)).max())
    assert np.median(apart) > 50


def test_no_photograph_column_is_in_two_splits() -> None:
    for name in PHOTOGRAPHS:
        strips = [photographs(split)[name] for split in SPLITS]
        np.testing.assert_array_equal(np.concatenate(strips, axis=1), load_photograph(name))
        widths = np.array([strip.shape[1] for strip in strips])
        np.testing.assert_allclose(widths / widths.sum(), [0.6, 0.2, 0.2], atol=0.01)


def test_no_digit_is_in_two_splits() -> None:
    images = np.concatenate([digits(split)[0] for split in SPLITS])
    np.testing.assert_array_equal(images[:, 2:-2, 2:-2] * 16, load_digits().images)
    assert [len(digits(split)[1]) for split in SPLITS] == [1000, 300, 497]


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


def test_build_makes_what_is_absent_and_keeps_what_is_there(tmp_path: Path) -> None:
    splits = build(SPEC, tmp_path)
    assert {split: len(dataset) for split, dataset in splits.items()} == {"train": 8, "val": 4, "test": 4}
    written = splits["train"].files(0)[0].stat().st_mtime_ns
    assert build(SPEC, tmp_path)["train"].files(0)[0].stat().st_mtime_ns == written
    for dataset in splits.values():
        dataset.verify()


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


# --- decoded ------------------------------------------------------------------------------------------------


def test_decoded_is_what_pillow_reads(train: DigitScenes) -> None:
    for images, labels in (decoded(train), decoded(train)):  # decoded anew, then from the file
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.uint8)
        for index in range(len(train)):
            image, mask = train[index]
            np.testing.assert_array_equal(images[index].permute(1, 2, 0), np.asarray(image))
            np.testing.assert_array_equal(labels[index], np.asarray(mask))


def test_decoded_reads_no_image_twice(train: DigitScenes, monkeypatch: pytest.MonkeyPatch) -> None:
    images, _ = decoded(train)
    monkeypatch.setattr(Image, "open", None)
    assert torch.equal(decoded(train)[0], images)
    assert len(list((train.folder / "decoded").glob("*.pt"))) == 1
    assert not list((train.folder / "decoded").glob("*.partial"))


def test_a_file_that_changes_after_decoding_is_noticed(train: DigitScenes) -> None:
    decoded(train)
    change_a_pixel(train)
    with pytest.raises(DatasetError, match="a pixel or label has changed"):
        decoded(train)


@pytest.mark.parametrize("content", [b"", b"PK not an archive"])
def test_broken_decoded_images_are_told_and_decoded_again(
    train: DigitScenes, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    images = decoded(train)[0].clone()
    (file,) = (train.folder / "decoded").glob("*.pt")
    file.write_bytes(content)
    assert torch.equal(decoded(train)[0], images)
    assert f"{file} is not as it was written" in capsys.readouterr().out


def test_a_flipped_bit_of_decoded_images_is_noticed(train: DigitScenes) -> None:
    images = decoded(train)[0].clone()
    (file,) = (train.folder / "decoded").glob("*.pt")
    broken = bytearray(file.read_bytes())
    broken[len(broken) // 2] ^= 1
    file.write_bytes(broken)
    assert torch.equal(decoded(train)[0], images)


# --- broken data: one clear line each -----------------------------------------------------------------------


def change_a_pixel(dataset: DigitScenes) -> None:
    file = dataset.files(5)[0]
    pixels = np.array(Image.open(file))
    pixels[7, 9, 1] ^= 1
    Image.fromarray(pixels).save(file)


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


def test_a_change_of_the_drawing_wants_a_new_version() -> None:
    """These are of version 2. Other values: raise it, or old scenes on disk are taken for new ones."""
    scenes = [draw_scene(0, "train", index) for index in range(3)]
    assert DIGIT_SCENES_VERSION == 2
    assert [int((scene.label == 255).sum()) for scene in scenes] == [275, 273, 382]
    assert [float(scene.image.mean()) for scene in scenes] == pytest.approx([129.0, 174.91, 67.52], abs=0.5)

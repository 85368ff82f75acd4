"""What a scene of digits shows, and that no two splits share a digit or a photograph."""

import ast
import hashlib
import inspect

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from pfs.data.dataset import SPLITS
from pfs.data.install.state import DIGIT_SCENES_VERSION
from pfs.data.sets import digit_drawing
from pfs.data.sets.digit_drawing import PHOTOGRAPHS, digits, draw_scene, load_photograph, photographs
from pfs.study.code.normal_form import normal_form

SOME = [draw_scene(0, split, index) for split in SPLITS for index in range(20)]


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


def test_a_change_of_the_drawing_wants_a_new_version() -> None:
    """These are of version 2. Other values: raise it, or old scenes on disk are taken for new ones."""
    scenes = [draw_scene(0, "train", index) for index in range(3)]
    assert DIGIT_SCENES_VERSION == 2
    assert [int((scene.label == 255).sum()) for scene in scenes] == [275, 273, 382]
    assert [float(scene.image.mean()) for scene in scenes] == pytest.approx([129.0, 174.91, 67.52], abs=0.5)


def test_an_edit_of_the_drawing_comes_with_a_new_version() -> None:
    """Data that an earlier code drew must not pass for today's: their folder is named after the version.

    After an edit that changes pixels raise `DIGIT_SCENES_VERSION`; then, or after any other edit, write down the hash.
    """
    tree = ast.parse(inspect.getsource(digit_drawing))
    code = hashlib.sha256(ast.unparse(normal_form(tree, frozenset())).encode()).hexdigest()[:16]
    assert (DIGIT_SCENES_VERSION, code) == (2, "91e2a84b95c96a49")

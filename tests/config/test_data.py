"""The data that a study can name: what is checked of them before a file is opened."""

import pytest
from pydantic import TypeAdapter, ValidationError

from pfs.config.data import PLACED_NAMES, Data, Evaluation, OwnFolderConfig, WithoutTest


def test_every_data_set_but_the_embedded_one_is_placed() -> None:
    tags = TypeAdapter(Data).json_schema()["discriminator"]["mapping"]
    assert set(tags) == {"digit_scenes", *PLACED_NAMES}


@pytest.mark.parametrize("name", PLACED_NAMES)
def test_placed_data_are_the_same_for_every_study(name: str) -> None:
    """A record names the seed of its data: it must not differ where nothing is drawn from one."""
    folder = {"folder": "own"} if name == "folder" else {}
    assert TypeAdapter(Data).validate_python({"name": name, **folder}).seed == 0
    with pytest.raises(ValidationError, match="seed"):
        TypeAdapter(Data).validate_python({"name": name, **folder, "seed": 1})


def test_images_are_held_out_only_where_test_labels_are_not_public() -> None:
    """CamVid has a test split, and Digit Scenes makes one; of the others val becomes the test."""
    with pytest.raises(ValidationError, match="holdout"):
        TypeAdapter(Data).validate_python({"name": "camvid", "holdout": 3})
    with pytest.raises(ValidationError, match="holdout"):
        TypeAdapter(Data).validate_python({"name": "digit_scenes", "holdout": 3})
    for name in ("voc2012", "ade20k", "pascal_context"):
        data = TypeAdapter(Data).validate_python({"name": name, "holdout": 3})
        assert isinstance(data, WithoutTest) and data.holdout == 3


@pytest.mark.parametrize("folder", ["../elsewhere", "a/b", "", "new\nline", "x" * 201])
def test_a_folder_of_ones_own_is_named_and_not_pointed_at(folder: str) -> None:
    with pytest.raises(ValidationError, match="folder"):
        OwnFolderConfig(name="folder", folder=folder)


@pytest.mark.parametrize("window", [[2, 9], [9], [9, 9, 9]])
def test_a_window_has_a_height_and_a_width_of_three_pixels_at_least(window: list[int]) -> None:
    with pytest.raises(ValidationError, match="window"):
        Evaluation(window=window)

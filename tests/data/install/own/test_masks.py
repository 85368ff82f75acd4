"""Masks of any kind are read as their values, and those that hold no labels are refused."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pfs.data.dataset import DatasetError
from tests.data.install.own.folders import images_with, labels, options, taken


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

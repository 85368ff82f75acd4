"""Decoded images are those that Pillow reads, read once, and decoded again where anything has changed."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pfs.config import data as data_config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.digit_scenes import DigitScenes
from pfs.data.sets.folder import OwnFolder
from tests.data.digits import change_a_pixel
from tests.data.trees import tree


def test_images_of_several_sizes_make_no_tensor(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    for file in (source / "images/train/01.png", source / "masks/train/01.png"):
        Image.open(file).resize((6, 5), Image.Resampling.NEAREST).save(file)
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match=r"01.png is 6x5, but the split's first is of another size"):
        decoded(build(data_config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")["train"])


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


def test_tensors_of_an_earlier_reading_are_not_taken(train: DigitScenes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of the code that reads images or labels makes the tensors anew."""
    decoded(train)
    before = set((train.folder / "decoded").glob("*.pt"))
    monkeypatch.setattr(inspect, "getsource", lambda module: "another reading")
    decoded(train)
    assert set((train.folder / "decoded").glob("*.pt")) > before

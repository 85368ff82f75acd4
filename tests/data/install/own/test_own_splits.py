"""Splits of a folder that has none, or lacks one, are drawn by the names of its images."""

import hashlib
import shutil
from pathlib import Path

from tests.data.install.own.folders import NAMES, counts, options, pairs, taken


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

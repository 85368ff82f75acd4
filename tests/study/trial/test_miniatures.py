"""Miniatures are data sets in every respect but the number of their images and what there is to learn from them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pfs.data.build import PLACED
from pfs.data.install.place import place
from pfs.study.trial import miniatures
from pfs.study.trial.dry_run import TREES, _of_any_count

SIZES = ((20, 30), (31, 17))  # height, width


def test_every_placed_data_set_has_one() -> None:
    assert TREES.keys() == PLACED.keys()


@pytest.mark.parametrize("name", TREES)
def test_a_miniature_has_the_counts_and_sizes_that_are_asked_for(name: str, tmp_path: Path) -> None:
    """Sizes take turns, so that a dry run sees images upright and lying."""
    source = TREES[name](tmp_path / "own", train=4, val=2, sizes=SIZES)
    dataset = _of_any_count(PLACED[name])
    folder = place(dataset, tmp_path / "data", source=source)
    found = {split: dataset(folder, split) for split in ("train", "val")}
    assert {split: len(images) for split, images in found.items()} == {"train": 4, "val": 2}
    for images in found.values():
        sizes = {images[index][0].size[::-1] for index in range(len(images))}
        assert sizes == set(SIZES)


@pytest.mark.parametrize("make", list(TREES.values()), ids=list(TREES))
def test_a_miniature_is_the_same_each_time(make: Callable[[Path], Path], tmp_path: Path) -> None:
    one, two = (make(tmp_path / name) for name in ("one", "two"))
    files = sorted(file.relative_to(one) for file in one.rglob("*") if file.is_file())
    assert files and files == sorted(file.relative_to(two) for file in two.rglob("*") if file.is_file())
    for file in files:
        if file.suffix != ".mat":  # which says when it was written
            assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_every_value_that_is_allowed_is_in_a_mask(tmp_path: Path) -> None:
    """So a dry run meets the last class, and what is not scored."""
    assert set(np.unique(miniatures.values(tmp_path / "a.png", [0, 7, 255], (5, 4)))) == {0, 7, 255}

"""What holds for every placed data set: its counts, its classes, its labels, its splits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.data.dataset import DatasetError
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.pascal_context import PascalContext59, PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from tests.data.trees import OFFICIAL, Kind, tree


def test_the_official_counts_are_the_literatures() -> None:
    assert OFFICIAL[Voc2012] == {"train": 1464, "trainaug": 10582, "val": 1449}
    assert OFFICIAL[Ade20k] == {"train": 20210, "val": 2000}
    assert OFFICIAL[PascalContext60] == {"train": 4998, "val": 5105}
    assert OFFICIAL[CamVid] == {"train": 367, "val": 101, "test": 233}


def test_each_has_its_number_of_classes() -> None:
    kinds = (Voc2012, Ade20k, PascalContext59, PascalContext60, CamVid)
    assert [len(set(kind.classes)) for kind in kinds] == [21, 150, 59, 60, 11]
    assert (Ade20k.classes[0], Ade20k.classes[149], Voc2012.classes[15]) == ("wall", "flag", "person")


@pytest.mark.parametrize(("kind", "void", "first"), [(Ade20k, 0, 1), (CamVid, 11, 0), (PascalContext59, 0, 1)])
def test_void_becomes_255_and_classes_begin_at_0(kind: Kind, void: int, first: int, tmp_path: Path) -> None:
    dataset = kind(tree(PascalContext60 if kind is PascalContext59 else kind, tmp_path), "train")
    raw = np.asarray(Image.open(dataset.files(0)[1])).astype(int)
    expected = np.where(raw == void, 255, raw - first)
    np.testing.assert_array_equal(np.asarray(dataset[0][1]), expected)
    assert set(np.unique(expected)) <= {*range(len(kind.classes)), 255}


def test_an_unknown_split_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="voc2012 has no split 'test'; valid choices: train, val"):
        Voc2012(tmp_path, "test")

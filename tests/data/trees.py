"""Miniatures of the placed data sets, each in the form that its loader reads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.base import PlacedDataset
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures
from tests.data.pascal_detail import pascal_detail

Kind = type[PlacedDataset]
TREES: dict[Kind, Callable[[Path], Path]] = {
    Voc2012: miniatures.voc2012,
    Ade20k: miniatures.ade20k,
    PascalContext60: pascal_detail,
    CamVid: miniatures.camvid,
    OwnFolder: miniatures.own_folder,
}
COUNTS: dict[Kind, dict[str, int]] = {
    Voc2012: {"train": 2, "trainaug": 4, "val": 1},
    Ade20k: {"train": 2, "val": 1},
    PascalContext60: {"train": 2, "val": 1},
    CamVid: {"train": 2, "val": 1, "test": 1},
}
OFFICIAL = {kind: kind.counts for kind in COUNTS}
every_kind = pytest.mark.parametrize("kind", TREES, ids=lambda kind: kind.name)


def tree(kind: Kind, folder: Path) -> Path:
    """The data set's miniature, in the form that its loader reads and in no other."""
    own = TREES[kind](folder / "own")
    kind.convert(own)
    for file in own.rglob("trainval_merged.json"):
        file.unlink()
    return own

"""The data that a study names are found, made, or told with the command that puts them into place."""

from pathlib import Path

import numpy as np
import pytest

from pfs.config import data as data_config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import PascalContext59, PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures
from tests.data.digits import SPEC
from tests.data.trees import TREES, Kind, tree


def test_a_study_finds_what_is_in_place(tmp_path: Path) -> None:
    for kind in TREES:
        place(kind, tmp_path / "data", source=tree(kind, tmp_path / kind.name))
    specs: list[tuple[data_config.Placed, Kind, int]] = [
        (data_config.Voc2012Config(name="voc2012"), Voc2012, 4),
        (data_config.Voc2012Config(name="voc2012", train="train"), Voc2012, 2),
        (data_config.Ade20kConfig(name="ade20k"), Ade20k, 2),
        (data_config.PascalContextConfig(name="pascal_context"), PascalContext59, 2),
        (data_config.PascalContextConfig(name="pascal_context", classes=60), PascalContext60, 2),
        (data_config.CamVidConfig(name="camvid"), CamVid, 2),
        (data_config.OwnFolderConfig(name="folder", folder="own"), OwnFolder, 2),
    ]
    for spec, kind, count in specs:
        splits = build(spec, tmp_path / "data")  # type: ignore[arg-type]
        assert type(splits["train"]) is kind
        assert len(splits["train"]) == count
        assert set(splits) == {"train", "val"} | ({"test"} if kind is CamVid else set())
        images, labels = decoded(splits["train"])
        assert images.shape == (count, 3, miniatures.HEIGHT, miniatures.WIDTH)
        np.testing.assert_array_equal(labels[1], np.asarray(splits["train"][1][1]))


def test_a_study_says_how_to_put_its_data_into_place(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"voc2012 has not been verified, or is missing: run pfs data voc2012"):
        build(data_config.Voc2012Config(name="voc2012"), tmp_path)


def test_build_makes_what_is_absent_and_keeps_what_is_there(tmp_path: Path) -> None:
    splits = build(SPEC, tmp_path)
    assert {split: len(dataset) for split, dataset in splits.items()} == {"train": 8, "val": 4, "test": 4}
    written = splits["train"].files(0)[0].stat().st_mtime_ns
    assert build(SPEC, tmp_path)["train"].files(0)[0].stat().st_mtime_ns == written
    for dataset in splits.values():
        dataset.verify()

"""CamVid: the real one where it is in place, and lists that are not as they should be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pfs.config import data as data_config
from pfs.config.files import repository
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.camvid import CamVid
from tests.data.trees import OFFICIAL, tree

SHARED = repository().parent / "shared" / "data" / "camvid_240x180"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs CamVid in {SHARED.relative_to(repository().parent)}")
def test_the_real_camvid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CamVid, "counts", OFFICIAL[CamVid])
    place(CamVid, tmp_path, source=SHARED)
    splits = build(data_config.CamVidConfig(name="camvid"), tmp_path)
    assert {split: len(dataset) for split, dataset in splits.items()} == OFFICIAL[CamVid]
    images, labels = decoded(splits["val"])
    assert (tuple(images.shape), tuple(labels.shape)) == ((101, 3, 180, 240), (101, 180, 240))
    assert np.unique(labels).tolist() == [*range(11), 255]
    shares = torch.bincount(labels.flatten(), minlength=256)[:11]
    assert [splits["val"].classes[index] for index in shares.topk(3).indices] == ["road", "building", "tree"]


@pytest.mark.parametrize(
    ("line", "said"), [("a.png", "in line 2"), ("/x/train/a.png /x/trainannot/b.png", "in line 2")]
)
def test_a_strange_line_of_camvids_list_is_named(line: str, said: str, tmp_path: Path) -> None:
    source = tree(CamVid, tmp_path)
    (source / "train.txt").write_text(f"/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n{line}\n")
    with pytest.raises(DatasetError, match=f"train.txt is, {said}, not an image in train/ and its mask"):
        CamVid(source, "train")

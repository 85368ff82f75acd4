"""VOC 2012 is read as torchvision reads it, item by item, from the archives that it knows."""

import shutil
from pathlib import Path

import pytest
import torch
from torchvision.datasets import SBDataset, VOCSegmentation
from torchvision.datasets.voc import DATASET_YEAR_DICT
from torchvision.transforms.functional import pil_to_tensor

from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.sets.pascal_context import PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from tests.data.trees import COUNTS, tree


@pytest.mark.parametrize("split", ["train", "val"])
def test_voc_is_torchvisions_item_by_item(split: str, tmp_path: Path) -> None:
    folder = tree(Voc2012, tmp_path)
    ours, theirs = Voc2012(folder, split), VOCSegmentation(folder, image_set=split)
    assert len(ours) == len(theirs) == COUNTS[Voc2012][split]
    for index in range(len(theirs)):
        for mine, other in zip(ours[index], theirs[index], strict=True):
            assert torch.equal(pil_to_tensor(mine), pil_to_tensor(other))


def test_voc_trainaug_is_the_union_less_vocs_val(tmp_path: Path) -> None:
    folder = tree(Voc2012, tmp_path)
    dataset = Voc2012(folder, "trainaug")
    assert dataset.names == ["2007_01", "2007_02", "2008_01", "2008_02"]
    assert [dataset.files(index)[1].suffix for index in range(4)] == [".png", ".png", ".mat", ".mat"]
    shutil.copytree(folder / "VOCdevkit/VOC2012/JPEGImages", folder / "benchmark_RELEASE/dataset/img")
    theirs = SBDataset(folder / "benchmark_RELEASE/dataset", "train", mode="segmentation")
    for mine, other in zip(dataset[2], theirs[0], strict=True):
        assert torch.equal(pil_to_tensor(mine), pil_to_tensor(other))


def test_the_archives_are_those_that_torchvision_knows() -> None:
    teacher_terms = [
        (entry["url"], f"md5:{entry['md5']}") for entry in (DATASET_YEAR_DICT["2012"], DATASET_YEAR_DICT["2010"])
    ]
    teacher_terms.append((SBDataset.url, f"md5:{SBDataset.md5}"))
    ours = [Voc2012.archives[0], PascalContext60.archives[0], Voc2012.archives[1]]
    assert [(archive.url, archive.checksum) for archive in ours] == teacher_terms


def test_a_broken_mat_file_is_named(tmp_path: Path) -> None:
    source = tree(Voc2012, tmp_path)
    file = source / "benchmark_RELEASE/dataset/cls/2008_01.mat"
    file.write_bytes(file.read_bytes()[:200])
    (source / "benchmark_RELEASE/dataset/cls/2008_02.mat").unlink()
    with pytest.raises(DatasetError) as error:
        place(Voc2012, tmp_path / "data", source=source)
    broken, missing = str(error.value).splitlines()
    assert f"{file} cannot be read as SBD's labels" in broken
    assert "2008_02.mat is missing" in missing

"""Outlines are drawn as the programs draw them that wrote them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from pfs.data.dataset import DatasetError
from pfs.study.trial.miniatures import picture
from tests.data.install.own.folders import NAMES, box, coco, counts, labelme, labels, options, shape, taken


def test_labelmes_outlines_are_drawn_as_labelme_draws_them(tmp_path: Path) -> None:
    source = tmp_path / "own"
    corners = [[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [0.0, 2.0]]
    shapes = [shape("cat", "polygon", corners), shape("dog", "rectangle", [[4.0, 5.0], [2.0, 2.0]])]
    labelme(source, [*shapes, shape("__ignore__", "circle", [[7.0, 0.0], [7.0, 1.0]])])
    splits = taken(source)
    assert counts(splits) == {"train": 2, "val": 1, "test": 1}
    assert splits["train"].classes == ("background", "cat", "dog")
    expected = np.zeros((6, 8), int)
    expected[:3, :4] = 1
    expected[2:6, 2:5] = 2  # a later shape lies over an earlier one
    expected[0, 6:] = expected[1, 7] = 255
    np.testing.assert_array_equal(labels(splits["train"]), expected)


def test_a_shape_without_pixels_is_refused_by_name(tmp_path: Path) -> None:
    labelme(tmp_path / "own", [shape("cat", "linestrip", [[0.0, 0.0], [1.0, 1.0]])])
    with pytest.raises(
        DatasetError, match=r"00.json has a shape of type 'linestrip' with 2 points \(label 'cat'\): only"
    ):
        taken(tmp_path / "own")
    (tmp_path / "own/00.json").write_text('{"shapes": [')
    with pytest.raises(DatasetError, match=r"00.json cannot be read as JSON"):
        taken(tmp_path / "own")


def test_cocos_outlines_are_drawn_smaller_over_larger(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    source = tmp_path / "own"
    crowd = {"category_id": 3, "iscrowd": 1, "segmentation": {"size": [6, 8], "counts": [0, 48 - 6, 6]}}
    for split, names in (("train", NAMES[:3]), ("val", NAMES[3:4])):
        coco(source / f"annotations/instances_{split}2017.json", [box(3, 1, 1, 3, 3), box(7, 0, 0, 6, 4), crowd], names)
        for name in names:
            picture(source / f"{split}2017/{name}.jpg", (6, 8))
    splits = taken(source)
    assert counts(splits) == {"train": 3, "val": 1}
    assert splits["train"].classes == ("background", "cat", "dog")
    expected = np.full((6, 8), 255)
    expected[:, 7] = 0
    expected[:4, :6] = 2
    expected[1:3, 1:3] = 1
    np.testing.assert_array_equal(labels(splits["train"]), expected)


def test_cocos_boxes_without_outlines_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    source = tmp_path / "own"
    coco(source / "_annotations.coco.json", [{"category_id": 3, "segmentation": [], "bbox": [0, 0, 2, 2]}])
    for name in NAMES[:4]:
        picture(source / f"{name}.jpg", (6, 8))
    with pytest.raises(DatasetError, match=r"coco.json has no outline for the annotation 1, only a box"):
        taken(source)
    with pytest.raises(DatasetError, match=r"--binary: for masks, but .* has COCO's outlines"):
        taken(source, options(binary=True))


def test_where_pycocotools_is_missing_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    coco(tmp_path / "own/coco.json", [box(3, 1, 1, 3, 3)])
    with pytest.raises(DatasetError, match=r"coco.json has COCO's polygons, .*: .venv/bin/pip install -e '.\[coco\]'"):
        taken(tmp_path / "own")

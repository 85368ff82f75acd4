"""Folders of outlines: where their files may lie, and what their content must be."""

import json
import shutil
from pathlib import Path

import pytest

from pfs.data.dataset import DatasetError
from pfs.study.trial.miniatures import lines, picture
from tests.data.install.own.folders import NAMES, box, coco, counts, labelme, labels, shape, taken


def test_labelmes_files_may_lie_apart_from_their_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "own"
    for split, names in (("train", NAMES[:3]), ("valid", NAMES[3:4])):
        labelme(source / split, [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])], names)
        for name in names:
            file = source / split / f"{name}.json"
            content = json.loads(file.read_text())
            file.unlink()
            (source / "outlines" / split).mkdir(parents=True, exist_ok=True)
            content["imagePath"] = f"..\\..\\{split}\\{name}.jpg"
            (source / "outlines" / split / f"{name}.json").write_text(json.dumps(content))
    picture(source / "train/empty.jpg")
    splits = taken(source)
    assert counts(splits) == {"train": 3, "val": 1}
    assert "images without a mask, left out (1):\n  train/empty.jpg\n" in capsys.readouterr().out


def test_a_file_of_names_sets_the_order_and_refuses_other_labels(tmp_path: Path) -> None:
    source = tmp_path / "own"
    labelme(source, [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    lines(source / "labels.txt", ["__ignore__", "_background_", "dog", "cat"])
    assert labels(taken(source)["train"])[0, 0] == 2
    shutil.rmtree(tmp_path / "data")
    labelme(source, [shape("cow", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    with pytest.raises(
        DatasetError, match=r"00.json has a shape 'cow', which is no class; the classes are background, d"
    ):
        taken(source)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 10}]}, r"coco.json has an image that is not as COCO has it \(KeyError\('file_name'\)\)"),
        ({"categories": [{"id": 3}]}, r"coco.json has a category that is not as COCO has it \(KeyError\('name'\)\)"),
        ({"categories": [{"id": 4, "name": "cat"}]}, r"is not as COCO has it, for the image 10 \(KeyError\(3\)\)"),
    ],
)
def test_a_coco_file_that_is_not_as_coco_has_it_is_told(
    change: dict[str, list[dict[str, object]]], message: str, tmp_path: Path
) -> None:
    pytest.importorskip("pycocotools")
    file = tmp_path / "own/coco.json"
    coco(file, [box(3, 1, 1, 3, 3)])
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    for name in NAMES[:4]:
        picture(tmp_path / f"own/{name}.jpg", (6, 8))
    with pytest.raises(DatasetError, match=message):
        taken(tmp_path / "own")


@pytest.mark.parametrize(
    "wrong",
    [
        {"shapes": [{"points": []}]},
        {"imageWidth": None},
        {"imageWidth": 10**12},
        {"shapes": [shape("cat", "circle", [[1.0]])]},
    ],
)
def test_a_labelme_file_that_is_not_as_labelme_saves_it_is_told(wrong: dict[str, object], tmp_path: Path) -> None:
    labelme(tmp_path / "own", [shape("cat", "rectangle", [[0.0, 0.0], [1.0, 1.0]])])
    file = tmp_path / "own/00.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **wrong}))
    with pytest.raises(DatasetError, match=r"^[^\n]*00.json [^\n]*$"):
        taken(tmp_path / "own")

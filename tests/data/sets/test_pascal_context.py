"""Pascal Context: its JSON file is read as pycocotools reads it, and refused where it says something else."""

from pathlib import Path

import numpy as np
import pytest

from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.sets.pascal_context import IDS, PascalContext59, PascalContext60, decode_rle
from pfs.study.trial import miniatures
from tests.data.pascal_detail import pascal_detail, run_lengths
from tests.data.trees import tree


def test_pascal_context_is_made_from_the_json_file(tmp_path: Path) -> None:
    folder = tree(PascalContext60, tmp_path)
    dataset = PascalContext60(folder, "train")
    assert dataset.names == ["2008_000001", "2008_000002"]
    expected = np.zeros((miniatures.HEIGHT, miniatures.WIDTH), np.uint8)
    for row, name in enumerate(("aeroplane", "mountain", "wood")):  # later parts lie over earlier ones
        expected[row * 2 : row * 2 + 3, 1:] = dataset.classes.index(name)
    np.testing.assert_array_equal(np.asarray(dataset[0][1]), expected)
    assert PascalContext59(folder, "train").classes[expected[0, 1] - 1] == "aeroplane"


def test_pascal_contexts_names_follow_the_ids() -> None:
    assert list(IDS) == sorted(IDS)
    assert list(IDS.values())[1:] == sorted(list(IDS.values())[1:])  # the 459 names stand in alphabetical order


def test_pascal_context_refuses_other_names(tmp_path: Path) -> None:
    source = pascal_detail(tmp_path / "own")
    file = source / "VOCdevkit/VOC2010/trainval_merged.json"
    file.write_text(file.read_text().replace('"mountain"', '"motorbike"'))
    with pytest.raises(DatasetError, match=r"merged.json names .* otherwise than we do: 259 is 'motorbike', not 'mou"):
        place(PascalContext60, tmp_path / "data", source=source)
    assert not list((tmp_path / "data").glob("pascal_context*/"))


def test_run_lengths_are_read_as_pycocotools_does() -> None:
    expected = np.zeros((40, 50), bool)
    expected[3:30, 5:20] = expected[10:12, 8:40] = expected[0, 49] = expected[39, 0] = True
    # What pycocotools 2.0.11 makes of this mask.
    counts = "W11S5j0ZK0000000000000000000000000007WOb00000000000000000000000000000000000000n:OSE"
    np.testing.assert_array_equal(decode_rle(counts, 40, 50), expected)
    assert run_lengths(expected) == counts
    with pytest.raises(ValueError, match="2000 pixels for a mask of 51x40"):
        decode_rle(counts, 40, 51)


@pytest.mark.parametrize("json_too", [False, True])
def test_masks_that_a_toolbox_made_are_taken_where_there_is_no_json_file(json_too: bool, tmp_path: Path) -> None:
    source = pascal_detail(tmp_path / "own")
    PascalContext60.convert(source)
    if not json_too:
        (source / "VOCdevkit/VOC2010/trainval_merged.json").unlink()
    dataset = PascalContext59(place(PascalContext60, tmp_path / "data", source=source), "val")
    assert dataset.files(0)[1].resolve().is_relative_to(source) is not json_too


@pytest.mark.parametrize("content", ["{", '{"images": []}', "[" * 100_000], ids=["cut", "other", "nested"])
def test_another_json_file_is_refused(content: str, tmp_path: Path) -> None:
    source = pascal_detail(tmp_path / "own")
    (source / "VOCdevkit/VOC2010/trainval_merged.json").write_text(content)
    with pytest.raises(DatasetError, match=r"trainval_merged.json is not what PASCAL in Detail gives"):
        place(PascalContext60, tmp_path / "data", source=source)
    assert not list((tmp_path / "data").glob("pascal_context*/"))

"""`test_counts.npz`: the counts of each test image make the scores of the table, and a damaged file is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfs.data.groups import Groups
from pfs.report.tables.counts import COUNTS, ClassCounts, class_counts, counts_of, miou, read_counts
from pfs.study.records import RecordError, write_npz
from tests.report.runs_table import FULL, counts_of_table, runs_of

TABLE = runs_of({name: FULL[name] for name in ("teacher", "ce", "kd")})
GROUPS = Groups("photograph", ("b", "a", "b", "c"))
WHOLE = counts_of_table(TABLE, GROUPS)
# Two images of three classes, the third absent; row: the label, column: the prediction.
MATRICES = np.array([[[5, 1, 0], [2, 4, 0], [0, 0, 0]], [[3, 0, 0], [1, 6, 0], [0, 0, 0]]], np.int32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results of the study `digits` with its counts."""
    (tmp_path / "digits").mkdir()
    write_npz(tmp_path / "digits" / COUNTS, WHOLE.arrays)
    return tmp_path / "digits"


def test_the_counts_of_a_run_by_hand() -> None:
    """Class 0: 8 of 9 found, 3 wrong, so 8 / 12; class 1: 10 of 13, 1 wrong, so 10 / 14; class 2 is absent."""
    own = class_counts(MATRICES)
    assert own.labelled.tolist() == [[6, 3], [6, 7], [0, 0]]
    counts = counts_of(Path("small"), {("ce", 0): own}, Groups("image", ("0", "1")))
    assert counts.false_positives[..., 0].tolist() == [[2, 1], [1, 0], [0, 0]]
    hits, unions = (totals.sum(0)[0] for totals in counts.of_groups([("ce", 0)]))
    assert (hits.tolist(), unions.tolist()) == ([8, 10, 0], [12, 14, 0])
    assert miou(hits, unions) == pytest.approx(100 * (8 / 12 + 10 / 14) / 2)


def test_images_of_a_group_are_added_up_in_the_order_of_the_groups_names() -> None:
    hits, unions = WHOLE.of_groups([("kd", 1), ("ce", 0)])
    column = WHOLE.runs.index(("ce", 0))
    assert WHOLE.group_names == ["a", "b", "c"]
    assert hits[:, 1].tolist() == [WHOLE.hits[:, i, column].sum(1).tolist() for i in ([1], [0, 2], [3])]
    assert unions[:, 1, 0].tolist() == [10_000, 20_000, 10_000]


def test_counts_are_read_as_they_were_written_in_few_bytes(folder: Path) -> None:
    counts = read_counts(folder, TABLE)
    assert counts is not None
    assert (counts.runs, counts.groups) == (WHOLE.runs, GROUPS)
    for name in ("labelled", "hits", "false_positives"):
        assert np.array_equal(getattr(counts, name), getattr(WHOLE, name))
    assert (counts.hits.dtype.name, counts.false_positives.dtype.name) == ("uint16", "uint8")
    before = (folder / COUNTS).read_bytes()
    write_npz(folder / COUNTS, counts.arrays)
    assert (folder / COUNTS).read_bytes() == before


def test_without_the_file_there_are_none(tmp_path: Path) -> None:
    assert read_counts(tmp_path, TABLE) is None


def fault(folder: Path, runs: pd.DataFrame = TABLE) -> str:
    """What is said of the file: one line that names it, the fault and the mend."""
    with pytest.raises(RecordError) as caught:
        read_counts(folder, runs)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{folder / COUNTS}: ") and line.endswith(f"git checkout -- {folder / COUNTS}")
    return line.removeprefix(f"{folder / COUNTS}: ")


def test_counts_that_do_not_make_the_table_s_scores_are_refused(folder: Path) -> None:
    arrays = WHOLE.arrays
    arrays["hits"][0, 0, 3] -= 100  # of 40,000 pixels of the class: a quarter of a point of its IoU
    write_npz(folder / COUNTS, arrays)
    assert fault(folder).startswith("ce, seed 2: its counts make a test mIoU of 45.8750, runs.csv has 46.0000: ")
    write_npz(folder / COUNTS, WHOLE.arrays)
    assert "kd, seed 1: its counts make a test mIoU of 47.0000, runs.csv has no row" in fault(
        folder, TABLE[(TABLE["method"] != "kd") | (TABLE["seed"] != 1)]
    )


def test_a_damaged_file_is_told(folder: Path) -> None:
    """Cut anywhere, one byte changed, no archive at all, or arrays that do not belong together."""
    file = folder / COUNTS
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"hits.npy") + 40] ^= 0xFF  # in the compressed counts, behind their name
    for content in (*(whole[:size] for size in range(0, len(whole), len(whole) // 9)), b"text", bytes(flipped)):
        file.write_bytes(content)
        assert fault(folder).startswith("is damaged (")
    arrays = WHOLE.arrays
    for other in ({"hits": arrays["hits"][:, 1:]}, {"hits": arrays["hits"] / 2}, {"group": arrays["group"][1:]}):
        write_npz(file, {**arrays, **other})
        assert fault(folder).startswith("is damaged (ValueError)")
    write_npz(file, {name: array for name, array in arrays.items() if name != "labelled"})
    assert fault(folder).startswith("is damaged (KeyError)")


def test_runs_that_were_scored_on_other_labels_are_refused() -> None:
    own = class_counts(MATRICES)
    other = ClassCounts(own.labelled + 1, own.hits, own.predicted)
    with pytest.raises(RecordError, match=r"^small: kd/3 was scored on other labels than the first run: run it again$"):
        counts_of(Path("small"), {("ce", 0): own, ("kd", 3): other}, Groups("image", ("0", "1")))

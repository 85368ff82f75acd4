"""`curves.csv` is read as `pfs collect` writes it, and refused where it is damaged."""

from pathlib import Path

import pytest

from pfs.report.tables.curves import read_curves
from pfs.study.records import RecordError

TEXT = "method,seed,step,val_miou\nce,0,100,10.0000\nce,0,200,20.5000\n"


def test_the_curves_are_read(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text(TEXT)
    assert read_curves(tmp_path).to_numpy().tolist() == [["ce", 0, 100, 10.0], ["ce", 0, 200, 20.5]]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("val_miou", "miou", "its columns are method, seed, step, miou, not"),
        ("0,200", "0,100", "line 3 has a run and step that stand above it already"),
        ("20.5000", "120", r"line 3: val_miou 120\.0 is no percentage"),
        ("20.5000", "", "line 3: val_miou nan is no percentage"),
        ("200", "two hundred", "two hundred"),
        (TEXT, "", "No columns"),
    ],
)
def test_damage_is_told_with_the_mend(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "curves.csv").write_text(TEXT.replace(old, new))
    with pytest.raises(RecordError, match=rf"curves\.csv: is damaged \(.*{said}.*\): make it again with pfs collect"):
        read_curves(tmp_path)


def test_no_file_is_told_with_the_key_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"curves\.csv: no such table; a study with val_every has one"):
        read_curves(tmp_path)

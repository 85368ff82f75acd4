"""Options about masks that cannot be, and files of colours that are none, are told in one line."""

from pathlib import Path

import numpy as np
import pytest

from pfs.__main__ import main
from pfs.data.dataset import DatasetError
from tests.data.install.own.folders import images_with, options


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2 3\n", r"line 1: '1 2 3' is not `R G B name`"),
        ("1 2 300 sky\n", r"line 1: '1 2 300 sky' is not"),
        ("1 2 3 sky\n1 2 3 road\n", "gives the colour 1 2 3 two names, sky and road"),
        ("1 2 3 sky\n4 5 6 void\n", "names 1 classes: give at least two"),
    ],
)
def test_a_file_of_colours_that_cannot_be_is_told(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "colors.txt").write_text(content)
    with pytest.raises(DatasetError, match=message):
        options(tmp_path / "colors.txt")
    with pytest.raises(DatasetError, match=r"nowhere.txt: no such file"):
        options(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"first": 1, "binary": True}, "--first-class 1 and --binary contradict each other"),
        ({"ignore": [-1]}, "-1: no value is negative"),
        ({"split": "70/20"}, "--split 70/20: give two or three per cents that make 100"),
        ({"split": "half"}, "--split half: give two or three"),
    ],
)
def test_options_that_cannot_be_are_told(how: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        options(**how)  # type: ignore[arg-type]


def test_options_are_for_ones_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "camvid", "--from", str(tmp_path), "--binary", "--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err == "--binary: only for one's own data, pfs data folder --from FOLDER\n"


def test_the_command_takes_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images_with(tmp_path / "own", np.array([[1, 2, 9, 0]], np.uint8))
    arguments = ["data", "folder", "--from", str(tmp_path / "own"), "--data", str(tmp_path / "data")]
    assert main([*arguments, "--ignore", "9", "--first-class", "1", "--split", "50/25/25"]) == 0
    told = capsys.readouterr().out
    assert "split 50/25/25 by the sha256 of names: 2 train, 1 val, 1 test; masks by --ignore 9 --first-class 1" in told
    assert "folder-own: 2 train, 1 val, 1 test images, all verified" in told

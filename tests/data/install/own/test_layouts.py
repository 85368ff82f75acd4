"""A folder in no known layout is told once, beside the layouts that are known."""

from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.data.dataset import DatasetError
from pfs.study.trial.miniatures import lines, picture
from tests.data.install.own.folders import taken


def test_an_unknown_layout_is_told_once_beside_what_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "own"
    for number in range(40):
        picture(source / f"photos of mine/cat{number:02}.jpg")
    lines(source / "notes.txt", ["of last summer"])
    assert main(["data", "folder", "--from", str(source), "--data", str(tmp_path / "data")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{source}: no layout of images with masks that is known"
    assert [line.split("|") for line in told[1:5]] == [
        [f"  {'wanted:':<38}", " found:"],
        [f"  {'classes.txt  (a name a line)':<38}", " notes.txt"],
        [f"  {'images/':<38}", " photos of mine/"],
        [f"  {'  train/<name>.jpg, .png, ...':<38}", "   cat00.jpg and 39 more .jpg"],
    ]
    assert len(told) == 14
    assert "--mask-colors FILE" in told[-2]
    assert told[-1] == f"Is the folder in it meant? --from {source / 'photos of mine'}"
    assert not list((tmp_path / "data").glob("*/"))


def test_a_folder_that_does_not_exist_is_told_so_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("folder", "voc2012"):
        assert main(["data", name, "--from", str(tmp_path / "nowhere"), "--data", str(tmp_path / "data")]) == 1
        assert capsys.readouterr().err == f"{tmp_path / 'nowhere'}: no such folder\n"


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    source = tmp_path / "own"
    source.mkdir()
    (source / "again").symlink_to(source)
    (source / "itself").symlink_to(source / "itself")
    with pytest.raises(DatasetError, match="no layout of images with masks that is known"):
        taken(source)

"""How a user's folders are looked through: splits, classes and pairs are found by names."""

from pathlib import Path

import pytest

from pfs.data.dataset import DatasetError
from pfs.data.install.own.layout import abridged, by_name, called, class_names, files_below, files_in, split_of


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("images/train/a.png", "train"),
        ("images_training/a.png", "train"),
        ("valid.txt", "val"),
        ("Validation/deep/a.png", "val"),
        ("train/test_07.png", "test"),  # the file's own name says it, before its folder's
        ("trains/a.png", None),
        ("a.png", None),
    ],
)
def test_a_split_is_said_by_whole_words_of_the_nearest_name(path: str, split: str | None) -> None:
    assert split_of(Path("/own") / path, Path("/own")) == split


def test_the_folder_itself_says_no_split() -> None:
    assert split_of(Path("/data/test/images/a.png"), Path("/data/test")) is None


def test_hidden_files_other_endings_and_folders_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", ".c.png", "d.txt"):
        (tmp_path / name).touch()
    (tmp_path / "e.png").mkdir()
    assert [file.name for file in files_in(tmp_path, {".png"})] == ["a.png", "b.PNG"]
    assert files_in(tmp_path / "nowhere", {".png"}) == []


def test_files_are_looked_for_four_folders_deep(tmp_path: Path) -> None:
    folder = tmp_path
    for depth in range(5):
        (folder / f"{depth}.png").touch()
        folder = folder / "inner"
        folder.mkdir()
    assert [file.name for file in files_below(tmp_path, {".png"})] == ["0.png", "1.png", "2.png", "3.png"]


def test_a_folder_is_found_by_the_first_of_some_names_in_any_case(tmp_path: Path) -> None:
    for name in ("Labels", "MASKS"):
        (tmp_path / name).mkdir()
    assert called(tmp_path, ["annotations", "masks", "labels"]) == tmp_path / "MASKS"
    assert called(tmp_path, ["annotations"]) is None


def test_files_of_one_name_and_several_endings_are_one_name() -> None:
    assert by_name([Path("a.png"), Path("a.jpg"), Path("b.png")]) == {
        "a": [Path("a.png"), Path("a.jpg")],
        "b": [Path("b.png")],
    }


def test_labelmes_special_names_are_no_classes(tmp_path: Path) -> None:
    assert class_names(tmp_path) == (None, "")
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\n\n road \n", encoding="utf-8")
    assert class_names(tmp_path) == (("background", "road"), "labels.txt")
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"classes.txt is not text in UTF-8 .*: save it as such"):
        class_names(tmp_path)


def test_a_long_list_is_told_by_its_beginning() -> None:
    assert abridged(["a", "b"], most=2) == ["a", "b"]
    assert abridged(["a", "b", "c", "d"], most=2) == ["a", "b", "and 2 more"]

"""A study sees whether its data are those that were verified, without opening an image."""

from pathlib import Path

import pytest

from pfs.config.data import OwnFolderConfig
from pfs.config.files import atomic_write
from pfs.data.install.state import changed_since_verified, checksum_of, current_checksum, note_verified

SPEC = OwnFolderConfig(name="folder", folder="own")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of one's own as `pfs data` places it: links to files that lie elsewhere."""
    source, placed = tmp_path / "own", tmp_path / "data" / "folder-own"
    for split in ("train", "val"):
        atomic_write(source / "images" / split / "a.png", "image")
        atomic_write(source / "masks" / split / "a.png", "mask")
    atomic_write(source / "classes.txt", "sky\nroad\n")
    placed.mkdir(parents=True)
    for name in ("images", "masks", "classes.txt"):
        (placed / name).symlink_to(source / name)
    atomic_write(placed / "checksums.json", '{"recipe": {}, "sha256": {"train": "1", "val": "2"}}')
    note_verified(placed)
    return placed


def test_data_that_nobody_touched_are_as_they_were_verified(folder: Path) -> None:
    atomic_write(folder / "decoded" / "train.pt", "cached")
    assert changed_since_verified(SPEC, folder.parent) is None


@pytest.mark.parametrize("file", ["images/train/b.png", "masks/val/a.png", "classes.txt"])
def test_a_file_that_was_added_or_written_is_named_with_the_command_that_helps(folder: Path, file: str) -> None:
    atomic_write((folder / file).resolve(), "something else")
    told = changed_since_verified(SPEC, folder.parent)
    assert told is not None
    assert told.startswith(f"{folder / file}: changed since the data were verified")
    source = (folder / "images").resolve().parent
    assert f"pfs data folder --from {source} --data {folder.parent}" in told


def test_a_file_that_is_gone_is_told_and_how_many_more(folder: Path) -> None:
    (folder / "images/train/a.png").unlink()
    (folder / "masks/train/a.png").unlink()
    assert f"{folder / 'images/train/a.png'} and 1 more" in (changed_since_verified(SPEC, folder.parent) or "")


def test_a_loop_of_links_is_followed_once(folder: Path) -> None:
    ((folder / "images" / "train").resolve() / "again").symlink_to(folder / "images")
    note_verified(folder)
    assert changed_since_verified(SPEC, folder.parent) is None


def test_a_renamed_class_is_other_data_and_a_byte_order_mark_is_not(folder: Path) -> None:
    before = current_checksum(SPEC, folder.parent)
    atomic_write((folder / "classes.txt").resolve(), b"\xef\xbb\xbfsky\r\nroad")
    assert current_checksum(SPEC, folder.parent) == before
    atomic_write((folder / "classes.txt").resolve(), "sky\nstreet\n")
    assert current_checksum(SPEC, folder.parent) != before


def test_the_checksum_is_that_of_all_splits(folder: Path) -> None:
    assert current_checksum(SPEC, folder.parent) == checksum_of(folder, {"val": "2", "train": "1"})
    assert current_checksum(SPEC, folder.parent) != checksum_of(folder, {"val": "2", "train": "3"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sha256": 1}'])
def test_data_without_readable_checksums_have_none(folder: Path, content: str) -> None:
    atomic_write(folder / "checksums.json", content)
    assert current_checksum(SPEC, folder.parent) is None
    assert "checksums.json is missing or broken" in (changed_since_verified(SPEC, folder.parent) or "")


def test_data_that_are_not_there_have_not_changed(tmp_path: Path) -> None:
    assert changed_since_verified(SPEC, tmp_path) is None


@pytest.mark.parametrize("content", ["", "[1]", "[" * 100_000])
def test_a_broken_note_of_what_was_verified_is_told(folder: Path, content: str) -> None:
    atomic_write(folder / "verified.json", content)
    assert "verified.json is broken; run `pfs data folder" in (changed_since_verified(SPEC, folder.parent) or "")

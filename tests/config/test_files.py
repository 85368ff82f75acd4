"""Files are written whole or not at all, and a clone is found from any of its folders."""

import errno
import os
from pathlib import Path

import pytest

from pfs.config.base import StudyError
from pfs.config.files import atomic_write, repository


@pytest.mark.parametrize("content", ["é\n", b"\x00\xff"])
def test_content_is_written_as_it_is_and_folders_are_made(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "deep" / "down" / "file"
    atomic_write(file, content)
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    atomic_write(file, "old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        atomic_write(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system names none: what it refused was not to open a file, but to write on."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError) as caught:
        atomic_write(tmp_path / "file", "new")
    assert caught.value.filename == str(tmp_path / "file")


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    atomic_write(file, "old")
    with file.open() as reader:
        atomic_write(file, "new and longer")
        assert reader.read() == "old"
        assert os.fstat(reader.fileno()).st_ino != file.stat().st_ino


def test_the_clone_is_the_nearest_folder_above_with_a_snakefile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "clone" / "notebooks" / "study"
    inside.mkdir(parents=True)
    (tmp_path / "clone" / "Snakefile").touch()
    monkeypatch.chdir(inside)
    assert repository() == tmp_path / "clone"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"is not inside a clone of this repository .* cd into it first"):
        repository()

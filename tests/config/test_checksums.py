"""A file of the library's own that was truncated, edited, deleted or hit by a flipped bit is named, not used."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pfs.config.checksums import (
    BEGAN,
    LIST,
    BrokenFileError,
    check_files,
    check_files_once,
    files_under,
    write_checksums,
)


def flip_a_bit(file: Path) -> None:
    """Change one bit and keep size and time."""
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def truncate(file: Path) -> None:
    file.write_bytes(b"")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "first.raw").write_bytes(bytes(1000))
    (tmp_path / "inner" / "second.raw").write_bytes(b"second")
    write_checksums(tmp_path / LIST, files_under(tmp_path))
    return tmp_path


@pytest.mark.parametrize("check", [check_files, check_files_once])
def test_whole_files_pass(folder: Path, check: Callable[[Path], None]) -> None:
    check(folder / LIST)
    check(folder / LIST)
    assert set(files_under(folder)) == {folder / "first.raw", folder / "inner" / "second.raw"}


@pytest.mark.parametrize("check", [check_files, check_files_once])
@pytest.mark.parametrize("breaks", [flip_a_bit, truncate, Path.unlink])
@pytest.mark.parametrize("name", ["first.raw", "inner/second.raw"])
def test_a_broken_file_is_named(
    folder: Path, check: Callable[[Path], None], breaks: Callable[[Path], None], name: str
) -> None:
    breaks(folder / name)
    with pytest.raises(BrokenFileError, match=name):
        check(folder / LIST)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_broken_list_is_named(folder: Path, content: bytes) -> None:
    (folder / LIST).write_bytes(content)
    with pytest.raises(BrokenFileError, match=LIST):
        check_files(folder / LIST)


def test_a_file_that_comes_after_the_list_is_checked_too(tmp_path: Path) -> None:
    write_checksums(tmp_path / LIST, [], {"later": "0" * 64})
    (tmp_path / "later").write_text("something else")
    with pytest.raises(BrokenFileError, match="later is not as it was written"):
        check_files(tmp_path / LIST)


def test_large_files_are_read_once_in_a_study_and_again_in_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr("pfs.config.checksums.check_files", lambda checksums: read.append(checksums.name))
    for began, times in (("1", 1), ("1", 1), (str(2**62), 2)):
        monkeypatch.setenv(BEGAN, began)
        check_files_once(folder / LIST)
        assert len(read) == times


def test_a_flipped_bit_that_keeps_the_time_is_found_by_the_next_study(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BEGAN, "1")
    check_files_once(folder / LIST)
    flip_a_bit(folder / "first.raw")
    monkeypatch.setenv(BEGAN, str(2**62))
    with pytest.raises(BrokenFileError, match=r"first\.raw"):
        check_files_once(folder / LIST)


def test_a_changed_file_is_read_again_in_the_same_study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BEGAN, "1")
    check_files_once(folder / LIST)
    truncate(folder / "first.raw")
    with pytest.raises(BrokenFileError, match=r"first\.raw"):
        check_files_once(folder / LIST)

"""Archives of data sets: fetched with a progress bar, resumed, checked, and unpacked safely.

torchvision's own downloads neither resume nor refuse archives that write outside of their folder.
"""

import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm.auto import tqdm

from pfs.data.dataset import DatasetError
from pfs.data.sets.base import Archive

BLOCK = 2**20  # bytes read at a time
SECONDS = 60  # that a server may stay silent


def fetch(archive: Archive, folder: Path, mirror: str | None) -> Path:
    """Download an archive into a folder, unless it is there, and return its path.

    What has arrived of it when a download breaks off stays in `<name>.part`, and the next call goes on from there.

    Args:
        archive: what to fetch.
        folder: where it goes.
        mirror: the address of a folder that holds a file of that name, or None for the official one.

    Raises:
        DatasetError: the server cannot be reached or broke off, or the file's checksum is wrong.
    """
    file, part = folder / archive.name, folder / f"{archive.name}.part"
    if file.is_file():
        _check(archive, file, str(file))
        return file
    url = f"{mirror.rstrip('/')}/{archive.name}" if mirror else archive.url
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _download(url, part)
    except (OSError, ValueError, HTTPException) as error:
        advice = "try again, and it goes on; or name another address with --mirror URL, or a folder with --from FOLDER"
        raise DatasetError(f"{url} cannot be fetched ({error}); {advice}") from error
    _check(archive, part, url)
    return part.replace(file)


def _download(url: str, part: Path) -> None:
    """Append to a part what is missing from it; a server that does not know parts starts from the beginning."""
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-", "User-Agent": "pfs"})
    try:
        response = urlopen(request, timeout=SECONDS)
    except HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is here: all of it is
            return
        raise
    with response:
        start = have if response.status == 206 else 0
        length = response.headers["Content-Length"]
        total = None if length is None else start + int(length)
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(desc=part.stem, initial=start, total=total, unit="B", unit_scale=True, unit_divisor=1024) as bar,
        ):
            while block := response.read(BLOCK):
                bar.update(file.write(block))
    arrived = part.stat().st_size
    if total is not None and arrived < total:
        raise OSError(f"the connection broke off after {arrived} of {total} bytes")


def _check(archive: Archive, file: Path, origin: str) -> None:
    """Delete a file whose checksum is wrong: going on from it would help nobody."""
    algorithm, expected = archive.checksum.split(":")
    with file.open("rb") as content:
        found = hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != expected:
        file.unlink()
        problem = f"{origin}: its {algorithm} is {found}, not {expected}: damaged, or another file"
        raise DatasetError(f"{problem}; it has been deleted: try again, or name another address with --mirror URL")


def unpack(file: Path, folder: Path) -> None:
    """Unpack a tar or zip archive into a folder; a file of another kind is copied there.

    Args:
        file: the archive; its name's ending tells its kind.
        folder: made if it is not there. On an error it holds what had been unpacked before: the caller's to delete.

    Raises:
        DatasetError: the archive is damaged, or has a member that would lie outside of the folder.
    """
    inside = folder.resolve()
    try:
        for name, content in _members(file):
            target = (inside / name).resolve()
            if not target.is_relative_to(inside):
                raise DatasetError(f"{file} is refused: its member {name} would be written outside of its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as written:
                shutil.copyfileobj(content, written)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{file} cannot be unpacked ({reason}); delete it and fetch it again") from error


def _members(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The name and the content of each regular file in an archive: no link or device is ever made."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as zipped:
            for name in tqdm(zipped.namelist(), desc=f"unpacking {file.name}", unit="file", leave=False):
                if not name.endswith("/"):
                    with zipped.open(name) as content:
                        yield name, content
    elif file.suffix in (".tar", ".tgz", ".gz"):
        with tarfile.open(file) as tar:
            for member in tqdm(tar, desc=f"unpacking {file.name}", unit="file", leave=False):
                if (extracted := tar.extractfile(member) if member.isfile() else None) is not None:
                    yield member.name, extracted
    else:
        with file.open("rb") as content:
            yield file.name, content

"""Archives come whole: resumed, checked, and never written outside of their folder."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pfs.data.dataset import DatasetError
from pfs.data.install.download import fetch, unpack
from pfs.data.sets.base import Archive

CONTENT = bytes(range(256)) * 400
ARCHIVE = Archive("http://nowhere.invalid/some/data.tar", f"md5:{hashlib.md5(CONTENT).hexdigest()}")


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT at every address, by parts if `ranges`; breaks off after `most` bytes."""

    def __init__(self, log: list[str | None], *arguments: object, ranges: bool = True, most: int | None = None) -> None:
        self.log, self.ranges, self.most = log, ranges, most
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.log.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if self.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.most])

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def log() -> list[str | None]:
    """The ranges that were asked for."""
    return []


@pytest.fixture(params=[{}])
def mirror(request: pytest.FixtureRequest, log: list[str | None]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, log, **request.param)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/mirror/"
        server.shutdown()


def test_a_file_is_fetched_once(mirror: str, log: list[str | None], tmp_path: Path) -> None:
    file = fetch(ARCHIVE, tmp_path, mirror)
    assert file == tmp_path / "data.tar"
    assert file.read_bytes() == CONTENT
    assert fetch(ARCHIVE, tmp_path, mirror) == file
    assert len(log) == 1
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mirror", [{"most": 50_000}], indirect=True)
def test_a_download_that_breaks_off_goes_on(mirror: str, log: list[str | None], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"data.tar cannot be fetched \(.*50000 of 102400 bytes\); try again"):
        fetch(ARCHIVE, tmp_path, mirror)
    assert [path.name for path in tmp_path.iterdir()] == ["data.tar.part"]
    with pytest.raises(DatasetError, match="100000 of 102400 bytes"):
        fetch(ARCHIVE, tmp_path, mirror)
    assert fetch(ARCHIVE, tmp_path, mirror).read_bytes() == CONTENT
    assert log == ["bytes=0-", "bytes=50000-", "bytes=100000-"]


@pytest.mark.parametrize("mirror", [{"ranges": False}], indirect=True)
def test_a_server_without_parts_starts_again(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "data.tar.part").write_bytes(CONTENT[:10])
    assert fetch(ARCHIVE, tmp_path, mirror).read_bytes() == CONTENT


def test_a_part_that_is_whole_is_taken(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "data.tar.part").write_bytes(CONTENT)
    assert fetch(ARCHIVE, tmp_path, mirror).read_bytes() == CONTENT


def test_a_wrong_part_is_deleted(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "data.tar.part").write_bytes(b"another file")
    with pytest.raises(DatasetError, match=r"/mirror/data.tar: its md5 is .*, not .*: damaged, or another file"):
        fetch(ARCHIVE, tmp_path, mirror)
    assert not list(tmp_path.iterdir())
    assert fetch(ARCHIVE, tmp_path, mirror).read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "file:///nowhere", "nonsense"])
def test_who_cannot_be_reached_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"{address}/data.tar cannot be fetched .*--mirror URL.*--from FOLDER"):
        fetch(ARCHIVE, tmp_path, address)
    assert not list(tmp_path.iterdir())


# --- unpacking --------------------------------------------------------------------------------------------------------


def tar_of(file: Path, names: list[str]) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".tgz" else "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"data"))
    return file


def zip_of(file: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in names:
            zipped.writestr(name, "data")
    return file


KINDS = pytest.mark.parametrize(("make", "name"), [(tar_of, "a.tar"), (tar_of, "a.tgz"), (zip_of, "a.zip")])


@KINDS
def test_what_is_inside_is_unpacked(make: "partial[Path]", name: str, tmp_path: Path) -> None:
    unpack(make(tmp_path / name, ["one", "deep/down/two", "deep/../three"]), tmp_path / "into")
    found = {str(path.relative_to(tmp_path / "into")) for path in (tmp_path / "into").rglob("*") if path.is_file()}
    assert found == {"one", "deep/down/two", "three"}


@KINDS
@pytest.mark.parametrize("member", ["../evil", "deep/../../evil", "/pfs-evil"])
def test_what_would_lie_outside_is_refused(make: "partial[Path]", name: str, member: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"{name} is refused: its member {member} would be written outside"):
        unpack(make(tmp_path / name, ["good", member]), tmp_path / "into")
    assert not (tmp_path / "evil").exists()
    assert not Path("/pfs-evil").exists()


def test_links_are_not_made(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        member = tarfile.TarInfo("link/through")
        tar.addfile(member, io.BytesIO(b""))
    unpack(tmp_path / "a.tar", tmp_path / "into")
    assert not (tmp_path / "into/link").is_symlink()
    assert not (tmp_path / "through").exists()


@KINDS
@pytest.mark.parametrize("kept", [300, 512 + 2])  # of a tar: within the first header, or within the first file
def test_half_an_archive_is_named(make: "partial[Path]", name: str, kept: int, tmp_path: Path) -> None:
    file = make(tmp_path / name, [f"file{number}" for number in range(200)])
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DatasetError, match=f"{name} cannot be unpacked .* fetch it again"):
        unpack(file, tmp_path / "into")


def test_a_file_that_is_no_archive_is_copied(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")
    unpack(tmp_path / "labels.json", tmp_path / "into")
    assert (tmp_path / "into/labels.json").read_text() == "{}"

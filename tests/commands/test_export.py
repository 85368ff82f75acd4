"""`pfs export` and `pfs predict` as they are typed."""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pfs.__main__ import main
from pfs.export.predict import files
from tests.export.conftest import exported  # noqa: F401  # the fixture of the other folder

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("a", "b"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        Image.fromarray(PIXELS).save(tmp_path / "photos" / folder / "x.png")
    monkeypatch.chdir(tmp_path)  # which is no clone
    return tmp_path / "photos"


def test_pictures_are_predicted_outside_of_a_clone(
    exported: Path,  # noqa: F811
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", str(exported), "photos", "--out", "out"]) == 0
    assert capsys.readouterr().out == f"{pictures.parent / 'out'}: 2 of 2 pictures predicted\n"
    out = pictures.parent / "out"
    files = sorted(str(file.relative_to(out)) for file in out.rglob("*.png"))
    assert files == ["index/a/x.png", "index/b/x.png", "overlay/a/x.png", "overlay/b/x.png"]


def test_one_line_for_each_file_that_cannot_be_read_and_the_others_are_done(
    exported: Path,  # noqa: F811
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (pictures / "text.png").write_text("hello")
    (pictures / "cut.png").write_bytes((pictures / "a" / "x.png").read_bytes()[:60])
    arguments = ["photos/a", "photos/text.png", "photos/cut.png", "*.bmp", "photos/b/x.png"]
    assert main(["predict", str(exported), *arguments, "--out", "out"]) == 1
    said = capsys.readouterr()
    assert "2 of 4 pictures predicted" in said.out
    lines = said.err.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["*.bmp:", "photos/text.png", "photos/cut.png"]
    assert (pictures.parent / "out/index/a/x.png").is_file()
    assert (pictures.parent / "out/index/b/x.png").is_file()


@pytest.mark.parametrize("model", ["photos", "nothing", "photos/a/x.png", "photos/model.onnx"])
def test_a_wrong_model_is_one_line(pictures: Path, capsys: pytest.CaptureFixture[str], model: str) -> None:
    (pictures / "model.onnx").write_bytes(b"")
    assert main(["predict", model, "photos", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert str(pictures.parent / model).removesuffix("model.onnx") in said.err
    assert not (pictures.parent / "out").exists()


def test_a_folder_tells_what_it_holds_besides_pictures(
    exported: Path,  # noqa: F811
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1])]
    frames[0].save(pictures / "moving.gif", save_all=True, append_images=frames[1:])
    (pictures / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (pictures / "broken.png").symlink_to("gone.png")
    (pictures / "notes.txt").write_text("")
    assert main(["predict", str(exported), "photos", "./photos/a/x.png", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert "2 of 5 pictures predicted" in said.out
    assert said.err.splitlines() == [
        "photos: left out, without the ending of a picture: 1 (notes.txt)",
        "photos/broken.png is a link to gone.png, which is not there",
        "photos/moving.gif holds several images; save the one that is meant alone",
        "photos/phone.heic cannot be read as an image (it begins like none of a kind that is known): save it as PNG or "
        "JPEG",
    ]


def test_a_picture_that_needs_too_much_memory_is_told(
    exported: Path,  # noqa: F811
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(files, "predict_file", no_memory)
    assert main(["predict", str(exported), "photos/a", "--out", "out"]) == 1
    assert capsys.readouterr().err.startswith("photos/a/x.png: needs more memory than there is")


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals do what they do at a terminal, even where the tests run under nohup, which has them ignored."""
    usual: dict[signal.Signals, Any] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_temporary_file(
    exported: Path,  # noqa: F811
    pictures: Path,
    number: signal.Signals,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert threading.current_thread() is threading.main_thread()  # else the signal would end the tests
    out = pictures.parent / "out"
    seen: list[Path] = []

    def stopped(*_: object) -> None:
        seen.extend(file for file in out.rglob("*") if file.is_file())
        os.kill(os.getpid(), number)

    monkeypatch.setattr(files, "predict", stopped)
    assert main(["predict", str(exported), "photos", "--out", "out", "--probabilities"]) == status
    assert capsys.readouterr().err == f"stopped by {number.name}: what was finished stays\n"
    assert len(seen) == 1
    assert [file for file in out.rglob("*") if file.is_file()] == []


def test_an_out_that_cannot_be_written_is_told_with_its_own_option(
    exported: Path,  # noqa: F811
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/out")  # root may write everywhere

    monkeypatch.setattr(files, "predict_file", refuse)
    assert main(["predict", str(exported), "photos", "--out", "out"]) == 1
    mend = "name folders that can be read and written, with --out or TMPDIR"
    assert capsys.readouterr().err == f"/out: Permission denied; {mend}\n"


def test_out_that_is_a_file_is_told(
    exported: Path,  # noqa: F811
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (pictures.parent / "out").write_text("")
    assert main(["predict", str(exported), "photos", "--out", "out"]) == 1
    assert "is a file: name a folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--white", "0"], ["--white", "x"], ["--threads", "0"]])
def test_numbers_are_checked(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "model", "x.png", "--out", "out", *option])
    assert "is no" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_told_with_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "quick", "ce", "0", "--results", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.splitlines() == [
        f"{tmp_path}/quick/runs/ce/0: has not finished; to bring it up to date: pfs study quick --results {tmp_path}"
    ]

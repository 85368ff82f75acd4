"""`pfs export` and `pfs predict` as they are typed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.__main__ import main
from tests.export.conftest import exported, network  # noqa: F401  # the fixtures of the other folder

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

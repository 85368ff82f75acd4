"""The files of a prediction are written whole or not at all, in the memory of a strip, with no packages but a few."""

import errno
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.config.files import repository
from pfs.export.folder import ExportError
from pfs.export.predict import files
from pfs.export.predict import model as windowing
from pfs.export.predict.files import predict_file
from pfs.export.predict.model import Model, open_model, predict, windows
from pfs.export.session import Logits, Pixels
from tests.export.conftest import largest_file


@pytest.fixture
def model(exported: Path) -> Model:
    return open_model(exported, threads=1)


def picture(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def files_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("height", "width"), [(20, 30), (1, 1)])
def test_the_files_of_a_prediction(model: Model, tmp_path: Path, height: int, width: int) -> None:
    image = picture(height, width)
    image.save(tmp_path / "x.png")
    predict_file(model, tmp_path / "x.png", tmp_path / "out", "a/x", white=255, with_probabilities=True)
    expected = model.engine(np.asarray(image)[None])[0]
    index = Image.open(tmp_path / "out/index/a/x.png")
    assert index.mode == "P"
    labels = np.asarray(index)
    assert (labels == expected.argmax(0)).all()
    colours = np.array(model.legend.palette)
    assert (np.array(index.getpalette()).reshape(-1, 3)[:3] == colours).all()
    overlay = np.asarray(Image.open(tmp_path / "out/overlay/a/x.png")).astype(int)
    assert np.abs(overlay - (np.asarray(image) + colours[labels]) / 2).max() <= 1
    with np.load(tmp_path / "out/probabilities/a/x.npz") as arrays:
        assert arrays["classes"].tolist() == ["ground", "tree", "sky"]
        powers = np.exp(expected.astype(float))
        np.testing.assert_allclose(arrays["probabilities"], powers / powers.sum(0), atol=1e-3)
    assert files_in(tmp_path / "out") == ["index/a/x.png", "overlay/a/x.png", "probabilities/a/x.npz"]


@pytest.mark.parametrize("spooled", [files.SPOOLED, 1])
def test_probabilities_of_windows_lie_where_their_pixels_do(
    spooled: int, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SPOOLED", spooled)
    monkeypatch.setattr(windowing, "LARGEST_WHOLE", 1)
    monkeypatch.setattr(windowing, "WINDOW", 320)
    image = picture(400, 390)
    assert len(list(windows(400, 390))) == 3 * 3
    image.save(tmp_path / "x.png")
    predict_file(model, tmp_path / "x.png", tmp_path, "x", white=255, with_probabilities=True)
    labels = predict(model, image)
    with np.load(tmp_path / "probabilities/x.npz") as arrays:
        assert arrays["probabilities"].shape == (3, 400, 390)
        assert (arrays["probabilities"].argmax(0) == labels).mean() > 0.999  # but for ties in half precision
        np.testing.assert_allclose(arrays["probabilities"].sum(0, dtype=float), 1, atol=2e-3)


@pytest.mark.parametrize(("spooled", "strips"), [(files.SPOOLED, 2), (1, 1)])
def test_probabilities_of_a_large_picture_need_the_memory_of_a_strip(
    spooled: int, strips: int, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes, the logits of a window, and a strip, or less of it where it goes to disk.

    Each of these twice at a time, at most.
    """
    monkeypatch.setattr(files, "SPOOLED", spooled)

    def engine(images: Pixels) -> Logits:
        return np.zeros((1, 11, *images.shape[1:3]), np.float32)

    monkeypatch.setattr(windowing, "LARGEST_WHOLE", 1)
    monkeypatch.setattr(windowing, "WINDOW", 320)
    height, width = 400, 3000
    picture(height, width).save(tmp_path / "x.png", compress_level=0)
    legend = model.legend._replace(classes=list("abcdefghijk"), palette=[[0, 0, 0]] * 11)
    tracemalloc.start()
    predict_file(Model(legend, engine), tmp_path / "x.png", tmp_path, "x", white=255, with_probabilities=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    labels, strip, window, everything = height * width, 320 * height * 11 * 2, 320 * 320 * 11 * 4, height * width * 22
    assert peak < labels + strips * strip + 2 * window < everything


def test_nothing_is_left_of_a_prediction_that_fails(model: Model, tmp_path: Path) -> None:
    def engine(images: Pixels) -> Logits:
        raise ExportError("no")

    picture(5, 5).save(tmp_path / "x.png")
    broken = Model(model.legend, engine)
    with pytest.raises(ExportError):
        predict_file(broken, tmp_path / "x.png", tmp_path / "out", "x", white=255, with_probabilities=True)
    assert files_in(tmp_path / "out") == []


@pytest.mark.parametrize(("size", "written"), [(1000, []), (50_000, ["probabilities/x.npz"])])
def test_a_disk_that_fills_up_is_told_with_the_file_and_nothing_half_written_stays(
    model: Model, tmp_path: Path, size: int, written: list[str]
) -> None:
    picture(150, 150).save(tmp_path / "x.png")
    engine = lambda images: np.zeros((1, 3, *images.shape[1:3]), np.float32)  # noqa: E731  # of which a file is small
    small = Model(model.legend, engine)
    with largest_file(size), pytest.raises(OSError) as raised:
        predict_file(small, tmp_path / "x.png", tmp_path / "out", "x", white=255, with_probabilities=True)
    assert raised.value.errno == errno.EFBIG
    assert str(raised.value.filename).startswith(str(tmp_path / "out"))
    assert [name for name in files_in(tmp_path / "out") if not name.startswith("index")] == written
    for name in written:
        assert zipfile.ZipFile(tmp_path / "out" / name).testzip() is None


# --- where only a few packages are installed ----------------------------------------------------------------

# ONNX Runtime, what it requires itself, and what docs/ship-a-student.md says to install beside it.
FEW = ("onnxruntime", "flatbuffers", "google", "packaging", "numpy", "numpy.libs", "PIL", "pillow.libs", "tqdm")


@pytest.fixture
def few_packages(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that sees these packages alone, and this library as `pip install --no-deps` does."""
    site = next(Path(folder) for folder in sys.path if (Path(folder) / "onnxruntime").is_dir())
    own = tmp_path / "site"
    own.mkdir()
    for name in (*FEW, *(path.name for path in site.glob("pfs-*.dist-info"))):
        if (site / name).exists():
            (own / name).symlink_to(site / name)
    return {"PYTHONPATH": f"{repository()}{os.pathsep}{own}", "PATH": "/usr/bin:/bin"}


def test_a_few_packages_are_enough_without_torch_and_without_a_clone(
    exported: Path, few_packages: dict[str, str], tmp_path: Path
) -> None:
    picture(20, 30).save(tmp_path / "x.png")

    def pfs(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "pfs", *arguments]  # -S: without the packages of the environment
        return subprocess.run(command, cwd=tmp_path, env=few_packages, capture_output=True, text=True)

    done = pfs("predict", str(exported), "x.png", "--out", "out", "--probabilities")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'out'}: 1 of 1 pictures predicted\n"
    assert files_in(tmp_path / "out") == ["index/x.png", "overlay/x.png", "probabilities/x.npz"]
    other = pfs("collect", "quick")
    assert (other.returncode, len(other.stderr.splitlines())) == (1, 1)
    assert re.match(r"the package \w+ is not installed, which this command needs: .*pip install", other.stderr)
    assert "predict pictures by an exported network" in pfs("--help").stdout

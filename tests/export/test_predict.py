"""Pictures of any size are predicted in parts that make one whole, and files are written for each."""

import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.config.files import repository
from pfs.export import predict as module
from pfs.export.folder import CONFIG, ONNX, ExportError
from pfs.export.predict import MARGIN, Model, open_model, predict, predict_file, windows
from pfs.export.session import Logits, Pixels, Session

SIZES = [(1, 1), (1, 5000), (64, 64), (1024, 2048), (1024, 2049), (1025, 3000), (4000, 769), (2600, 2600)]


@pytest.fixture
def model(exported: Path) -> Model:
    return open_model(exported, threads=1)


def picture(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_pixel_is_taken_from_one_window_and_lies_far_from_its_inner_borders(height: int, width: int) -> None:
    taken = np.zeros((height, width), int)
    for part in windows(height, width):
        taken[part.taken_rows, part.taken_columns] += 1
        for shown, used, side in ((part.rows, part.taken_rows, height), (part.columns, part.taken_columns, width)):
            assert shown.start == 0 or used.start - shown.start == MARGIN
            assert shown.stop == side or shown.stop - used.stop == MARGIN
        assert (part.rows.stop - part.rows.start) * (part.columns.stop - part.columns.start) <= 2**21
    assert (taken == 1).all()


def test_windows_change_nothing_where_the_network_sees_no_further_than_their_margin(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(448, 384)
    whole_probabilities, probabilities = np.zeros((2, 3, 448, 384), np.float16)
    whole = predict(model, image, whole_probabilities)
    monkeypatch.setattr(module, "LARGEST_WHOLE", 1)
    monkeypatch.setattr(module, "WINDOW", 320)
    assert len(list(windows(448, 384))) == 3 * 2
    windowed = predict(model, image, probabilities)
    np.testing.assert_allclose(probabilities.astype(float), whole_probabilities.astype(float), atol=1e-3)
    assert (windowed == whole).mean() > 0.9999  # but for ties
    assert len(np.unique(whole)) > 1


def test_a_large_picture_needs_the_memory_of_a_few_windows(model: Model) -> None:
    """Besides the picture and its classes. The largest array is a window's logits."""

    def engine(images: Pixels) -> Logits:
        return np.zeros((1, 11, *images.shape[1:3]), np.float32)

    image = picture(3000, 4000)
    tracemalloc.start()
    predict(Model(model.description, engine), image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * 4000 + 3 * (11 * 4 * 1024 * 1024)


def test_the_files_of_a_prediction(model: Model, tmp_path: Path) -> None:
    image = picture(20, 30)
    image.save(tmp_path / "x.png")
    predict_file(model, tmp_path / "x.png", tmp_path / "out", "a/x", white=255, with_probabilities=True)
    expected = model.engine(np.asarray(image)[None])[0]
    index = Image.open(tmp_path / "out/index/a/x.png")
    assert index.mode == "P"
    labels = np.asarray(index)
    assert (labels == expected.argmax(0)).all()
    colours = np.array(model.description.palette)
    assert (np.array(index.getpalette()).reshape(-1, 3)[:3] == colours).all()
    overlay = np.asarray(Image.open(tmp_path / "out/overlay/a/x.png")).astype(int)
    assert np.abs(overlay - (np.asarray(image) + colours[labels]) / 2).max() <= 1
    with np.load(tmp_path / "out/probabilities/a/x.npz") as arrays:
        assert arrays["classes"].tolist() == ["ground", "tree", "sky"]
        powers = np.exp(expected.astype(float))
        np.testing.assert_allclose(arrays["probabilities"], powers / powers.sum(0), atol=1e-3)
    files = [str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert sorted(files) == ["index/a/x.png", "overlay/a/x.png", "probabilities/a/x.npz"]


def test_nothing_is_left_of_a_prediction_that_fails(model: Model, tmp_path: Path) -> None:
    def engine(images: Pixels) -> Logits:
        raise ExportError("no")

    picture(5, 5).save(tmp_path / "x.png")
    broken = Model(model.description, engine)
    with pytest.raises(ExportError):
        predict_file(broken, tmp_path / "x.png", tmp_path / "out", "x", white=255, with_probabilities=True)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


# --- models -------------------------------------------------------------------------------------------------


def test_a_model_is_a_folder_or_a_file_in_it(exported: Path) -> None:
    for path in (exported, exported / ONNX):
        assert isinstance(open_model(path).engine, Session)


def test_without_onnx_runtime_torch_predicts_the_same(
    exported: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_onnxruntime", lambda: False)
    by_torch = open_model(exported, threads=1)
    assert not isinstance(by_torch.engine, Session)
    images = np.asarray(picture(33, 21))[None]
    np.testing.assert_allclose(by_torch.engine(images), model.engine(images), atol=1e-4)


def test_what_is_no_model_is_told(exported: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(exported / ONNX, tmp_path / ONNX))
    (tmp_path / "notes.txt").write_text("")
    said = {alone: "config.json is missing", tmp_path: "config.json is missing", tmp_path / "x.onnx": "no such file"}
    said |= {tmp_path / "x": "no such folder", tmp_path / "notes.txt": "is no .onnx file"}
    for path, part in said.items():
        with pytest.raises(ExportError, match=part) as raised:
            open_model(path)
        assert str(tmp_path) in str(raised.value)
    shutil.copy(exported / CONFIG, tmp_path)
    alone.write_bytes(alone.read_bytes()[:1000])
    with pytest.raises(ExportError, match="is not as it was written"):
        open_model(alone)


WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("no torch here", name=name)
sys.meta_path.insert(0, NoTorch())
from pfs.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_onnx_runtime_is_enough_without_torch_and_without_a_clone(exported: Path, tmp_path: Path) -> None:
    picture(20, 30).save(tmp_path / "x.png")
    arguments = ["predict", str(exported), "x.png", "--out", "out", "--probabilities"]
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    environment = {"PYTHONPATH": str(repository()), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'out'}: 1 of 1 pictures predicted\n"
    assert (tmp_path / "out/index/x.png").is_file()

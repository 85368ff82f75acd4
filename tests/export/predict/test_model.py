"""Pictures of any size are predicted in parts that make one whole, by the network of an exported folder."""

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfs.export.folder import CONFIG, ONNX, ExportError
from pfs.export.predict import model as module
from pfs.export.predict.model import MARGIN, Model, Window, open_model, predict, windows
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
    whole_logits, logits = np.zeros((2, 3, 448, 384), np.float32)

    def take_whole(part: Window, found: Logits) -> None:
        whole_logits[:, part.taken_rows, part.taken_columns] = found

    def take(part: Window, found: Logits) -> None:
        logits[:, part.taken_rows, part.taken_columns] = found

    whole = predict(model, image, take_whole)
    monkeypatch.setattr(module, "LARGEST_WHOLE", 1)
    monkeypatch.setattr(module, "WINDOW", 320)
    assert len(list(windows(448, 384))) == 3 * 2
    windowed = predict(model, image, take)
    np.testing.assert_allclose(logits, whole_logits, atol=1e-3)
    assert (windowed == whole).mean() > 0.9999  # but for ties
    assert len(np.unique(whole)) > 1


def test_a_large_picture_needs_the_memory_of_a_few_windows(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Besides the picture and its classes. The largest array is a window's logits."""
    monkeypatch.setattr(module, "LARGEST_WHOLE", 1)
    monkeypatch.setattr(module, "WINDOW", 320)
    legend = model.legend._replace(classes=list("abcdefghijk"))

    def engine(images: Pixels) -> Logits:
        return np.zeros((1, 11, *images.shape[1:3]), np.float32)

    image = picture(900, 1200)
    tracemalloc.start()
    predict(Model(legend, engine), image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 900 * 1200 + 3 * (11 * 4 * 320 * 320) < 900 * 1200 * 11 * 4


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


def test_a_network_of_other_classes_than_its_config_names_is_told(model: Model) -> None:
    fewer = model.legend._replace(classes=model.legend.classes[:2])
    with pytest.raises(ExportError, match=r"the network has 3 classes, and its config\.json names 2"):
        predict(Model(fewer, model.engine), picture(8, 8))

"""Predictions of an exported network for pictures of any size, and their files. No torch here, unless ONNX is missing.

A large picture is shown in overlapping windows. Each pixel's prediction comes from the window in whose middle it lies,
so that a network sees at least `MARGIN` pixels around it, and no more than one window's logits are in memory.
"""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from pfs.export.folder import INT8, ONNX, WEIGHTS, Description, ExportError, checked_file, read_description
from pfs.export.pictures import pixels_of, read_picture
from pfs.export.session import Engine, Logits, Pixels, Session, has_onnxruntime

# A picture of at most so many pixels is shown whole, 2048 x 1024 for example.
LARGEST_WHOLE = 2**21
WINDOW = 1024  # pixels of a side
MARGIN = 128  # of a window's pixels, those at a border inside of the picture whose prediction another window gives
STRIP = 256  # rows of the overlay that are made at a time


class Model(NamedTuple):
    """An exported network, ready to predict."""

    description: Description
    engine: Engine


class Window(NamedTuple):
    """A part of a picture: the rows and columns that the network is shown, and those whose prediction is taken."""

    rows: slice
    columns: slice
    taken_rows: slice
    taken_columns: slice


def open_model(path: Path, threads: int = 0) -> Model:
    """The network of an exported folder, or of an .onnx file in one.

    A folder's network runs by ONNX Runtime, and where that is not installed by torch.

    Args:
        path: the folder or the file.
        threads: to compute with; 0: as many as there are cores.

    Raises:
        ExportError: there is no such network, a file is damaged, or neither ONNX Runtime nor torch is installed.
    """
    if path.suffix == ".onnx" and not path.is_dir():
        if not path.is_file():
            raise ExportError(f"{path}: no such file: name one that `pfs export` wrote, or its folder")
        description = read_description(path.parent)
        return Model(description, Session(checked_file(path.parent, description, path.name), threads))
    if path.is_file():
        raise ExportError(f"{path}: is no .onnx file: name one that `pfs export` wrote ({ONNX}, {INT8}), or its folder")
    description = read_description(path)
    if has_onnxruntime():
        return Model(description, Session(checked_file(path, description, ONNX), threads))
    return Model(description, _by_torch(path, threads))


def _by_torch(folder: Path, threads: int) -> Engine:
    try:
        from pfs.export.weights import torch_engine
    except ImportError:
        raise ExportError(
            f"{folder}: neither onnxruntime nor torch is installed: .venv/bin/pip install -e '.[onnx]' for {ONNX}, "
            f"or torch for {WEIGHTS}"
        ) from None
    return torch_engine(folder, threads)


def windows(height: int, width: int) -> Iterator[Window]:
    """The windows of a picture; those of a picture of at most `LARGEST_WHOLE` pixels are one."""
    whole = height * width <= LARGEST_WHOLE
    for rows, taken_rows in _spans(height, height if whole else WINDOW):
        for columns, taken_columns in _spans(width, width if whole else WINDOW):
            yield Window(rows, columns, taken_rows, taken_columns)


def _spans(length: int, window: int) -> Iterator[tuple[slice, slice]]:
    """What is shown, and what of it is taken, along a side; windows begin at multiples of a power of two."""
    start = 0
    while True:
        last = start + window >= length
        end = length if last else start + window
        yield slice(start, end), slice(start + MARGIN if start else 0, end if last else end - MARGIN)
        if last:
            return
        start += window - 2 * MARGIN


def predict(model: Model, picture: Image.Image, probabilities: NDArray[np.float16] | None = None) -> Pixels:
    """The most likely class of each pixel of an RGB picture, (H, W) uint8.

    Args:
        model: the network.
        picture: in RGB.
        probabilities: (classes, H, W), is filled with those of each class, if given.

    Raises:
        ExportError: a window cannot pass the network.
    """
    labels = np.empty((picture.height, picture.width), np.uint8)
    parts = list(windows(*labels.shape))
    for part in tqdm(parts, desc="windows", leave=False, disable=True if len(parts) == 1 else None):
        shown = pixels_of(picture, (part.columns.start, part.rows.start, part.columns.stop, part.rows.stop))
        logits = model.engine(shown[None])[0]
        inner = logits[:, _within(part.rows, part.taken_rows), _within(part.columns, part.taken_columns)]
        labels[part.taken_rows, part.taken_columns] = inner.argmax(0)
        if probabilities is not None:
            probabilities[:, part.taken_rows, part.taken_columns] = _softmax(inner)
    return labels


def _within(shown: slice, taken: slice) -> slice:
    return slice(taken.start - shown.start, taken.stop - shown.start)


def _softmax(logits: Logits) -> Logits:
    """Over the first axis."""
    powers = np.exp(logits - logits.max(0))
    result: Logits = powers / powers.sum(0)
    return result


# --- files --------------------------------------------------------------------------------------------------


def predict_file(model: Model, file: Path, out: Path, name: str, *, white: int, with_probabilities: bool) -> None:
    """Predict one picture, and write `index/<name>.png` and `overlay/<name>.png`, and `probabilities/<name>.npz`.

    Args:
        model: the network.
        file: the picture.
        out: the folder of all predictions.
        name: the picture's own in it, without an ending.
        white: see `pfs.export.pictures.read_picture`.
        with_probabilities: whether to write the third file: `probabilities` (classes, H, W) in half precision, and
            `classes`, their names. While it is made, it lies on disk.

    Raises:
        ImageError: the picture cannot be read.
        ExportError: it cannot pass the network.
    """
    picture = read_picture(file, white)
    if with_probabilities:
        labels = _write_probabilities(model, picture, out / "probabilities" / f"{name}.npz")
    else:
        labels = predict(model, picture)
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(model.description.palette)] = model.description.palette
    index = Image.fromarray(labels)
    index.putpalette(colours.tobytes())
    _save(index, out / "index" / f"{name}.png")
    _lay_over(picture, labels, colours)
    _save(picture, out / "overlay" / f"{name}.png")


def _write_probabilities(model: Model, picture: Image.Image, file: Path) -> Pixels:
    """Predict a picture, write the probabilities into an .npz file, and return the most likely classes."""
    classes = model.description.classes
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".") as folder, _whole(file) as partial:
        array = Path(folder) / "probabilities.npy"
        shape = (len(classes), picture.height, picture.width)
        mapped = np.lib.format.open_memmap(array, mode="w+", dtype=np.float16, shape=shape)
        labels = predict(model, picture, mapped)
        mapped.flush()
        np.save(Path(folder) / "classes.npy", np.array(classes))
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in ("probabilities.npy", "classes.npy"):
                archive.write(Path(folder) / name, name)
    return labels


def _lay_over(picture: Image.Image, labels: Pixels, colours: Pixels) -> None:
    """Mix a picture, in place, with the colours of its classes, half and half."""
    for top in range(0, picture.height, STRIP):
        strip = labels[top : top + STRIP]
        pixels = pixels_of(picture, (0, top, picture.width, top + len(strip)))
        picture.paste(Image.fromarray(pixels // 2 + colours[strip] // 2), (0, top))


def _save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with _whole(file) as partial:
        image.save(partial, format="PNG", compress_level=3)


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A temporary file beside a file, which it becomes once it is written. `atomic_write` takes what fits in memory."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)

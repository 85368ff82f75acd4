"""Predictions of an exported network for pictures of any size. No torch here, unless ONNX Runtime is missing.

A large picture is shown in overlapping windows. Each pixel's prediction comes from the window in whose middle it lies,
so that a network sees at least `MARGIN` pixels around it, and no more than one window's logits are in memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pfs.export.folder import CONFIG, INT8, ONNX, WEIGHTS, ExportError, Legend, checked_file, read_legend
from pfs.export.predict.pictures import pixels_of
from pfs.export.session import Engine, Logits, Pixels, Session, has_onnxruntime

# A picture of at most so many pixels is shown whole, 2048 x 1024 for example.
LARGEST_WHOLE = 2**21
WINDOW = 1024  # pixels of a side
MARGIN = 128  # of a window's pixels, those at a border inside of the picture whose prediction another window gives


class Model(NamedTuple):
    """An exported network, ready to predict."""

    legend: Legend
    engine: Engine


class Window(NamedTuple):
    """A part of a picture: the rows and columns that the network is shown, and those whose prediction is taken."""

    rows: slice
    columns: slice
    taken_rows: slice
    taken_columns: slice


Take = Callable[[Window, Logits], object]  # is given the logits (classes, h, w) of what is taken of each window


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
        legend = read_legend(path.parent)
        return Model(legend, Session(checked_file(path.parent, legend.sha256, path.name), threads))
    if path.is_file():
        raise ExportError(f"{path}: is no .onnx file: name one that `pfs export` wrote ({ONNX}, {INT8}), or its folder")
    legend = read_legend(path)
    if has_onnxruntime():
        return Model(legend, Session(checked_file(path, legend.sha256, ONNX), threads))
    return Model(legend, _by_torch(path, threads))


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
    """The windows of a picture, downwards and then to the right; a picture of up to `LARGEST_WHOLE` pixels has one."""
    whole = height * width <= LARGEST_WHOLE
    for columns, taken_columns in _spans(width, width if whole else WINDOW):
        for rows, taken_rows in _spans(height, height if whole else WINDOW):
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


def predict(model: Model, picture: Image.Image, take: Take | None = None) -> Pixels:
    """The most likely class of each pixel of an RGB picture, (H, W) uint8.

    Args:
        model: the network.
        picture: in RGB.
        take: is called with each window and the logits of what is taken of it, in the order of `windows`.

    Raises:
        ExportError: a window cannot pass the network, or config.json names more or fewer classes than it has.
    """
    labels = np.empty((picture.height, picture.width), np.uint8)
    parts = list(windows(*labels.shape))
    for part in tqdm(parts, desc="windows", leave=False, disable=True if len(parts) == 1 else None):
        logits = _logits(model, picture, part)
        labels[part.taken_rows, part.taken_columns] = logits.argmax(0)
        if take is not None:
            take(part, logits)
    return labels


def _logits(model: Model, picture: Image.Image, part: Window) -> Logits:
    """The logits (classes, h, w) of what is taken of a window."""
    shown = pixels_of(picture, (part.columns.start, part.rows.start, part.columns.stop, part.rows.stop))
    logits = model.engine(shown[None])[0]
    named = len(model.legend.classes)
    if len(logits) != named:
        raise ExportError(f"the network has {len(logits)} classes, and its {CONFIG} names {named}: export it again")
    taken: Logits = logits[:, _within(part.rows, part.taken_rows), _within(part.columns, part.taken_columns)]
    return taken


def _within(shown: slice, taken: slice) -> slice:
    return slice(taken.start - shown.start, taken.stop - shown.start)

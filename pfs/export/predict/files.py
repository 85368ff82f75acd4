"""The files of a prediction: an index PNG, an overlay, and the probabilities of all classes. Each is written whole."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import numpy as np
from PIL import Image

from pfs.config.files import write_whole
from pfs.export.predict.model import Model, Take, Window, predict
from pfs.export.predict.pictures import pixels_of, read_picture
from pfs.export.session import Logits, Pixels

STRIP = 256  # rows of the overlay that are made at a time
BAND = 64  # rows of a window whose probabilities are computed at a time

SPOOLED = 2**26  # bytes of a strip of probabilities that are kept in memory; a larger strip goes to disk
BLOCK = 2**26  # bytes of a strip that are read at a time


def predict_file(model: Model, file: Path, out: Path, name: str, *, white: int, with_probabilities: bool) -> None:
    """Predict one picture, and write `index/<name>.png` and `overlay/<name>.png`, and `probabilities/<name>.npz`.

    Args:
        model: the network.
        file: the picture.
        out: the folder of all predictions.
        name: the picture's own in it, without an ending.
        white: see `pfs.export.predict.pictures.read_picture`.
        with_probabilities: whether to write the third file: `probabilities` (classes, H, W) in half precision, and
            `classes`, their names.

    Raises:
        ImageError: the picture cannot be read.
        ExportError: it cannot pass the network.
        OSError: the files cannot be written.
    """
    picture = read_picture(file, white)
    if with_probabilities:
        labels = _write_probabilities(model, picture, out / "probabilities" / f"{name}.npz")
    else:
        labels = predict(model, picture)
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(model.legend.palette)] = model.legend.palette
    index = Image.fromarray(labels)
    index.putpalette(colours.tobytes())
    _save(index, out / "index" / f"{name}.png")
    _lay_over(picture, labels, colours)
    _save(picture, out / "overlay" / f"{name}.png")


def _lay_over(picture: Image.Image, labels: Pixels, colours: Pixels) -> None:
    """Mix a picture, in place, with the colours of its classes, half and half."""
    for top in range(0, picture.height, STRIP):
        strip = labels[top : top + STRIP]
        pixels = pixels_of(picture, (0, top, picture.width, top + len(strip)))
        picture.paste(Image.fromarray(pixels // 2 + colours[strip] // 2), (0, top))


def _save(image: Image.Image, file: Path) -> None:
    with write_whole(file) as partial:
        image.save(partial, format="PNG", compress_level=3)


# --- probabilities ------------------------------------------------------------------------------------------


def _write_probabilities(model: Model, picture: Image.Image, file: Path) -> Pixels:
    """Predict a picture, write the probabilities into an .npz file, and return the most likely classes."""
    classes = np.array(model.legend.classes)
    with write_whole(file) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("classes.npy", "w") as member:
            np.lib.format.write_array(member, classes)
        with (
            SpooledTemporaryFile(SPOOLED, dir=str(file.parent)) as scratch,
            _probabilities(archive, scratch, (len(classes), picture.height, picture.width)) as take,
        ):
            return predict(model, picture, take)


@contextmanager
def _probabilities(archive: zipfile.ZipFile, scratch: IO[bytes], shape: tuple[int, int, int]) -> Iterator[Take]:
    """What takes the logits of a picture's windows, and writes the probabilities as a member of an .npz archive.

    The array (classes, H, W) lies in Fortran's order, in which one column of the picture follows the other. So a strip
    of windows can be written as soon as it is complete.
    """
    with archive.open("probabilities.npy", "w", force_zip64=True) as member:
        header = {"descr": "<f2", "fortran_order": True, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield _Strips(member, scratch, height=shape[1])


class _Strips:
    """Collects the probabilities of windows that lie below each other, and writes each such strip.

    A strip of many classes would fill the memory, so it is collected as a file, row by row, and read column by column.
    """

    def __init__(self, member: IO[bytes], scratch: IO[bytes], height: int) -> None:
        self.member, self.scratch, self.height = member, scratch, height

    def __call__(self, part: Window, logits: Logits) -> None:
        """Take the logits (classes, h, w) of a window, in the order of `pfs.export.predict.model.windows`."""
        if part.taken_rows.start == 0:
            self.scratch.seek(0)
        for top in range(0, logits.shape[1], BAND):
            band = _softmax(logits[:, top : top + BAND]).astype("<f2")
            self.scratch.write(band.transpose(1, 2, 0).tobytes())  # (rows, columns, classes)
        if part.taken_rows.stop == self.height:
            self._write(columns=logits.shape[2], classes=len(logits))

    def _write(self, columns: int, classes: int) -> None:
        """Write the strip into the archive, in the order (columns, rows, classes)."""
        pixel = np.dtype("<f2").itemsize * classes  # bytes
        most = max(1, BLOCK // (pixel * self.height))  # columns
        for first in range(0, columns, most):
            count = min(most, columns - first)
            block = np.empty((self.height, count, classes), "<f2")
            for row, place in enumerate(block):
                self.scratch.seek((row * columns + first) * pixel)
                place[:] = np.frombuffer(self.scratch.read(place.nbytes), "<f2").reshape(place.shape)
            self.member.write(block.swapaxes(0, 1).tobytes())


def _softmax(logits: Logits) -> Logits:
    """Over the first axis."""
    powers = np.exp(logits - logits.max(0))
    result: Logits = powers / powers.sum(0)
    return result

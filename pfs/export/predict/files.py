"""The files of a prediction: an index PNG, an overlay, and the probabilities of all classes. Each is written whole."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from pfs.config.files import write_whole
from pfs.export.predict.model import Model, Take, Window, predict
from pfs.export.predict.pictures import pixels_of, read_picture
from pfs.export.session import Logits, Pixels

STRIP = 256  # rows of the overlay that are made at a time
BAND = 64  # rows of a window whose probabilities are computed at a time


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
        with _probabilities(archive, (len(classes), picture.height, picture.width)) as take:
            return predict(model, picture, take)


@contextmanager
def _probabilities(archive: zipfile.ZipFile, shape: tuple[int, int, int]) -> Iterator[Take]:
    """What takes the logits of a picture's windows, and writes the probabilities as a member of an .npz archive.

    The array (classes, H, W) lies in Fortran's order, in which one column of the picture follows the other. So a strip
    of windows is written as soon as it is complete, and no more than one strip is in memory.
    """
    with archive.open("probabilities.npy", "w", force_zip64=True) as member:
        header = {"descr": "<f2", "fortran_order": True, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield _Strips(member, height=shape[1])


class _Strips:
    """Collects the probabilities of windows that lie below each other, and writes each such strip."""

    def __init__(self, member: IO[bytes], height: int) -> None:
        self.member, self.height = member, height

    def __call__(self, part: Window, logits: Logits) -> None:
        """Take the logits (classes, h, w) of a window, in the order of `pfs.export.predict.model.windows`."""
        if part.taken_rows.start == 0:
            self.strip = np.empty((logits.shape[2], self.height, len(logits)), "<f2")  # (columns, rows, classes)
        for top in range(0, logits.shape[1], BAND):
            band = _softmax(logits[:, top : top + BAND])
            first = part.taken_rows.start + top
            self.strip[:, first : first + band.shape[1]] = band.transpose(2, 1, 0)
        if part.taken_rows.stop == self.height:
            for column in self.strip:
                self.member.write(column.tobytes())


def _softmax(logits: Logits) -> Logits:
    """Over the first axis."""
    powers = np.exp(logits - logits.max(0))
    result: Logits = powers / powers.sum(0)
    return result

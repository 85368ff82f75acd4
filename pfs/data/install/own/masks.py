"""Masks as users have them, read as numbers: grey, palette, one bit, 16 bits, or grey that was saved as RGB."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pfs.data.install.own.conversion import Conversion
from pfs.data.loading.images import LOSSY_MASK, ImageError, is_deep, is_lossy, open_image


def read_labels(file: Path, conversion: Conversion) -> npt.NDArray[np.int32]:
    """The labels (H, W) of a mask: classes from 0, and 255 where nothing is scored.

    Raises:
        ValueError: the file cannot be read as an image, or what it holds does not fit the options; to be read after
            the file's name.
    """
    image = open_image(file)
    if is_lossy(image):
        raise ImageError(LOSSY_MASK)
    if conversion.colors and not is_deep(image):
        return conversion.color_labels(np.asarray(image.convert("RGB")))
    return conversion.labels(_values(image))


def _values(image: Image.Image) -> npt.NDArray[np.int32]:
    """The number (H, W) that each pixel of a mask holds."""
    if image.mode != "F" and (image.mode in ("P", "L", "1") or is_deep(image)):
        return np.asarray(image).astype(np.int32)
    if image.mode in ("RGB", "RGBA", "LA"):
        pixels = np.asarray(image.convert("RGB"))
        if (pixels == pixels[..., :1]).all():
            return pixels[..., 0].astype(np.int32)
        raise ValueError(
            "is in colour: name the colours in a file, a line `R G B name` each, and give --mask-colors FILE"
        )
    raise ValueError(f"is of mode {image.mode}, not a mask with one label a pixel")

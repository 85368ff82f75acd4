"""Image files as they come: opened without hanging, and never changed in silence on their way to 8-bit colours."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff")
DEEP = {"I", "F"}  # and "I;16" in several orders of bytes: more than 8 bits a pixel
# These are opaque, and have the same colours in 8 bits each.
OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


class ImageError(ValueError):
    """An image file cannot be used; what is wrong with it, as the end of a sentence that begins with its name."""


def open_image(file: Path) -> Image.Image:
    """Read an image file of one picture, whole.

    Raises:
        ImageError: it is missing, no regular file (reading from a pipe would wait for ever), broken, or an animation.
    """
    if not file.is_file():
        is_there = file.is_symlink() or file.exists()
        raise ImageError("is no regular file, nor a link to one" if is_there else "is missing")
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("ignore")  # of broken metadata: the pixels decide
            if getattr(image, "n_frames", 1) > 1:
                raise ImageError("holds several pictures; save the one that is meant alone")
            image.load()
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ImageError(f"cannot be read as an image ({error})") from error
    return image


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits a pixel."""
    return image.mode in DEEP or image.mode.startswith("I;16")


def as_rgb(image: Image.Image) -> Image.Image:
    """An image in 8-bit RGB with the colours that it has; one that is so already is not copied.

    Raises:
        ImageError: it has more than 8 bits a pixel, is transparent somewhere, or its mode has no colours in RGB.
    """
    if is_deep(image):
        darkest, brightest = image.getextrema()
        raise ImageError(
            f"has more than 8 bits a pixel (mode {image.mode}, values {darkest} to {brightest}), and which of them is "
            "white it does not say: for one's own data, pfs data folder --from FOLDER --white N says it (4095 for 12 "
            "bits)"
        )
    if image.mode not in OPAQUE or "transparency" in image.info:
        image = _without_alpha(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _without_alpha(image: Image.Image) -> Image.Image:
    try:
        with_alpha = image.convert("RGBA")
    except ValueError:
        raise ImageError(f"has the mode {image.mode}, which is not made RGB; save it as RGB") from None
    if np.asarray(with_alpha.getchannel("A")).min() < 255:
        raise ImageError("is transparent somewhere; save it over the background that is meant")
    return with_alpha.convert("RGB")


def from_deep(image: Image.Image, white: int) -> Image.Image:
    """An image of more than 8 bits a pixel as 8-bit grey: 0 is black and `white` is white.

    Raises:
        ImageError: it holds a value below 0 or above `white`.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.min() < 0 or values.max() > white:
        raise ImageError(f"holds values {values.min():g} to {values.max():g}, and --white says that {white} is white")
    return Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))


def as_mask(image: Image.Image) -> Image.Image:
    """A mask's values as 8-bit numbers, in mode P or L.

    Raises:
        ImageError: it is a JPEG, which changes values on the way; it has colours; or it holds a value above 255.
    """
    if image.format in ("JPEG", "MPO"):
        raise ImageError("is a JPEG, which keeps no exact values: save masks as PNG from where they were drawn")
    if image.mode == "1":
        return Image.fromarray(np.asarray(image).astype(np.uint8))
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 255:
            raise ImageError(f"holds values {values.min()} to {values.max()}: are these instances? A label is 0 to 255")
        return Image.fromarray(values.astype(np.uint8))
    if image.mode not in ("P", "L"):
        raise ImageError(f"is of mode {image.mode}, not a mask with one label a pixel (mode P or L)")
    return image

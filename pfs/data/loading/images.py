"""Image files as they come: opened without hanging, and never changed in silence on their way to 8-bit colours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff")
LOSSY_ENDINGS = (".jpg", ".jpeg")
LOSSY_MASK = "is a JPEG, which keeps no exact values: save masks as PNG from where they were drawn"
DEEP = {"I", "F"}  # and "I;16" in several orders of bytes: more than 8 bits a pixel
# These are opaque, and have the same colours in 8 bits each.
OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


class ImageError(ValueError):
    """An image file cannot be used; what is wrong with it, as the end of a sentence that begins with its name."""


def open_image(file: Path) -> Image.Image:
    """Read an image file of one image, whole.

    Raises:
        ImageError: it is missing, no regular file (reading from a pipe would wait for ever), broken, or an animation;
            or its colours have 16 bits a channel, of which Pillow would drop the lower 8 without a word.
    """
    with _opened(file) as image:
        # Many phones save photographs as MPO: a JPEG whose first image is the one that every program shows.
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise ImageError("holds several images; save the one that is meant alone")
        if not is_deep(image) and any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
            raise ImageError("has colours of 16 bits a channel, of which 8 can be read; save it with 8 bits a channel")
        image.load()
    return image


def image_size(file: Path) -> tuple[int, int]:
    """The height and the width of an image file, from its first bytes: no pixel is decoded.

    Raises:
        ImageError: it is missing, no regular file, or no image.
    """
    with _opened(file) as image:
        return image.height, image.width


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An image file whose pixels are not read yet; all that Pillow raises, here or inside, becomes an ImageError."""
    if not file.is_file():
        is_there = file.is_symlink() or file.exists()
        raise ImageError("is no regular file, nor a link to one" if is_there else "is missing")
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("ignore")  # of broken metadata: the pixels decide
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("cannot be read as an image (it begins like none of a kind that is known)") from None
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ImageError(f"cannot be read as an image ({error})") from error


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits a pixel."""
    return image.mode in DEEP or image.mode.startswith("I;16")


def is_lossy(image: Image.Image) -> bool:
    """Whether an image was read from a JPEG, whatever its file is called, or from a TIFF that holds one."""
    return image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"


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
    if is_lossy(image):
        raise ImageError(LOSSY_MASK)
    if image.mode == "1":
        return Image.fromarray(np.asarray(image).astype(np.uint8))
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 255:
            raise ImageError(f"holds values {values.min()} to {values.max()}: are these instances? A label is 0 to 255")
        return Image.fromarray(values.astype(np.uint8))
    if image.mode not in ("P", "L"):
        colours = "; where colours are classes, pfs data folder --from FOLDER --mask-colors FILE names them"
        raise ImageError(f"is of mode {image.mode}, not a mask with one label a pixel (mode P or L){colours}")
    return image

"""Pictures as people have them: found by file, folder or pattern, and made 8-bit RGB, upright. No torch here."""

import glob
import os
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pfs.data.loading.images import IMAGE_ENDINGS, ImageError, from_deep, is_deep

BEHIND = (127, 127, 127)  # the grey that shows through where a picture is transparent; the network's own padding


def find_pictures(arguments: Iterable[str], but: Path) -> tuple[list[Path], list[str]]:
    """The pictures that arguments name, each once, and a line for each argument that names none.

    Args:
        arguments: files of any name; folders, of which all pictures are taken, in their folders too; or patterns, such
            as "photos/**/*.jpg".
        but: a folder from which nothing is taken: that of the predictions.
    """
    found: dict[Path, None] = {}
    problems = []
    for argument in arguments:
        files = _named(argument)
        taken = [file for file in files if not file.resolve().is_relative_to(but.resolve())]
        if not taken:
            problems.append(f"{argument}: {_why_none(argument)}")
        found |= dict.fromkeys(taken)
    return list(found), problems


def _named(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if _is_picture(file))
    if os.path.lexists(path):
        return [path]
    matches = map(Path, sorted(glob.glob(argument, recursive=True)))  # noqa: PTH207  # an absolute pattern is one too
    return [file for file in matches if file.is_file()]


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_ENDINGS and not file.name.startswith(".") and file.is_file()


def _why_none(argument: str) -> str:
    if Path(argument).is_dir():
        return f"holds no picture ({', '.join(IMAGE_ENDINGS)})"
    if os.path.lexists(argument):
        return "lies in the folder of the predictions: name another folder with --out"
    return "no file, folder or pattern of that name matches a picture"


def output_names(pictures: list[Path]) -> list[str]:
    """A name without ending for the predictions of each picture, no two alike, even where capitals do not count.

    It is the picture's path from the deepest folder that holds all pictures; its ending stays where two would be alike.
    """
    absolute = [Path(os.path.normpath(Path.cwd() / picture)) for picture in pictures]  # a link keeps its name
    common = Path(os.path.commonpath([path.parent for path in absolute])) if absolute else Path()
    names = [path.relative_to(common) for path in absolute]
    short = [str(name.with_suffix("")) for name in names]
    counts = Counter(name.lower() for name in short)
    chosen: list[str] = []
    taken: set[str] = {name for name, count in counts.items() if count == 1}
    for name, stem in zip(names, short, strict=True):
        chosen.append(stem if counts[stem.lower()] == 1 else _free(str(name), taken))
        taken.add(chosen[-1].lower())
    return chosen


def _free(name: str, taken: set[str]) -> str:
    """The name, or with the first number behind it by which nothing is called yet."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def read_picture(file: Path, white: int) -> Image.Image:
    """A picture as 8-bit RGB, turned upright as its EXIF says, over grey where it is transparent.

    Args:
        file: of any format that Pillow reads.
        white: the value that is white in grey pictures of more than 8 bits; 0 is black. Colours of 16 bits a channel
            lose the lower 8.

    Raises:
        ImageError: it is missing, broken, an animation, or holds values beyond `white`; the end of a sentence that
            begins with the file's name.
    """
    if not file.is_file():
        is_there = os.path.lexists(file)
        raise ImageError("is no regular file, nor a link to one" if is_there else "is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken metadata, and of large pictures, which are meant
            return _as_rgb(_upright(_load(file)), white)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("cannot be read as an image (it begins like none of a kind that is known)") from None
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImageError(f"cannot be read as an image ({reason})") from None


def _load(file: Path) -> Image.Image:
    with Image.open(file) as image:
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise ImageError("holds several images; save the one that is meant alone")
        image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF turns it; where that cannot be read, as its pixels lie."""
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _as_rgb(image: Image.Image, white: int) -> Image.Image:
    if is_deep(image):
        return from_deep(image, white).convert("RGB")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        behind = Image.new("RGB", image.size, BEHIND)
        behind.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return behind
    return image if image.mode == "RGB" else image.convert("RGB")


def pixels_of(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pixels (h, w, 3) of a box (left, top, right, bottom) of an RGB picture."""
    return np.asarray(image.crop(box))

"""Pictures as people have them: found by file, folder or pattern, and made 8-bit RGB, upright. No torch here."""

import glob
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pfs.data.loading.images import IMAGE_ENDINGS, ImageError, from_deep, is_deep

# Endings of what people take for a picture. A file that has one and cannot be read is told, not left out in silence.
PICTURE_ENDINGS = (*IMAGE_ENDINGS, ".jfif", ".jp2", ".gif", ".heic", ".heif", ".avif", ".ppm", ".pgm", ".pbm", ".tga")
NAMED = 3  # files that a note names
STRIP = 256  # rows that are converted at a time
BEHIND = (127, 127, 127)  # the grey that shows through where a picture is transparent; the network's own padding


class Found(NamedTuple):
    """The pictures that arguments name, and what is to be told of everything else.

    Attributes:
        pictures: each once, however often and by whichever path it was named.
        problems: a line for each argument that names no picture, and for each place that could not be looked into.
        notes: a line for each folder with files that have no picture's ending, and are left out.
    """

    pictures: list[Path]
    problems: list[str]
    notes: list[str]


def find_pictures(arguments: Iterable[str], but: Path) -> Found:
    """The pictures that arguments name.

    Args:
        arguments: files of any name; folders, of which all pictures are taken, in their folders too; or patterns, such
            as "photos/**/*.jpg". In a folder, names that begin with a dot are left out.
        but: a folder from which nothing is taken: that of the predictions.
    """
    found: dict[str, Path] = {}
    problems, notes = [], []
    for argument in arguments:
        named = (
            _in_folder(Path(argument), but.resolve()) if Path(argument).is_dir() else Found(_named(argument), [], [])
        )
        taken = [file for file in named.pictures if not file.resolve().is_relative_to(but.resolve())]
        if not taken:
            problems.append(f"{argument}: {_why_none(argument)}")
        problems += named.problems
        notes += named.notes
        for file in taken:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100  # a link keeps its name
    return Found(list(found.values()), problems, notes)


def _named(argument: str) -> list[Path]:
    if os.path.lexists(argument):
        return [Path(argument)]
    matches = map(Path, sorted(glob.glob(argument, recursive=True)))  # noqa: PTH207  # an absolute pattern is one too
    return [file for file in matches if not file.is_dir()]


def _in_folder(folder: Path, but: Path) -> Found:
    """The pictures of a folder and of the folders in it, with links that lead nowhere, which are told when read."""
    found = Found([], [], [])
    left_out: list[Path] = []

    def cannot(error: OSError) -> None:
        found.problems.append(f"{error.filename}: cannot be looked into ({error.strerror}): its pictures are left out")

    for base, folders, names in os.walk(folder, onerror=cannot):
        paths = [Path(base, name) for name in (*folders, *names) if not name.startswith(".")]
        links = [path for path in paths if path.is_dir() and path.is_symlink()]
        told = "is a link to a folder, and links are not followed: name it too"
        found.problems.extend(f"{path}: {told}" for path in links)
        folders[:] = [path.name for path in paths if path.is_dir() and path not in links and path.resolve() != but]
        files = [path for path in paths if not path.is_dir()]
        found.pictures.extend(filter(_is_picture, files))
        left_out += [file for file in files if not _is_picture(file)]
    if left_out:
        found.notes.append(_note(folder, sorted(left_out)))
    return Found(sorted(found.pictures), found.problems, found.notes)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_ENDINGS or not file.exists()


def _note(folder: Path, files: list[Path]) -> str:
    """One line on files without a picture's ending: how many, and the first of them."""
    named = ", ".join(str(file.relative_to(folder)) for file in files[:NAMED])
    more = ", ..." if len(files) > NAMED else ""
    return f"{folder}: left out, without the ending of a picture: {len(files)} ({named}{more})"


def _why_none(argument: str) -> str:
    if Path(argument).is_dir():
        return f"holds no picture ({', '.join(PICTURE_ENDINGS)})"
    if os.path.lexists(argument):
        return "lies in the folder of the predictions: name another folder with --out"
    return "no file, folder or pattern of that name matches a picture"


def output_names(pictures: list[Path]) -> list[str]:
    """A name without ending for the predictions of each picture, no two alike, whatever a file system takes for equal.

    It is the picture's path from the deepest folder that holds all pictures. Its ending stays where two would be alike,
    and a number follows where they still are.
    """
    absolute = [Path(os.path.normpath(Path.cwd() / picture)) for picture in pictures]  # a link keeps its name
    common = Path(os.path.commonpath([path.parent for path in absolute])) if absolute else Path()
    names = [path.relative_to(common) for path in absolute]
    short = [str(name.with_suffix("")) for name in names]
    counts = Counter(map(_folded, short))
    chosen: list[str] = []
    taken: set[str] = {name for name, count in counts.items() if count == 1}
    for name, stem in zip(names, short, strict=True):
        chosen.append(stem if counts[_folded(stem)] == 1 else _free(str(name), taken))
        taken.add(_folded(chosen[-1]))
    return chosen


def _folded(name: str) -> str:
    """Equal for names that a file system may take for equal: in capitals or not, accents as a character or two."""
    return unicodedata.normalize("NFC", name).casefold()


def _free(name: str, taken: set[str]) -> str:
    """The name, or with the first number behind it by which nothing is called yet."""
    free, number = name, 1
    while _folded(free) in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def numbered(pictures: list[Path], names: list[str]) -> list[str]:
    """A line for each picture whose predictions bear a number, because another's have its name."""
    return [
        f"{picture}: its predictions are called {name}: another picture has its name"
        for picture, name in zip(pictures, names, strict=True)
        if Path(name).name not in (picture.name, picture.stem)
    ]


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
        if file.is_symlink() and not file.exists():
            raise ImageError(f"is a link to {file.readlink()}, which is not there")
        raise ImageError("is no regular file, nor a link to one" if file.exists() else "is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken metadata, and of large pictures, which are meant
            return _as_rgb(_upright(_load(file)), white)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            "cannot be read as an image (it begins like none of a kind that is known): save it as PNG or JPEG"
        ) from None
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
        return _from_deep(image, white)
    if image.has_transparency_data:
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        behind = Image.new("RGB", image.size, BEHIND)
        behind.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return behind
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep(image: Image.Image, white: int) -> Image.Image:
    """In strips: the conversion computes in double precision, with eight bytes and more for each pixel."""
    rgb = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        rgb.paste(from_deep(strip, white).convert("RGB"), (0, top))
    return rgb


def pixels_of(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pixels (h, w, 3) of a box (left, top, right, bottom) of an RGB picture."""
    return np.asarray(image.crop(box))

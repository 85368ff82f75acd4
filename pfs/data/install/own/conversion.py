"""How a user's own masks become labels: the options of `pfs data folder`, and what they make of a mask's values.

Labels count from 0, one for each class; 255 is not scored. A user's masks may hold colours instead, or 255 for the
foreground, or 0 for what is not scored.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pfs.data.dataset import DatasetError, Pixels

NOT_SCORED = 255
# A colour of one of these names, in any case, is not a class: its pixels are not scored.
NAMES_OF_VOID = ("void", "ignore", "__ignore__", "unlabeled", "unlabelled")


class Color(NamedTuple):
    """A line of the file of colours."""

    red: int
    green: int
    blue: int
    name: str


class Conversion(BaseModel):
    """What the user says about masks and images, beside the folder itself.

    Attributes:
        mask_colors: the file that names the colours, where masks are RGB.
        colors: its content.
        ignore: values in the masks that are not scored.
        first_class: the value of the first class in the masks; smaller values are not scored.
        binary: masks hold 0 for the background, and 1 or 255 for the foreground.
        split: per cent of the images for train and val, and for test where there are three numbers.
        white: the value that is white in images of more than 8 bits a pixel; 0 where nobody says it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mask_colors: Path | None = None
    colors: tuple[Color, ...] = ()
    ignore: tuple[int, ...] = ()
    first_class: int = 0
    binary: bool = False
    split: tuple[int, ...] = ()
    white: int = 0

    @property
    def flags(self) -> str:
        """The options as they are typed, or "no option"."""
        return " ".join([*self.mask_flags, *self._other_flags]) or "no option"

    @property
    def mask_flags(self) -> list[str]:
        """Those options that change the values of masks, as they are typed."""
        return [
            *([f"--mask-colors {self.mask_colors}"] if self.mask_colors else []),
            *(f"--ignore {value}" for value in self.ignore),
            *([f"--first-class {self.first_class}"] if self.first_class else []),
            *(["--binary"] if self.binary else []),
        ]

    @property
    def _other_flags(self) -> list[str]:
        return [
            *([f"--split {'/'.join(map(str, self.split))}"] if self.split else []),
            *([f"--white {self.white}"] if self.white else []),
        ]

    def color_classes(self) -> tuple[str, ...]:
        """The classes that the file of colours names, in its order; colours of one name are one class."""
        return tuple(dict.fromkeys(color.name for color in self.colors if color.name.lower() not in NAMES_OF_VOID))

    def labels(self, values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The labels that a mask's values mean, both (H, W).

        Raises:
            ValueError: with --binary, a value is neither the background's nor the foreground's; or a value is no label.
        """
        ignored = np.isin(values, self.ignore) | (values >= 0) & (values < self.first_class)
        if self.binary:
            values = _binary(values, ignored)
        else:
            ignored |= values == NOT_SCORED
        shifted = values - self.first_class
        wrong = values[~ignored & ((shifted < 0) | (shifted >= NOT_SCORED))]
        if wrong.size:
            raise ValueError(
                f"holds {wrong[0]}, and a label is 0 to 254: --ignore {wrong[0]} if it is not to be scored"
            )
        return np.where(ignored, NOT_SCORED, shifted)

    def color_labels(self, pixels: Pixels) -> npt.NDArray[np.int32]:
        """The labels (H, W) that the colours (H, W, 3) of a mask mean.

        Raises:
            ValueError: a pixel's colour is not in the file of colours; names the colour and the place.
        """
        label = {name: number for number, name in enumerate(self.color_classes())}
        known = sorted(
            (_code(np.array(color[:3], np.uint8)), label.get(color.name, NOT_SCORED)) for color in self.colors
        )
        codes, labels = (np.array(column, np.int32) for column in zip(*known, strict=True))
        found = _code(pixels)
        place = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
        self._refuse_strange(pixels, codes[place] != found)
        return labels[place]

    def _refuse_strange(self, pixels: Pixels, strange: npt.NDArray[np.bool_]) -> None:
        if strange.any():
            row, column = np.argwhere(strange)[0].tolist()
            color = " ".join(map(str, pixels[row, column].tolist()))
            count = f"1 of {strange.sum()} such pixels, " if strange.sum() > 1 else ""
            raise ValueError(f"has the colour {color} at x = {column}, y = {row} ({count}not in {self.mask_colors})")


def _binary(values: npt.NDArray[np.int32], ignored: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    found = set(np.unique(values[~ignored]).tolist())
    if not (found <= {0, 255} or found <= {0, 1}):
        text = ", ".join(map(str, sorted(found)[:10]))
        raise ValueError(f"holds {text}: --binary wants 0 with 255, or 0 with 1")
    return (values > 0).astype(np.int32)


def _code(colors: Pixels) -> npt.NDArray[np.int32]:
    """Colours (..., 3) as one number each (...)."""
    wide = colors.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def read_colors(file: Path) -> tuple[Color, ...]:
    """The colours of masks, a line `R G B name` each, as CamVid's label_colors.txt has them.

    Raises:
        DatasetError: the file is missing or not text, a line is something else, a colour is there twice, or there are
            fewer than two classes.
    """
    if not file.is_file():
        raise DatasetError(f"{file}: no such file; --mask-colors wants one with a line `R G B name` for each class")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file} is not text in UTF-8 ({error})") from None
    colors = tuple(_color(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
    seen: dict[tuple[int, int, int], str] = {}
    for red, green, blue, name in colors:
        if (other := seen.setdefault((red, green, blue), name)) != name:
            raise DatasetError(f"{file} gives the colour {red} {green} {blue} two names, {other} and {name}: keep one")
    if len(classes := Conversion(colors=colors).color_classes()) < 2:
        raise DatasetError(f"{file} names {len(classes)} classes: give at least two, a line `R G B name` each")
    return colors


def _color(file: Path, number: int, line: str) -> Color:
    parts = line.replace(",", " ").split(maxsplit=3)
    if len(parts) < 4 or not all(part.isdecimal() and int(part) < 256 for part in parts[:3]):
        raise DatasetError(
            f"{file}, line {number}: {line.strip()!r} is not `R G B name`, three numbers of 0 to 255 first"
        )
    return Color(int(parts[0]), int(parts[1]), int(parts[2]), parts[3].strip())


def conversion(
    mask_colors: Path | None, ignore: Sequence[int], first_class: int, binary: bool, split: str | None, white: int
) -> Conversion:
    """The options as they stand on the command line.

    Raises:
        DatasetError: a value cannot be, or two of them contradict each other.
    """
    if wrong := [value for value in (*ignore, first_class, white) if value < 0]:
        raise DatasetError(f"{wrong[0]}: no value is negative; --ignore, --first-class and --white are 0 or more")
    made = Conversion(
        mask_colors=mask_colors,
        colors=read_colors(mask_colors) if mask_colors else (),
        ignore=tuple(sorted(set(ignore))),
        first_class=first_class,
        binary=binary,
        split=_shares(split) if split else (),
        white=white,
    )
    whole = [flag for flag in made.mask_flags if not flag.startswith("--ignore")]
    if len(whole) > 1:
        raise DatasetError(f"{' and '.join(whole)} contradict each other: each says what all values mean; give one")
    if made.colors and made.ignore:
        raise DatasetError(f"--ignore is for masks of one channel: call the colour void in {mask_colors}")
    return made


def _shares(text: str) -> tuple[int, ...]:
    """`70/15/15`, the per cent of train, val and test, or `80/20` without a test, as numbers."""
    parts = text.split("/")
    shares = tuple(int(part) for part in parts if part.isdecimal() and int(part))
    if len(shares) != len(parts) or len(shares) not in (2, 3) or sum(shares) != 100:
        raise DatasetError(
            f"--split {text}: give two or three per cents that make 100, as 70/15/15 of train, val, test"
        )
    return shares

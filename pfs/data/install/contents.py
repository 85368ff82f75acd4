"""What a data set holds, counted while it is verified: pixels of each class, sizes, images that stand in two splits.

`contents.json` in the data set's folder keeps it: for the reader, and for what checks a study before it trains.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "contents.json"
SHOWN = 40  # classes in the printed table; of more, those with the fewest pixels
VOID_NAMES = {"void", "ignore", "ignored", "unlabeled", "unlabelled", "unknown", "other", "__ignore__"}


class SplitContents(BaseModel):
    """One split.

    Attributes:
        images: how many.
        sizes: "width x height" -> how many images are of that size.
        pixels: for each class, in the order of the labels, how many pixels hold it.
        images_with: for each class, how many images hold it.
        unscored: pixels with the label 255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    sizes: dict[str, int]
    pixels: list[int]
    images_with: list[int]
    unscored: int

    @property
    def unscored_share(self) -> float:
        """The share of the pixels that are not scored."""
        return self.unscored / max(1, self.unscored + sum(self.pixels))


class Contents(BaseModel):
    """A whole data set: its splits, and what stands in two of them.

    Attributes:
        classes: the names, in the order of the labels.
        splits: what each holds, by the split's name.
        duplicates: "split/name = split/name" for each image that stands, pixel by pixel, in two splits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: list[str]
    splits: dict[str, SplitContents]
    duplicates: list[str]


class Tally:
    """Counts one split, an image and its labels at a time.

    Args:
        classes: how many there are; labels are 0 to classes - 1, and 255.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.sizes: Counter[str] = Counter()
        self.pixels = np.zeros(256, np.int64)
        self.images_with = np.zeros(256, np.int64)
        self.digests: dict[str, str] = {}  # of an image's content -> its name

    def add(self, name: str, image: Image.Image, labels: Image.Image, content: bytes) -> None:
        """Count one image, its labels (255: not scored), and what its checksum is taken of."""
        counts = np.bincount(np.asarray(labels).ravel(), minlength=256)
        self.sizes[f"{image.width} x {image.height}"] += 1
        self.pixels += counts
        self.images_with += counts > 0
        self.digests.setdefault(hashlib.sha256(content).hexdigest(), name)

    def contents(self) -> SplitContents:
        """What has been counted."""
        return SplitContents(
            images=self.sizes.total(),
            sizes=dict(self.sizes.most_common()),
            pixels=self.pixels[: self.classes].tolist(),
            images_with=self.images_with[: self.classes].tolist(),
            unscored=int(self.pixels[255]),
        )


def contents_of(classes: Sequence[str], tallies: dict[str, Tally]) -> Contents:
    """The contents of a data set from the counts of its splits."""
    splits = {split: tally.contents() for split, tally in tallies.items()}
    return Contents(classes=list(classes), splits=splits, duplicates=list(_duplicates(tallies)))


def _duplicates(tallies: dict[str, Tally]) -> Iterator[str]:
    """Images of val and test that stand in a training split too, or in each other."""
    pairs = [(a, b) for number, a in enumerate(tallies) for b in list(tallies)[number + 1 :]]
    for first, second in pairs:
        if first.startswith("train") and second.startswith("train"):  # one may be a part of the other: VOC's
            continue
        both = tallies[first].digests.keys() & tallies[second].digests.keys()
        named = sorted((tallies[first].digests[key], tallies[second].digests[key]) for key in both)
        yield from (f"{first}/{one} = {second}/{other}" for one, other in named)


def read_contents(folder: Path) -> Contents | None:
    """What `pfs data` has counted in a data set's folder; None where it has not, or the file is broken."""
    try:
        return Contents.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


# --- what is wrong with it --------------------------------------------------------------------------------------------


def refusals(contents: Contents) -> list[str]:
    """Why a data set cannot be trained or scored on: a line each."""
    problems = []
    for split, held in contents.splits.items():
        scored = [name for name, pixels in zip(contents.classes, held.pixels, strict=True) if pixels]
        if not scored:
            problems.append(f"no pixel of {split} has a class: all its masks hold the label that is not scored alone")
        elif len(scored) == 1 and split.startswith("train"):
            advice = " (masks of 0 and 255: --binary makes background and foreground of them)" if held.unscored else ""
            problems.append(
                f"every scored pixel of {split} is of one class, {scored[0]}: there is nothing to learn{advice}"
            )
    return problems


def warnings(contents: Contents) -> list[str]:
    """What looks wrong in a data set but may be meant: a line each."""
    lines = []
    for split, held in contents.splits.items():
        absent = [name for name, pixels in zip(contents.classes, held.pixels, strict=True) if not pixels]
        if absent:
            lines.append(f"no mask of {split} holds {_some(absent)}{_shifted(contents, held)}")
        if held.unscored_share > 0.5:
            lines.append(f"{held.unscored_share:.0%} of {split}'s pixels are not scored (label 255)")
    if contents.classes[0].lower() in VOID_NAMES:
        lines.append(
            f"the first class is called {contents.classes[0]}, and is scored like any other: if its pixels should not "
            "be, take its name out and say --first-class 1"
        )
    if contents.duplicates:
        lines.append(
            f"images that stand in two splits, so that what is learnt is also scored ({len(contents.duplicates)}): "
            f"{_some(contents.duplicates)}"
        )
    return lines


def _shifted(contents: Contents, held: SplitContents) -> str:
    """A hint, where labels may have been counted from 1: the last class is nowhere, and 0 is in use."""
    lacks_last = not any(split.pixels[-1] for split in contents.splits.values()) and held.pixels[0]
    return "; if 0 is void in these masks, --first-class 1 says so" if lacks_last else ""


def _some(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


# --- as it is printed -------------------------------------------------------------------------------------------------


def report(contents: Contents) -> str:
    """A table of the classes, a column a split; above it the images and their sizes, below it what to look at."""
    lines = [f"{split}: {_images(held)}" for split, held in contents.splits.items()]
    order = sorted(range(len(contents.classes)), key=lambda label: _pixels(contents, label))[:SHOWN]
    width = max(len(contents.classes[label]) for label in order)
    lines += ["", f"{'share of the scored pixels (images)':{max(width + 6, 36)}}" + _cells(list(contents.splits))]
    for label in sorted(order):
        shares = [_share(held, label) for held in contents.splits.values()]
        lines.append(f"{label:>4}  {contents.classes[label]:{max(width, 30)}}{_cells(shares)}")
    lines.append(f"{'not scored (255)':{max(width + 6, 36)}}" + _cells(_unscored(contents)))
    if len(order) < len(contents.classes):
        lines.append(f"(the {SHOWN} rarest of {len(contents.classes)} classes; the others stand in {FILE})")
    return "\n".join([*lines, *(f"look at this: {line}" for line in warnings(contents))])


def _images(held: SplitContents) -> str:
    sizes = _some([f"{size} ({count})" for size, count in held.sizes.items()], 3)
    return f"{held.images} images of {sizes}"


def _pixels(contents: Contents, label: int) -> int:
    return sum(held.pixels[label] for held in contents.splits.values())


def _share(held: SplitContents, label: int) -> str:
    scored = max(1, sum(held.pixels))
    return f"{held.pixels[label] / scored:.2%} ({held.images_with[label]})" if held.pixels[label] else "-"


def _unscored(contents: Contents) -> list[str]:
    return [f"{held.unscored_share:.2%}" for held in contents.splits.values()]


def _cells(texts: Sequence[str]) -> str:
    return "".join(f"{text:>18}" for text in texts)

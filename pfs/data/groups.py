"""Which images of a test split belong together, because they show the same photograph or come from the same film.

Two frames of one film, or two scenes over one photograph, say less about a network than two images that have nothing in
common: an interval over images draws such groups whole. No torch here.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pfs.config import data as config

PHOTOGRAPHS = 17  # how many `pfs.data.sets.digit_drawing.PHOTOGRAPHS` names, which is slow to import
ALONE = "image"  # the kind of groups of one image each
TEST = 2  # the place of "test" in `pfs.data.dataset.SPLITS`


class Groups(NamedTuple):
    """The group of each image of a split, in the split's order.

    Attributes:
        kind: what the images of a group have in common: "photograph", "sequence", or "image" where each stands alone.
        names: one name an image; images of equal names belong together.
    """

    kind: str
    names: tuple[str, ...]


def groups_of_test(spec: config.Data, root: Path | None, count: int) -> Groups:
    """The groups of the images on which a study reports.

    Args:
        spec: the study's data.
        root: the folder of all data sets; None, or a folder without these data: only what the study says is known.
        count: how many images the split has.

    Returns:
        Digit Scenes by the photograph behind the digits, CamVid by the film's sequence; any other data set, and a
        CamVid whose list is not there or has another number of images, with each image as a group of its own.
    """
    alone = Groups(ALONE, tuple(map(str, range(count))))
    match spec:
        case config.DigitScenesConfig():
            return Groups("photograph", tuple(str(_photograph(spec.seed, index)) for index in range(count)))
        case config.CamVidConfig():
            names = [] if root is None else _sequences(root / spec.name / "test.txt")
            return Groups("sequence", tuple(names)) if len(names) == count else alone
        case _:
            return alone


def _photograph(seed: int, index: int) -> int:
    """The number of the photograph behind a test scene: the first thing that `draw_scene` draws at random."""
    return int(np.random.default_rng([seed, TEST, index]).choice(PHOTOGRAPHS))


def _sequences(listed: Path) -> list[str]:
    """The sequence of each image of CamVid's list: 0001TP of 0001TP_008550.png; nothing where there is no list."""
    if not listed.is_file():
        return []
    lines = listed.read_text(encoding="utf-8-sig").splitlines()
    return [Path(line.split()[0]).name.split("_")[0] for line in lines if line.strip()]

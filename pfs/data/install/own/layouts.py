"""Which of the usual layouts a user's folder has; and what is said of a folder that has none of them."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path

from pfs.data.install.own.layout import Layout, folders_in
from pfs.data.install.own.mask_folders import as_folders, as_voc
from pfs.data.install.own.outline_folders import as_outlines

WANTED = (
    "classes.txt  (a name a line)",
    "images/",
    "  train/<name>.jpg, .png, ...",
    "  val/",
    "  test/  (may be left out)",
    "masks/",
    "  train/<name>.png  (0, 1, ...; 255)",
    "  val/",
    "  test/",
)
ALSO = (
    "Taken too: JPEGImages/ with SegmentationClass/; images/ with masks/ of the same names, with no train and val "
    "(--split 70/15/15); labelme's JSON files beside their images; COCO's instances JSON.\n"
    "Masks in colour: --mask-colors FILE; of 0 and 255: --binary; with 0 for what is not scored: --first-class 1; "
    "another value that is not scored: --ignore N."
)
MOST = 16  # lines of a folder's tree


def recognise(source: Path, endings: Collection[str]) -> Layout | None:
    """The layout of a user's folder, or None.

    Args:
        source: the folder.
        endings: of the names of images, in lower case.

    Raises:
        DatasetError: it has a known layout, in which something is missing or there twice; names the files.
    """
    found = (layout(source, endings) for layout in (as_voc, as_folders, as_outlines))
    return next((layout for layout in found if layout), None)


def not_recognised(source: Path) -> str:
    """What is wanted beside what a folder holds, two levels deep, and which options there are."""
    found = list(_tree(source)) or ["(nothing)"]
    if len(found) > MOST:
        found = [*found[:MOST], f"and {len(found) - MOST} more lines"]
    width = max(map(len, WANTED)) + 2
    rows = [("wanted:", "found:"), *zip_longest(WANTED, found, fillvalue="")]
    table = "\n".join(f"  {wanted:<{width}}| {there}".rstrip() for wanted, there in rows)
    inner = folders_in(source)
    meant = f"\nIs the folder in it meant? --from {inner[0]}" if len(inner) == 1 else ""
    return f"{source}: no layout of images with masks that is known\n{table}\n{ALSO}{meant}"


def _tree(folder: Path, level: int = 1) -> Iterator[str]:
    """The lines of a folder's tree, two levels deep: folders by name, files by kind with the first one's name."""
    inner = folders_in(folder)
    files = sorted(path.name for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    counts = Counter(Path(name).suffix.lower() for name in files)
    for ending, count in sorted(counts.items()):
        first = next(name for name in files if Path(name).suffix.lower() == ending)
        yield first if count == 1 else f"{first} and {count - 1} more {ending or 'files without an ending'}"
    for path in inner:
        yield f"{path.name}/"
        if level < 2:
            yield from (f"  {line}" for line in _tree(path, level + 1))

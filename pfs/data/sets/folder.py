"""Your own data: a folder with images, masks and the names of the classes.

<folder>/classes.txt                         one class a line, in the order of the labels
<folder>/images/{train,val,test}/<name>      JPEG, PNG, BMP, TIFF or WebP; test may be left out
<folder>/masks/{train,val,test}/<name>       PNG, BMP or TIFF, one channel: 0 the first class; 255 is not scored
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from PIL import ExifTags, Image

from pfs.data.dataset import SPLITS, DatasetError
from pfs.data.install.contents import Tally
from pfs.data.install.own.conversion import Conversion
from pfs.data.install.own_data import bring, check_origin
from pfs.data.loading.images import IMAGE_ENDINGS, LOSSY_ENDINGS, LOSSY_MASK, MASK_ENDINGS
from pfs.data.sets.base import PlacedDataset

# Files that file managers leave in any folder, besides hidden ones.
LEFTOVERS = {"thumbs.db", "desktop.ini"}


class OwnFolder(PlacedDataset):
    """One split of one's own data: "train", "val" or "test"."""

    name = "folder"
    advice = "name the folder that holds it with --from FOLDER"
    counts: ClassVar[dict[str, int]] = {}

    def __init__(self, folder: str | Path, split: str) -> None:
        super().__init__(folder, split)
        lines = self._read(self.folder / "classes.txt").splitlines()
        self.classes = tuple(name for line in lines if (name := line.strip()))
        if "__ignore__" in self.classes:
            problem = "names __ignore__, which is no class: take that line out, so that the next one is the label 0"
            raise self.error(self.folder / "classes.txt", problem)
        if unprintable := [name for name in self.classes if not name.isprintable()]:
            raise self.error(self.folder / "classes.txt", f"has a name with unseen letters, {unprintable[0]!r}")
        if not 2 <= len(self.classes) <= self.void or len(set(self.classes)) < len(self.classes):
            found = f"{len(self.classes)} names, {len(set(self.classes))} of them different"
            raise self.error(self.folder / "classes.txt", f"has {found}, not 2 to {self.void} different ones")

    @classmethod
    def splits(cls, folder: Path) -> list[str]:
        """Train, val, and test where there is one."""
        return [split for split in SPLITS if split != "test" or (folder / "images" / "test").is_dir()]

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """Images, masks, classes."""
        return ["images", "masks", "classes.txt"]

    @classmethod
    def take(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """Any of the usual layouts is recognised, and said: see `pfs.data.install.own_data`."""
        bring(source, folder, conversion, IMAGE_ENDINGS)

    @classmethod
    def check_source(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """From the same folder, with the same options."""
        check_origin(source, folder, conversion, IMAGE_ENDINGS)

    @property
    def repair_hint(self) -> str:
        """How to mend it. A change may be meant: so restoring the files and taking them anew are both named."""
        if (self.folder / "checksums.json").is_file():
            return f"restore it, or delete {self.folder} and run: pfs data folder --from FOLDER"
        return "mend it, then run: pfs data folder --from FOLDER"

    @property
    def list_file(self) -> Path:
        """The folder that holds the split's images."""
        return self.folder / "images" / self.split

    @property
    def masks(self) -> Path:
        """The folder that holds the split's masks."""
        return self.folder / "masks" / self.split

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        name = Path(self.names[index])
        endings = (*MASK_ENDINGS, *LOSSY_ENDINGS)  # a JPEG is found, so that it is refused for what it is
        named = [self.masks / f"{name.stem}{ending}" for ending in (*endings, *map(str.upper, endings))]
        return self.list_file / name, next((file for file in named if file.exists()), named[0])

    def verify(self, tally: Tally | None = None) -> str:
        """As every data set's; and masks without an image are told, images that share one, and files of other kinds."""
        problems = [str(problem) for problem in self._wrong_names()]
        try:
            found = super().verify(tally)
        except DatasetError as error:
            problems += str(error).splitlines()
        if problems:
            raise DatasetError("\n".join(problems))
        return found

    def _wrong_names(self) -> Iterator[DatasetError]:
        stems = Counter(Path(name).stem for name in self.names)
        masks = _visible(self.masks) if self.masks.is_dir() else []
        for file in masks:
            if file.suffix.lower() in LOSSY_ENDINGS:
                yield self.error(file, LOSSY_MASK)
            elif file.suffix.lower() not in MASK_ENDINGS:
                yield self.error(file, f"is not a mask that is read ({', '.join(MASK_ENDINGS)})")
            elif file.stem not in stems:
                yield self.error(file, "has no image")
        for stem, count in Counter(file.stem for file in masks).items():
            if count > 1:
                yield self.error(self.masks, f"has two masks called {stem}")
        for stem, count in sorted(stems.items()):
            if count > 1:
                yield self.error(self.list_file, f"has two images called {stem}, and there is one mask")
        for file in _visible(self.list_file):
            if file.suffix.lower() not in IMAGE_ENDINGS:
                yield self.error(file, f"is not an image that is read ({', '.join(IMAGE_ENDINGS)})")

    def read_files(self, index: int) -> tuple[Image.Image, Image.Image]:
        """As every data set's; but a photograph that is only turned when it is shown does not fit its mask."""
        image_file, _ = self.files(index)
        image, mask = super().read_files(index)
        turned = image.getexif().get(ExifTags.Base.Orientation, 1)
        if turned != 1:
            raise self.error(
                image_file, f"is stored turned (EXIF orientation {turned}): save it upright, as its mask is"
            )
        return image, mask

    def _read_names(self) -> list[str]:
        if not self.list_file.is_dir():
            raise self.error(self.list_file, "is missing")
        return [file.name for file in _visible(self.list_file) if file.suffix.lower() in IMAGE_ENDINGS]

    def _expected_count(self) -> int | None:
        return None


def _visible(folder: Path) -> list[Path]:
    """The files of a folder in the order of their names, without what file managers leave there."""
    files = [file for file in folder.iterdir() if file.name.lower() not in LEFTOVERS]
    return sorted(file for file in files if not file.name.startswith("."))

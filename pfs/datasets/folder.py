"""Your own data: a folder with images, masks and the names of the classes.

<folder>/classes.txt                         one class a line, in the order of the labels
<folder>/images/{train,val,test}/<name>      JPEG or PNG; test may be left out
<folder>/masks/{train,val,test}/<name>.png   mode P or L: 0 the first class, 1 the second; 255 is not scored
"""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from PIL import ExifTags, Image

from pfs.datasets.conversion import Conversion
from pfs.datasets.own_data import bring, check_origin
from pfs.datasets.placed import PlacedDataset
from pfs.datasets.segmentation import SPLITS, DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png")


class OwnFolder(PlacedDataset):
    """One split of one's own data: "train", "val" or "test"."""

    name = "folder"
    advice = "name the folder that holds it with --from FOLDER"
    counts: ClassVar[dict[str, int]] = {}

    def __init__(self, folder: str | Path, split: str, transforms: Any = None) -> None:
        super().__init__(folder, split, transforms)
        lines = self._read(self.folder / "classes.txt").splitlines()
        self.classes = tuple(name for line in lines if (name := line.strip()))
        if not 2 <= len(self.classes) <= self.void or len(set(self.classes)) < len(self.classes):
            found = f"{len(self.classes)} names, {len(set(self.classes))} of them different"
            raise self.error(self.folder / "classes.txt", f"has {found}, not 2 to {self.void} different ones")

    @classmethod
    def splits(cls, folder: Path) -> list[str]:
        """Train, val, and test where there is one."""
        return [split for split in SPLITS if split != "test" or (folder / "images" / "test").is_dir()]

    @classmethod
    def entries(cls, folder: Path) -> list[str]:
        """Images, masks, classes."""
        return ["images", "masks", "classes.txt"]

    @classmethod
    def take(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """Any of the usual layouts is recognised, and said: see `pfs.datasets.own_data`."""
        bring(source, folder, conversion, SUFFIXES)

    @classmethod
    def check_source(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """From the same folder, with the same options."""
        check_origin(source, folder, conversion, SUFFIXES)

    @property
    def mend(self) -> str:
        """What has changed may be meant."""
        if (self.folder / "checksums.json").is_file():
            return f"restore it, or delete {self.folder} and run: pfs data folder --from FOLDER"
        return "mend it, then run: pfs data folder --from FOLDER"

    @property
    def list_file(self) -> Path:
        """The folder that holds the split's images."""
        return self.folder / "images" / self.split

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        name = Path(self.names[index])
        return self.list_file / name, self.folder / "masks" / self.split / f"{name.stem}.png"

    def verify(self) -> str:
        """As every data set's; and masks without an image are told, and images that share one."""
        stems = {Path(name).stem for name in self.names}
        masks = sorted((self.folder / "masks" / self.split).glob("*.png"))
        problems = [str(self.error(file, "has no image")) for file in masks if file.stem not in stems]
        for twice in sorted(
            stem for stem, count in Counter(Path(name).stem for name in self.names).items() if count > 1
        ):
            problems.append(str(self.error(self.list_file, f"has two images called {twice}, and there is one mask")))
        try:
            found = super().verify()
        except DatasetError as error:
            problems += str(error).splitlines()
        if problems:
            raise DatasetError("\n".join(problems))
        return found

    def read_files(self, index: int) -> tuple[Image.Image, Image.Image]:
        """As every data set's; but a photograph that is only turned when it is shown does not fit its mask."""
        image_file, _ = self.files(index)
        turned = self._open(image_file).getexif().get(ExifTags.Base.Orientation, 1)
        if turned != 1:
            raise self.error(
                image_file, f"is stored turned (EXIF orientation {turned}): save it upright, as its mask is"
            )
        return super().read_files(index)

    def _read_names(self) -> list[str]:
        if not self.list_file.is_dir():
            raise self.error(self.list_file, "is missing")
        return sorted(file.name for file in self.list_file.iterdir() if file.suffix.lower() in SUFFIXES)

    def _expected_count(self) -> int | None:
        return None

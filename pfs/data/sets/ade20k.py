"""ADE20K scene parsing, 150 classes (Zhou et al. 2017, "Scene Parsing through ADE20K Dataset").

The archive of the MIT scene parsing benchmark, in its own layout; it has no lists, a split is what its folder holds:

<folder>/ADEChallengeData2016/images/{training,validation}/<name>.jpg
<folder>/ADEChallengeData2016/annotations/{training,validation}/<name>.png   0 void, 1 to 150 the classes
"""

from pathlib import Path
from typing import ClassVar

from pfs.data.sets.base import Archive, PlacedDataset

FOLDERS = {"train": "training", "val": "validation"}


class Ade20k(PlacedDataset):
    """One split of ADE20K, "train" or "val". Void, 0 in the files, is not scored; the class n in the files is n - 1."""

    name = "ade20k"
    archives = (
        Archive(
            "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            "sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7",
        ),
    )
    counts: ClassVar[dict[str, int]] = {"train": 20_210, "val": 2000}
    first, void = 1, 0
    # The first name of each in the archive's objectInfo150.txt, in its order.
    classes = (
        *("wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet"),
        *("sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water"),
        *("painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk"),
        *("rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard"),
        *("chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand"),
        *("path", "stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge"),
        *("bookcase", "blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove"),
        *("palm", "kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine", "hovel", "bus"),
        *("towel", "light", "truck", "tower", "chandelier", "awning", "streetlight", "booth", "television receiver"),
        *("airplane", "dirt track", "apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle"),
        *("buffet", "poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer", "plaything"),
        *("swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven"),
        *("ball", "food", "step", "tank", "trade name", "microwave", "pot", "animal", "bicycle", "lake"),
        *("dishwasher", "screen", "blanket", "sculpture", "hood", "sconce", "vase", "traffic light", "tray"),
        *("ashcan", "fan", "pier", "crt screen", "plate", "monitor", "bulletin board", "shower", "radiator"),
        *("glass", "clock", "flag"),
    )

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """The archive's one folder."""
        return ["ADEChallengeData2016"]

    @property
    def list_file(self) -> Path:
        """The folder that holds the split's images."""
        return self.folder / "ADEChallengeData2016" / "images" / FOLDERS[self.split]

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        annotations = self.folder / "ADEChallengeData2016" / "annotations" / FOLDERS[self.split]
        return self.list_file / f"{self.names[index]}.jpg", annotations / f"{self.names[index]}.png"

    def _read_names(self) -> list[str]:
        if not self.list_file.is_dir():
            raise self.error(self.list_file, "is missing")
        return sorted(file.stem for file in self.list_file.glob("*.jpg"))

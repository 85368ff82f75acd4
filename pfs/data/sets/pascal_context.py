"""Pascal Context: VOC 2010's images labelled throughout, with 59 classes, or 60 with background (Mottaghi et al. 2014).

In <folder>/VOCdevkit/VOC2010:

JPEGImages/<name>.jpg
trainval_merged.json                            the labels of "PASCAL in Detail", as it gives them
SegmentationClassContext/<name>.png             made from it: 0 background, 1 to 59 the classes
ImageSets/SegmentationContext/{train,val}.txt   made from it: one name a line

Segmentation toolboxes make the same folders from the same file, with the same values; where there is no JSON file, such
are taken if no image is missing. Where there is one, they are made anew, for what the Detail API made does miss some:
it takes images out of a list while it walks it, and so loses two for training and one for validation. In some toolboxes
the class names stand in another order than the values (VOC's classes first, the others after them): here a name belongs
to an id of the JSON file, which has names too, and the two are compared.
"""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from pfs.data.dataset import IMAGES, DatasetError, Pixels
from pfs.data.sets.base import Archive, PlacedDataset

VOC = Path("VOCdevkit/VOC2010")
MASKS, LISTS, DETAIL = (
    VOC / "SegmentationClassContext",
    VOC / "ImageSets" / "SegmentationContext",
    "trainval_merged.json",
)

# Id in the JSON file -> name. In order of the ids, so also in alphabetical order; the position is the label's value.
IDS = {
    **{0: "background", 2: "aeroplane", 9: "bag", 18: "bed", 19: "bedclothes", 22: "bench", 23: "bicycle", 25: "bird"},
    **{31: "boat", 33: "book", 34: "bottle", 44: "building", 45: "bus", 46: "cabinet", 59: "car", 65: "cat"},
    **{68: "ceiling", 72: "chair", 80: "cloth", 85: "computer", 98: "cow", 104: "cup", 105: "curtain", 113: "dog"},
    **{115: "door", 144: "fence", 158: "floor", 159: "flower", 162: "food", 187: "grass", 189: "ground", 207: "horse"},
    **{220: "keyboard", 232: "light", 258: "motorbike", 259: "mountain", 260: "mouse", 284: "person", 295: "plate"},
    **{296: "platform", 308: "pottedplant", 324: "road", 326: "rock", 347: "sheep", 349: "shelves", 354: "sidewalk"},
    **{355: "sign", 360: "sky", 366: "snow", 368: "sofa", 397: "table", 415: "track", 416: "train", 420: "tree"},
    **{424: "truck", 427: "tvmonitor", 440: "wall", 445: "water", 454: "window", 458: "wood"},
}


class PascalContext60(PlacedDataset):
    """One split of Pascal Context, "train" or "val", with background as a class of its own."""

    name = "pascal_context"
    archives = (
        Archive(
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
            "md5:da459979d0c395079b5c75ee67908abb",
        ),
        Archive(
            f"https://codalabuser.blob.core.windows.net/public/{DETAIL}",
            "sha1:169325d9f7e9047537fedca7b04de4dddf10b881",
            into=str(VOC),
        ),
    )
    counts: ClassVar[dict[str, int]] = {"train": 4998, "val": 5105}
    classes = tuple(IDS.values())

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """The images, and what masks and lists are made from; or else these, where they alone are there."""
        made = (folder / LISTS).is_dir() and not (folder / VOC / DETAIL).is_file()
        return [str(VOC / IMAGES), *([str(MASKS), str(LISTS)] if made else [str(VOC / DETAIL)])]

    @classmethod
    def convert(cls, folder: Path) -> None:
        """Make masks and lists from the JSON file, unless they are there."""
        if not (folder / LISTS).is_dir():
            _convert(folder)

    @property
    def list_file(self) -> Path:
        """The split's list."""
        return self.folder / LISTS / f"{self.split}.txt"

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie."""
        name = self.names[index]
        return self.folder / VOC / IMAGES / f"{name}.jpg", self.folder / MASKS / f"{name}.png"


class PascalContext59(PascalContext60):
    """The same without background, which is not scored: the class n in the files is n - 1."""

    first, void = 1, 0
    classes = tuple(IDS.values())[1:]


def decode_rle(counts: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """A mask (height, width) from COCO's compressed run lengths, as `pycocotools.mask.decode` reads them.

    Runs of 0 and 1 in turn, down the columns. From the fourth on, a run's length is given as the difference to that of
    the run before the last; each number in groups of five bits, the lowest first, 32 for "more follows", plus 48.

    Raises:
        ValueError: the runs do not add up to the mask.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:  # the sign
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if sum(runs) != height * width or min(runs) < 0:
        raise ValueError(f"runs of {sum(runs)} pixels for a mask of {width}x{height}")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _convert(folder: Path) -> None:
    file = folder / VOC / DETAIL
    if not file.is_file():  # reading from a pipe would wait for ever
        raise DatasetError(f"{os.path.realpath(file)} is no regular file; fetch it again")
    try:
        detail = json.loads(file.read_bytes())
        _check_names({category["category_id"]: category["name"] for category in detail["categories"]}, file)
        parts = defaultdict(list)
        for part in detail["annos_segmentation"]:
            parts[part["image_id"]].append(part)
        names: dict[str, list[str]] = {split: [] for split in PascalContext60.counts}
        (folder / MASKS).mkdir(parents=True, exist_ok=True)
        for image in tqdm(detail["images"], desc=f"converting {DETAIL}", unit="image", leave=False):
            if image["phase"] in names:
                names[image["phase"]].append(name := Path(image["file_name"]).stem)
                Image.fromarray(_mask(image, parts[image["image_id"]])).save(folder / MASKS / f"{name}.png")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{file.resolve()} is not what PASCAL in Detail gives ({error!r}); fetch it again"
        ) from error
    (folder / LISTS).mkdir(parents=True)  # last: it says that the masks are whole
    for split, listed in names.items():
        (folder / LISTS / f"{split}.txt").write_text("".join(f"{name}\n" for name in sorted(listed)), encoding="utf-8")


def _check_names(found: dict[int, str], file: Path) -> None:
    """Each id must have our name for it in the file; the file may know more of them."""
    expected = {id_: name for id_, name in IDS.items() if name != "background"}
    if wrong := [
        f"{id_} is {found.get(id_)!r}, not {name!r}" for id_, name in expected.items() if found.get(id_) != name
    ]:
        raise DatasetError(f"{file.resolve()} names classes otherwise than we do: {'; '.join(wrong)}")


def _mask(image: dict[str, Any], parts: list[dict[str, Any]]) -> Pixels:
    """The values (H, W) of an image's mask: later parts lie over earlier ones, as in the Detail API."""
    values = {id_: value for value, id_ in enumerate(IDS)}
    mask = np.zeros((image["height"], image["width"]), np.uint8)
    for part in parts:
        mask[decode_rle(part["segmentation"]["counts"], *mask.shape)] = values[part["category_id"]]
    return mask

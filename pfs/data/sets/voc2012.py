"""PASCAL VOC 2012, 21 classes; for training also with the labels that SBD adds, 10,582 images ("trainaug").

Everingham et al. 2010 (http://host.robots.ox.ac.uk/pascal/VOC/voc2012/); Hariharan et al. 2011, "Semantic Contours from
Inverse Detectors" (SBD). Both archives in their own layout:

<folder>/VOCdevkit/VOC2012/JPEGImages/<name>.jpg                    the images, SBD's too
<folder>/VOCdevkit/VOC2012/SegmentationClass/<name>.png             palette PNG; 255 is not scored
<folder>/VOCdevkit/VOC2012/ImageSets/Segmentation/{train,val}.txt   one name a line
<folder>/benchmark_RELEASE/dataset/cls/<name>.mat                   SBD's labels, without a ring that is not scored
<folder>/benchmark_RELEASE/dataset/{train,val}.txt                  SBD's own splits, which cut across VOC's
"""

from pathlib import Path
from typing import ClassVar

from PIL import Image

from pfs.data.dataset import IMAGES, LABELS, LISTS
from pfs.data.sets.base import Archive, PlacedDataset

VOC = Path("VOCdevkit/VOC2012")
SBD = Path("benchmark_RELEASE/dataset")


class Voc2012(PlacedDataset):
    """One split of VOC 2012: "train" and "val" are `torchvision.datasets.VOCSegmentation`'s, item by item.

    "trainaug" is what VOC's train and SBD's train and val have together, less VOC's val, in the order of the names.
    VOC's own labels are taken where there are both.
    """

    name = "voc2012"
    archives = (  # as torchvision knows them, which takes a second to import
        Archive(
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "md5:6cd6e144f989b92b3379bac3b3de84fd",
        ),
        Archive(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
            "md5:82b4d87ceb2ed10f6038a1cba92111cb",
        ),
    )
    counts: ClassVar[dict[str, int]] = {"train": 1464, "trainaug": 10_582, "val": 1449}
    classes = (
        *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
        *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
    )

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """VOC, and the parts of SBD that trainaug is made of, if SBD is there at all."""
        sbd = [str(SBD / "cls"), str(SBD / "train.txt"), str(SBD / "val.txt")]
        return [str(VOC), *(sbd if (folder / SBD).is_dir() else [])]

    @classmethod
    def splits(cls, folder: Path) -> list[str]:
        """Train, val, and trainaug where SBD is there."""
        return [split for split in cls.counts if split != "trainaug" or (folder / SBD).is_dir()]

    @property
    def list_file(self) -> Path:
        """VOC's list of the split; for trainaug SBD's folder, for no one file lists it."""
        return self.folder / (SBD if self.split == "trainaug" else VOC / LISTS / f"{self.split}.txt")

    def files(self, index: int) -> tuple[Path, Path]:
        """Where an item's image and its mask lie, a palette PNG of VOC's or a .mat file of SBD's."""
        name = self.names[index]
        by_voc = self.split != "trainaug" or name in self._voc_train
        mask = self.folder / (VOC / LABELS / f"{name}.png" if by_voc else SBD / "cls" / f"{name}.mat")
        return self.folder / VOC / IMAGES / f"{name}.jpg", mask

    def _read_names(self) -> list[str]:
        if self.split != "trainaug":
            return super()._read_names()
        self._voc_train = set(self._read(self.folder / VOC / LISTS / "train.txt").split())
        voc_val = set(self._read(self.folder / VOC / LISTS / "val.txt").split())
        sbd = {name for split in ("train", "val") for name in self._read(self.folder / SBD / f"{split}.txt").split()}
        return sorted((self._voc_train | sbd) - voc_val)

    def _open_mask(self, file: Path) -> Image.Image:
        if file.suffix != ".mat":
            return super()._open_mask(file)
        from scipy.io import loadmat

        if not file.is_file():
            raise self.error(file, "is missing")
        try:
            return Image.fromarray(loadmat(file)["GTcls"][0]["Segmentation"][0])  # as torchvision's SBDataset does
        except Exception as error:  # the parser raises whatever it stumbles over
            raise self.error(file, f"cannot be read as SBD's labels ({error!r})") from error

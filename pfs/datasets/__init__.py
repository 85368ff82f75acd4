"""Data sets for semantic segmentation, and the one call that a study needs: `build`."""

from pathlib import Path

from pfs import study
from pfs.datasets.digit_scenes import DigitScenes, generate
from pfs.datasets.segmentation import SPLITS, DatasetError, SegmentationDataset, data_checksum, decoded

__all__ = [
    "DatasetError",
    "DigitScenes",
    "SegmentationDataset",
    "build",
    "data_checksum",
    "decoded",
    "generate",
]


def build(spec: study.DigitScenes, root: str | Path) -> dict[str, SegmentationDataset]:
    """The data of a study by split ("train", "val", "test"), generated first where they are not there yet.

    Args:
        spec: the study's `data`.
        root: the folder that holds the data sets.

    Raises:
        DatasetError: what is there is broken. Files are checked as they are read, the checksum by `decoded`.
    """
    generate(spec, root)
    return {split: DigitScenes(root, split, spec) for split in SPLITS}

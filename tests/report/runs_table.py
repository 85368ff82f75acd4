"""A small `runs.csv` of seven methods, for the tests of statistics and of tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pfs.data.groups import Groups
from pfs.report.tables.counts import ImageCounts

# What every row of a `runs.csv` says besides its scores.
COSTS = {"parameters": 320_000, "macs": 21_400_000, "seconds": 60.0, "training_seconds": 50.0, "peak_memory_mib": 700.0}
PROVENANCE: dict[str, Any] = {
    **{"commit": "12e4567", "dirty": False, "threads": 1, "precision": "bf16", "instruction_set": "AVX512"},
    **{"data_checksum": "0123", "teacher_checksum": "45e6", "code_hash": "77"},
}


def runs_of(miou: Mapping[str, Mapping[int, float]], study: str = "digits") -> pd.DataFrame:
    """A whole `runs.csv` with the given test mIoU of method and seed; val is its complement to 100."""
    rows = [
        {"method": method, "seed": seed, "split": split, "miou": value if split == "test" else 100 - value}
        for method, seeds in miou.items()
        for seed, value in seeds.items()
        for split in ("val", "test")
    ]
    table = pd.DataFrame(rows).assign(study=study, pixel_accuracy=90.0, **COSTS, **PROVENANCE)
    return table.assign(iou_background=table["miou"] + 5, iou_0=table["miou"] - 5)


def counts_of_table(runs: pd.DataFrame, groups: Groups, pixels: int = 10_000) -> ImageCounts:
    """Counts of test images that make the table's scores: so many pixels a class and image, and no false positives.

    How many are found differs from image to image and run to run by less than a tenth of them, which adds up to 0.
    """
    test = runs[runs["split"] == "test"]
    images = len(groups.names)
    found = pixels / 100 * test.filter(like="iou_").to_numpy().T[:, None].repeat(images, 1)  # (classes, images, runs)
    drawn = np.random.default_rng(0).integers(-pixels // 20, pixels // 20, found.shape)
    drawn -= np.roll(drawn, 1, axis=1)
    hits = found.round().astype(int) + drawn
    names = tuple(zip(test["method"], test["seed"], strict=True))
    labelled = np.full(found.shape[:2], pixels)
    return ImageCounts(names, groups, labelled, hits, np.zeros_like(hits))


FULL = {
    "teacher": {0: 65.0},
    "ce": {0: 44.0, 1: 45.0, 2: 46.0},
    "kd": {0: 47.0, 1: 47.0, 2: 50.0},
    "skd": {0: 46.0, 1: 44.0, 2: 45.0},
    "pfs": {0: 52.0, 1: 53.0, 2: 55.0},
    "wsp": {0: 50.0, 1: 51.0, 2: 52.5},
    "pfs_wsp": {0: 54.0, 1: 56.0, 2: 56.5},
}

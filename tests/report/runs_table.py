"""A small `runs.csv` of seven methods, for the tests of statistics and of tables."""

from collections.abc import Mapping

import pandas as pd

# What every row of a `runs.csv` says besides its scores.
COSTS = {"parameters": 320_000, "macs": 21_400_000, "seconds": 60.0, "training_seconds": 50.0, "peak_memory_mib": 700.0}
PROVENANCE = {
    **{"commit": "12e4567", "dirty": False, "threads": 1, "precision": "bf16", "instruction_set": "AVX512"},
    **{"data_checksum": "0123", "code_hash": "77"},
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


FULL = {
    "teacher": {0: 65.0},
    "ce": {0: 44.0, 1: 45.0, 2: 46.0},
    "kd": {0: 47.0, 1: 47.0, 2: 50.0},
    "skd": {0: 46.0, 1: 44.0, 2: 45.0},
    "pfs": {0: 52.0, 1: 53.0, 2: 55.0},
    "wsp": {0: 50.0, 1: 51.0, 2: 52.5},
    "pfs_wsp": {0: 54.0, 1: 56.0, 2: 56.5},
}

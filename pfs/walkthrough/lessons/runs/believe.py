"""The numbers of walkthrough 5: what committed runs say, and four ways to be fooled by them.

Where it says "resampled", runs are not real: they are drawn from how real runs of one method differ between seeds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfs.config.files import repository
from pfs.report.statistics import Difference, half_width, intervals, paired_difference, read_runs, unpaired_difference
from pfs.study.places import TEACHER

REFERENCE = "ce"
FAMILIES = {  # the tries of one method in a study of weights begin with its name
    "kd": "KD",
    "cwd": "CWD",
    "fitnet": "FitNet",
    "at": "AT",
    "skd": "SKD pair-wise",
    "pfs": "PFS",
    "wsp": "WSP",
    "pfs_wsp": "PFS + WSP",
}


# --- real runs ----------------------------------------------------------------------------------------------


def read_scores(study: str) -> pd.DataFrame:
    """The committed runs of a study's students: method, seed, split and miou, a row for each run and split."""
    table = read_runs(repository() / "results" / study)
    return table.loc[table["method"] != TEACHER, ["method", "seed", "split", "miou"]]


def scores_of(table: pd.DataFrame, method: str, split: str = "test") -> dict[int, float]:
    """A method's mIoU by seed."""
    rows = table[(table["method"] == method) & (table["split"] == split)]
    return dict(zip(rows["seed"].astype(int), rows["miou"].astype(float), strict=True))


def difference(table: pd.DataFrame, method: str, reference: str, seeds: Collection[int], *, paired: bool) -> Difference:
    """How many points of test mIoU a method is ahead of another, over some of the seeds."""
    chosen = table[table["seed"].isin(list(seeds))]
    return (paired_difference if paired else unpaired_difference)(chosen, method, reference)


def lucky_seed(table: pd.DataFrame, method: str, reference: str) -> float:
    """The method's best seed minus the reference's worst: what one run of each can be made to say."""
    return max(scores_of(table, method).values()) - min(scores_of(table, reference).values())


def seeds_that_halve(seeds: int) -> int:
    """How many seeds give an interval at most half as wide, where the differences vary as they do."""
    wanted = half_width(1.0, seeds) / 2
    return next(more for more in count(seeds) if half_width(1.0, more) <= wanted)


# --- tuning -------------------------------------------------------------------------------------------------


def tries(table: pd.DataFrame, family: str) -> list[str]:
    """The methods of a study of weights that are tries of one family, in the table's order."""
    names = list(dict.fromkeys(table["method"]))
    both = [name for name in names if "pfs" in name and "wsp" in name]
    return both if family == "pfs_wsp" else [n for n in names if n.startswith(f"{family}_") and n not in both]


def chosen_try(table: pd.DataFrame, family: str, split: str) -> tuple[str, float]:
    """The try of a family that is best on a split, and its test mIoU, which a table would report."""
    best = max(tries(table, family), key=lambda name: np.mean(list(scores_of(table, name, split).values())))
    return best, float(np.mean(list(scores_of(table, best).values())))


def flattery(table: pd.DataFrame) -> dict[str, float]:
    """By how many points test mIoU looks better where the weight is chosen on test instead of on val, by the family.

    0 where both splits choose the same try.
    """
    known = [family for family in FAMILIES if tries(table, family)]
    return {family: chosen_try(table, family, "test")[1] - chosen_try(table, family, "val")[1] for family in known}


# --- resampled ----------------------------------------------------------------------------------------------


def deviations(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """How far each run's test mIoU lies from its method's mean, of all students of a study.

    They are stretched so that their variance is that of runs, not of runs about a mean that was estimated from them.
    """
    test = table[table["split"] == "test"]
    groups = test.groupby("method")["miou"]
    runs = groups.transform("size")
    spread = (test["miou"] - groups.transform("mean")) * np.sqrt(runs / (runs - 1))
    return spread[runs > 1].to_numpy(np.float64)


def best_of(spread: npt.NDArray[np.float64], readings: int, seed: int = 0, repeats: int = 2000) -> float:
    """By how many points the best of some readings lies above their mean: what choosing a checkpoint on test brings.

    Resampled: the readings of a run differ as runs of one method do. The checkpoints of one run are more alike than
    that, so it is the most that such a choice can bring.
    """
    drawn = np.random.default_rng(seed).choice(spread, (repeats, readings))
    return float((drawn.max(axis=1) - drawn.mean(axis=1)).mean())


@dataclass(frozen=True)
class Lottery:
    """Many comparisons of methods that do not differ from the reference at all.

    Attributes:
        means: (repeats, methods), the mean difference of each comparison.
        bounds: (repeats, methods, 2), its interval.
    """

    means: npt.NDArray[np.float64]
    bounds: npt.NDArray[np.float64]

    @property
    def wins(self) -> npt.NDArray[np.bool_]:
        """(repeats, methods): whether an interval lies above 0."""
        return self.bounds[..., 0] > 0

    @property
    def share(self) -> float:
        """In which share of the repeats at least one method seems to be better than the reference."""
        return float(self.wins.any(axis=1).mean())


def lottery(spread: npt.NDArray[np.float64], methods: int, seeds: int, seed: int = 0, repeats: int = 1000) -> Lottery:
    """Compare methods with a reference where all of them are the same: every run is its mean plus a drawn deviation.

    Resampled. The comparisons of one repeat share the reference's runs, as those of a table do.
    """
    drawn = np.random.default_rng(seed).choice(spread, (repeats, methods + 1, seeds))
    differences = drawn[:, 1:] - drawn[:, :1]
    return Lottery(differences.mean(axis=-1), intervals(differences))

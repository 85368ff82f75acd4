"""What a study's runs say: means with intervals over seeds, and differences between methods paired by seed.

A seed fixes a student's first weights and the batches it sees, so two methods of one seed differ in nothing
else. Their differences vary less than the methods themselves do, and the intervals are taken over those
differences: Student's t, which with three seeds has two degrees of freedom and is honestly wide.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from pfs.config.study import Study
from pfs.report.tables.collected import read_runs as read_runs  # the notebooks of a study take it from here
from pfs.report.tables.labels import label
from pfs.study.places import TEACHER, runs_of

# What the claims ask besides "better than the student alone?": PFS against plain distillation and the idea that it
# refines, WSP against plain distillation and its two controls, both together against each and against every baseline.
BASELINES = ("kd", "kd_standardized", "skd", "fitnet", "nfd", "at", "cwd", "dist")
COMPARISONS = (
    *(("pfs", other) for other in ("kd", "skd")),
    *(("wsp", other) for other in ("kd", "student_gap", "hard_pixels")),
    *(("pfs_wsp", other) for other in ("pfs", "wsp", *BASELINES)),
    *((f"{plain}_weighted", plain) for plain in ("kd", "wsp")),  # by class, as `camvid_pretrained` names them
)
MOST_SHOWN = 9  # methods that fit side by side in a figure


class Difference(NamedTuple):
    """A mean paired difference, its 95 % interval, and the p-value of the paired t-test."""

    mean: float
    low: float
    high: float
    p: float


class Finding(NamedTuple):
    """How one method's test mIoU compares with another's over the seeds that both have.

    `study` says how its methods are called; without one they have the names that every study knows.
    """

    method: str
    reference: str
    difference: Difference
    seeds: tuple[int, ...]
    study: Study | None = None

    @property
    def rounded(self) -> Difference:
        """The difference as it is shown, with `digits` decimals; p is left as it is."""
        mean, low, high, p = self.difference
        digits = self.digits
        # Plus 0.0, by which -0.0 becomes 0.0.
        return Difference(round(mean, digits) + 0.0, round(low, digits) + 0.0, round(high, digits) + 0.0, p)

    @property
    def digits(self) -> int:
        """How many decimals are shown: one, or as many of at most three as keep a small number from reading 0.0."""
        return decimals(*self.difference[:3])

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval, as it is shown, excludes 0; False where there is none."""
        return self.rounded.low > 0 or self.rounded.high < 0

    @property
    def claim(self) -> str:
        """The two methods and the mean difference with its interval, without the verdict on it."""
        mean, low, high, _ = self.rounded
        method, reference = (label(name, self.study) for name in (self.method, self.reference))
        digits = self.digits
        if mean == 0:
            claim = f"{method} is level with {reference}, 0.0"
        else:
            claim = f"{method} is {'above' if mean > 0 else 'below'} {reference} by {abs(mean):.{digits}f}"
        ends = (low, high) if mean >= 0 else (0.0 - high, 0.0 - low)
        interval = "" if np.isnan(low) else f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"
        return f"{claim}{interval} points of test mIoU"

    def __str__(self) -> str:
        """The finding as a sentence, which follows from the numbers that it shows."""
        if np.isnan(self.difference.low):
            return f"{self.claim} in one seed: no interval."
        p = self.difference.p
        tested = "" if np.isnan(p) else ", p < 0.001" if p < 0.0005 else f", p = {p:.3f}"
        verdict = "excludes" if self.excludes_zero else "includes"
        return f"{self.claim} (paired over {len(self.seeds)} seeds{tested}): the interval {verdict} 0."


def decimals(*points: float) -> int:
    """How many decimals are shown: one, or as many of at most three as keep a small number from reading 0.0."""
    said = [point for point in points if point and not np.isnan(point)]
    return next((digits for digits in (1, 2) if all(round(point, digits) for point in said)), 3)


def signed_difference(mean: float, low: float, high: float) -> str:
    """A difference with its interval, such as `+3.0 [+0.5, +5.5]`; empty where there is no difference.

    It has as many `decimals` as show on which side of 0 each number lies.
    """
    if np.isnan(mean):
        return ""
    digits = decimals(mean, low, high)
    shown = [f"{round(point, digits) + 0.0:+.{digits}f}" for point in (mean, low, high) if not np.isnan(point)]
    return shown[0] if len(shown) < 3 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def methods_to_show(runs: pd.DataFrame, study: Study, most: int = MOST_SHOWN) -> list[str]:
    """At most so many methods for a figure: of a larger study its reference and those that are best on val."""
    val = runs[runs["split"] == "val"].groupby("method")["miou"].mean()
    ranked = sorted(study.methods, key=lambda method: (method != study.reference, -val.get(method, 0.0)))
    return [method for method in study.methods if method in ranked[:most]]


# --- statistics ---------------------------------------------------------------------------------------------


def paired_difference(table: pd.DataFrame, method: str, reference: str, split: str = "test") -> Difference:
    """How much more mIoU a method has than a reference, over the seeds that both have.

    Args:
        table: `runs.csv`, with the columns method, seed, split and miou (percent).
        method: the method in question.
        reference: the method that it is compared with.
        split: on which both were scored.

    Returns:
        The difference in points of mIoU; its interval and p-value are NaN with fewer than two common seeds.
    """
    return _mean_difference(*_pairs(table, method, reference, split))


def _mean_difference(scores: pd.Series, others: pd.Series) -> Difference:
    """The difference of two methods' scores, which have the same seeds in the same order."""
    mean = float((scores - others).mean())
    if len(scores) < 2:
        return Difference(mean, low=np.nan, high=np.nan, p=np.nan)
    test = stats.ttest_rel(scores, others)
    low, high = test.confidence_interval(0.95)
    return Difference(mean, float(low), float(high), float(test.pvalue))


def seed_differences(table: pd.DataFrame, method: str, reference: str) -> pd.Series:
    """Test mIoU of a method less that of another, in points: one value for each seed that both have, by seed."""
    scores, others = _pairs(table, method, reference)
    return scores - others


def unpaired_difference(table: pd.DataFrame, method: str, reference: str) -> Difference:
    """The same difference as if no run of one method belonged to a run of the other: Welch's t-test.

    Every run of either method counts, whatever its seed. What a seed does to both methods alike, which pairing takes
    away, stays in the interval. It and the p-value are NaN where a method has fewer than two runs.
    """
    test = table[table["split"] == "test"]
    scores, others = (test.loc[test["method"] == name, "miou"].to_numpy() for name in (method, reference))
    mean = float(scores.mean() - others.mean())
    if min(len(scores), len(others)) < 2:
        return Difference(mean, low=np.nan, high=np.nan, p=np.nan)
    result = stats.ttest_ind(scores, others, equal_var=False)
    low, high = result.confidence_interval(0.95)
    return Difference(mean, float(low), float(high), float(result.pvalue))


def intervals(differences: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The 95 % Student-t intervals of the means of many sets of n differences, (..., n) to (..., 2): low and high."""
    bounds = stats.ttest_1samp(differences, 0, axis=-1).confidence_interval(0.95)
    return np.stack([bounds.low, bounds.high], axis=-1)


def half_width(deviation: float, seeds: int) -> float:
    """Half the 95 % Student-t interval of a mean of so many differences whose standard deviation is given."""
    return float(stats.t.ppf(0.975, seeds - 1) * deviation / np.sqrt(seeds))


def findings(runs: pd.DataFrame, study: Study) -> list[Finding]:
    """Every comparison that the study makes: each method with the reference, then its controls."""
    to_reference = [(method, study.reference) for method in study.methods if method != study.reference]
    controls = [pair for pair in COMPARISONS if study.reference not in pair and set(pair) <= set(study.methods)]
    # Each comparison copies the table: without its other rows and columns it takes a third of the time.
    scores = runs.loc[runs["split"] == "test", ["method", "seed", "split", "miou"]]
    compared = [_finding(scores, method, other, study) for method, other in to_reference + controls]
    return [finding for finding in compared if finding.seeds]


def missing_runs(runs: pd.DataFrame, study: Study) -> list[str]:
    """What the table lacks or has too much, a sentence each: runs, and pairings that missing ones leave incomplete.

    It has runs too much where a method or a seed was taken out of the study's file after the runs had been collected.
    """
    sentences = []
    for method in (TEACHER, *study.methods):
        had = set(runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "seed"])
        missing = [seed for name, seed in runs_of(study) if name == method and seed not in had]
        if missing:
            sentences.append(f"{label(method, study)} has no run of {_seeds(missing)}.")
    for finding in findings(runs, study):
        if len(finding.seeds) < len(study.seeds):
            pair = " and ".join(label(name, study) for name in (finding.method, finding.reference))
            sentences.append(f"{pair} are compared over {_seeds(finding.seeds)} only.")
    return [*sentences, *_strange_runs(runs, study)]


def _strange_runs(runs: pd.DataFrame, study: Study) -> list[str]:
    """A sentence for each method of which the table has runs that the study does not have."""
    strange = {method: set(own["seed"]) for method, own in runs.groupby("method", sort=False)}
    for method, seed in runs_of(study):
        strange.get(method, set()).discard(seed)
    shown = [(label(str(method), study), _seeds(sorted(seeds))) for method, seeds in strange.items() if seeds]
    return [f"The study no longer has the run of {name} of {seeds}: collect it again." for name, seeds in shown]


def _finding(runs: pd.DataFrame, method: str, reference: str, study: Study) -> Finding:
    scores, others = _pairs(runs, method, reference)
    return Finding(method, reference, _mean_difference(scores, others), tuple(map(int, scores.index)), study)


def _pairs(table: pd.DataFrame, method: str, reference: str, split: str = "test") -> tuple[pd.Series, pd.Series]:
    """The mIoU of two methods by seed, for the seeds that both have, in ascending order."""
    scores, others = (_miou(table, name, split).dropna() for name in (method, reference))
    common = sorted(set(scores.index) & set(others.index))
    return scores.loc[common], others.loc[common]


def _miou(table: pd.DataFrame, method: str, split: str) -> pd.Series:
    """A method's mIoU by seed. A page compares hundreds of pairs, for which pandas' own choice of rows is slow."""
    chosen = (table["method"].to_numpy() == method) & (table["split"].to_numpy() == split)
    return pd.Series(table["miou"].to_numpy()[chosen], index=pd.Index(table["seed"].to_numpy()[chosen], name="seed"))


def _seeds(seeds: Sequence[int]) -> str:
    """`seed 0` or `seeds 0, 2`."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"

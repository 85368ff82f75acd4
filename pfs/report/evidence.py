"""How sure a difference between two methods is: intervals, p-values, power, and the verdict that they allow.

It is over paired differences, one a seed: what a method has more than another that began with the same weights and saw
the same batches. `group_bootstrap` asks besides what other test images would have said of the same networks.
`docs/protocol.md` says which comparisons are made, and when a claim counts as supported.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import brentq

ALPHA = 0.05  # of intervals and tests
RESAMPLES = 9999
BATCH = 1000  # resamples of images at once, which bounds the memory
FEWEST_TO_BOOTSTRAP = 5  # seeds, or groups of images; of fewer there are too few different resamples
NO_GAIN = 1.0  # points of mIoU: a claim whose interval ends below is contradicted

Verdict = Literal["supported", "suggestive", "contradicted", "open"]
Floats = npt.NDArray[np.float64]
Differences = Sequence[float] | Floats


class Ends(NamedTuple):
    """The two ends of an interval; NaN where there are too few differences for it."""

    low: float
    high: float


class Evidence(NamedTuple):
    """What paired differences say of one comparison, in points of mIoU.

    Attributes:
        n: how many differences there are.
        mean: of the differences.
        t: Student's 95 % interval of the mean.
        bca: the bias-corrected and accelerated bootstrap interval of it (Efron 1987).
        p_t: two-sided, of the paired t-test.
        p_sign_flip: two-sided, of all ways to flip the signs of the differences; with n of them it is 2^(1-n) at least.
        superiority: the probability that the next seed's difference is above 0, if differences are normal.
        detectable: the smallest true mean that a paired t-test finds in four of five such samples.
    """

    n: int
    mean: float
    t: Ends
    bca: Ends
    p_t: float
    p_sign_flip: float
    superiority: float
    detectable: float


def evidence(differences: Differences) -> Evidence:
    """What paired differences say; with fewer than two, all but their mean is NaN.

    Args:
        differences: one a seed, in points of mIoU.

    Raises:
        ValueError: there is none, or one is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite numbers, at least one: {differences}")
    n, mean, spread = len(values), float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else np.nan
    if n == 1:
        return Evidence(n, mean, Ends(np.nan, np.nan), Ends(np.nan, np.nan), np.nan, np.nan, np.nan, np.nan)
    return Evidence(
        n=n,
        mean=mean,
        t=t_interval(values),
        bca=bca_interval(values),
        p_t=float(stats.ttest_1samp(values, 0.0).pvalue) if spread else float(mean == 0),
        p_sign_flip=sign_flip(values),
        superiority=_superiority(mean, spread, n),
        detectable=detectable_effect(spread, n),
    )


def t_interval(values: Floats) -> Ends:
    """Student's interval of the mean of at least two values."""
    spread = stats.sem(values)
    if not spread:
        return Ends(float(values.mean()), float(values.mean()))
    return Ends(*map(float, stats.t.interval(1 - ALPHA, len(values) - 1, values.mean(), spread)))


def bca_interval(values: Floats) -> Ends:
    """The BCa bootstrap interval of the mean; NaN with fewer than five values, or with equal ones."""
    if len(values) < FEWEST_TO_BOOTSTRAP or not np.ptp(values):
        return Ends(np.nan, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        drawn = stats.bootstrap(
            (values,), np.mean, n_resamples=RESAMPLES, confidence_level=1 - ALPHA, method="BCa", rng=0
        )
    return _ends(drawn)


def group_bootstrap(statistic: Callable[[Floats], Floats], groups: int) -> tuple[Ends, Ends]:
    """The percentile and the BCa interval of what is computed from groups of images, when groups are drawn anew.

    Args:
        statistic: from how often each group was drawn, (..., groups), to the value that those groups give, (...).
        groups: how many there are.

    Returns:
        Both intervals; NaN with fewer than five groups, or where all resamples give the same value.
    """

    def of_drawn(drawn: npt.NDArray[np.int64], axis: int = -1) -> Floats:
        return statistic(_times(np.moveaxis(drawn, axis, -1), groups))

    unknown = Ends(np.nan, np.nan)
    if groups < FEWEST_TO_BOOTSTRAP or not np.ptp(statistic(1.0 - np.eye(groups))):
        return unknown, unknown
    how: dict[str, Any] = {"confidence_level": 1 - ALPHA, "vectorized": True, "rng": 0}
    once = (np.arange(groups),)
    bca = stats.bootstrap(once, of_drawn, n_resamples=RESAMPLES, batch=BATCH, method="BCa", **how)
    percentile = stats.bootstrap(once, of_drawn, n_resamples=0, bootstrap_result=bca, method="percentile", **how)
    return _ends(percentile), _ends(bca)


def sign_flip(values: Floats) -> float:
    """The two-sided p-value of the mean among those of all 2^n flips of signs; of 9,999 drawn ones from n = 14."""
    tested = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, alternative="two-sided", rng=0
    )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of a family of tests (Holm 1979), in their order; NaN stays NaN and counts as a test.

    A family's tests whose adjusted value is below 0.05 are wrong together in at most 5 % of cases.
    """
    adjusted, largest = [float("nan")] * len(p_values), 0.0
    ranked = sorted((p, index) for index, p in enumerate(p_values) if not np.isnan(p))
    for rank, (p, index) in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[index] = largest
    return adjusted


def detectable_effect(spread: float, n: int, power: float = 0.8) -> float:
    """The smallest true mean difference that a two-sided paired t-test at 5 % finds with the given power.

    Args:
        spread: the standard deviation of the differences.
        n: how many there are, at least two.
        power: the share of samples in which it is found.
    """
    limit = stats.t.ppf(1 - ALPHA / 2, n - 1)

    def missing(effect: float) -> float:
        """How far the power at a mean of so many standard errors is from the one wanted; the wrong sign is left out."""
        return float(stats.nct.sf(limit, n - 1, effect)) - power

    return float(brentq(missing, 0.0, 10 * limit)) * spread / np.sqrt(n) if spread else 0.0


def verdict(found: Evidence, adjusted_p: float, no_gain: float = NO_GAIN) -> Verdict:
    """What a comparison says of the claim that the first method is better.

    Supported: the interval lies above 0, and so it is in its family (Holm's p below 0.05). Suggestive: the interval
    alone. Contradicted: the interval ends below `no_gain`, in the unit of the differences. Open: anything else.
    """
    if found.t.low > 0:
        return "supported" if adjusted_p < ALPHA else "suggestive"
    return "contradicted" if found.t.high < no_gain else "open"


def _times(drawn: npt.NDArray[np.int64], groups: int) -> Floats:
    """How often each group is in each draw, (..., groups), of draws (..., n) of group numbers."""
    draws = drawn.reshape(-1, drawn.shape[-1])
    numbers = draws + groups * np.arange(len(draws))[:, None]
    counts = np.bincount(numbers.ravel(), minlength=groups * len(draws))
    return counts.reshape(*drawn.shape[:-1], groups).astype(np.float64)


def _ends(drawn: Any) -> Ends:
    return Ends(float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))


def _superiority(mean: float, spread: float, n: int) -> float:
    """P(d > 0) of a new difference, whose distribution is Student's t around the mean, √(1 + 1/n) spreads wide."""
    if not spread:
        return 0.5 + 0.5 * float(np.sign(mean))
    return float(stats.t.cdf(mean / (spread * np.sqrt(1 + 1 / n)), n - 1))

"""Evidence of paired differences against naive enumerations, simulation and scipy's own tests."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pfs.report.evidence import (
    bca_interval,
    detectable_effect,
    evidence,
    group_bootstrap,
    holm,
    sign_flip,
    t_interval,
    verdict,
)

FIVE = np.array([3.0, 2.0, 4.0, 1.0, 6.0])
values = st.lists(st.floats(-50, 50).map(lambda value: round(value, 2)), min_size=2, max_size=8).map(np.array)


def test_student_s_interval_by_hand() -> None:
    """Differences 3, 2, 4: mean 3, s = 1, t(2 degrees of freedom, .975) = 4.3027."""
    assert t_interval(np.array([3.0, 2.0, 4.0])) == pytest.approx((3 - 2.4841, 3 + 2.4841), abs=1e-4)


@given(values)
@settings(max_examples=40, deadline=None)
def test_sign_flips_are_all_enumerated(differences: npt.NDArray[np.float64]) -> None:
    means = [np.mean(np.array(signs) * differences) for signs in product((1, -1), repeat=len(differences))]
    observed = differences.mean()
    one_sided = min(
        np.mean([mean <= observed + 1e-12 for mean in means]), np.mean([m >= observed - 1e-12 for m in means])
    )
    assert sign_flip(differences) == pytest.approx(min(1.0, 2 * one_sided), abs=1e-9)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_smallest_sign_flip_p_is_two_to_the_one_minus_n(n: int) -> None:
    assert evidence(np.linspace(1, 2, n)).p_sign_flip == pytest.approx(2.0 ** (1 - n))


@given(values)
@settings(max_examples=40, deadline=None)
def test_swapping_the_methods_mirrors_the_evidence(differences: npt.NDArray[np.float64]) -> None:
    ours, theirs = evidence(differences), evidence(-differences)
    assert theirs.mean == -ours.mean
    assert theirs.t == pytest.approx((-ours.t.high, -ours.t.low), abs=1e-9)
    assert (theirs.p_t, theirs.p_sign_flip) == pytest.approx((ours.p_t, ours.p_sign_flip))
    assert theirs.superiority == pytest.approx(1 - ours.superiority, abs=1e-9)
    assert theirs.detectable == pytest.approx(ours.detectable)


def test_the_bootstrap_interval_lies_around_the_mean_and_needs_five() -> None:
    low, high = bca_interval(FIVE)
    assert FIVE.min() < low < FIVE.mean() < high < FIVE.max()
    assert bca_interval(FIVE) == (low, high)  # the same resamples each time
    assert np.isnan(bca_interval(FIVE[:4])).all()


def test_a_symmetric_sample_s_bootstrap_is_the_percentiles_of_its_resamples() -> None:
    """Without bias and skew, BCa's corrections vanish but for the error of drawing."""
    sample = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]) + 5
    drawn = np.random.default_rng(1).choice(sample, (200_000, 7)).mean(axis=1)
    assert bca_interval(sample) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.1)


def test_holm_by_hand() -> None:
    """0.01, 0.04, 0.03 of three tests: 3 x 0.01, then 2 x 0.03, and 0.04 is no less than the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert np.isnan(holm([np.nan, 0.02])[0]) and holm([np.nan, 0.02])[1] == pytest.approx(0.04)
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_nor_swaps_two(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    assert adjusted == [a for _, a in sorted(zip(p_values, adjusted, strict=True))] or sorted(p_values) != p_values
    assert max(adjusted) <= min(1.0, len(p_values) * max(p_values)) + 1e-12


@pytest.mark.parametrize(("spread", "n"), [(1.0, 5), (2.5, 10)])
def test_the_detectable_effect_is_found_in_four_of_five_samples(spread: float, n: int) -> None:
    effect = detectable_effect(spread, n)
    samples = np.random.default_rng(0).normal(effect, spread, (20_000, n))
    assert np.mean(stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)


def test_superiority_is_the_share_of_new_seeds_above() -> None:
    """Many differences of mean 1 and spread 1: P(d > 0) = Φ(1) = 0.841."""
    many = stats.norm.ppf((np.arange(300) + 0.5) / 300) + 1
    assert evidence(many).superiority == pytest.approx(0.841, abs=2e-3)


@pytest.mark.parametrize(
    ("differences", "adjusted_p", "expected"),
    [
        ([3.0, 2.0, 4.0, 3.5, 2.5], 0.01, "supported"),
        ([3.0, 2.0, 4.0, 3.5, 2.5], 0.05, "suggestive"),
        ([-1.0, 0.0, 1.0, 0.5, -0.5], 0.9, "contradicted"),
        ([-3.0, -2.0, -4.0], 0.01, "contradicted"),
        ([-5.0, 0.0, 8.0], 0.9, "open"),
        ([5.0], float("nan"), "open"),
    ],
)
def test_the_verdict_follows_the_protocol(differences: list[float], adjusted_p: float, expected: str) -> None:
    assert verdict(evidence(differences), adjusted_p) == expected


def test_equal_differences_leave_no_doubt() -> None:
    same = evidence([2.0, 2.0, 2.0])
    assert (same.t, same.p_t, same.superiority, same.detectable) == ((2.0, 2.0), 0.0, 1.0, 0.0)


@pytest.mark.parametrize("differences", [[], [1.0, float("nan")], [float("inf")]])
def test_what_is_no_number_is_refused(differences: list[float]) -> None:
    with pytest.raises(ValueError, match="differences must be finite numbers"):
        evidence(differences)


def test_the_bootstrap_of_a_mean_of_groups_is_that_of_the_mean() -> None:
    """Each value a group: the BCa interval is the one over values, and the percentile one lies within the values."""
    percentile, bca = group_bootstrap(lambda times: times @ FIVE / times.sum(-1), len(FIVE))
    assert bca == pytest.approx(bca_interval(FIVE))
    assert 1 <= percentile.low < FIVE.mean() < percentile.high <= 6


def test_too_few_groups_or_equal_ones_have_no_interval() -> None:
    for few in (FIVE[:4], np.full(6, 2.0)):

        def mean(times: npt.NDArray[np.float64], of: npt.NDArray[np.float64] = few) -> npt.NDArray[np.float64]:
            return np.asarray(times @ of / times.sum(-1))

        assert np.isnan(group_bootstrap(mean, len(few))).all()

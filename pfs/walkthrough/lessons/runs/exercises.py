"""The exercises of walkthroughs 4 and 5: each check takes an answer, and says in a sentence whether it is right."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfs.report.statistics import Finding, half_width
from pfs.walkthrough.lessons.ask import NOT_YET, RIGHT
from pfs.walkthrough.lessons.runs.believe import REFERENCE, difference, lottery, scores_of, seeds_that_halve

VERDICTS = ("yes: the interval lies above 0", "the interval holds 0", "no: CWD is ahead, the interval lies below 0")
PARTS = ("CE", "16 x PFS", "1 x WSP")


# --- 4: distil your first student ---------------------------------------------------------------------------


def check_gain(gain: Callable[[], float | None], points: float) -> str:
    """Of the two students that the reader trained: how far the second is ahead, within three points."""
    found = gain()
    if found is None:
        return "Train both students first; then the table below gives the two numbers, and this button compares."
    said = f"your two runs differ by {found:+.1f} points of mIoU. One seed of each is an anecdote, though."
    return (RIGHT if abs(points - found) <= 3 else NOT_YET) + said


def check_largest(largest: str) -> str:
    """Which part of the loss is the largest at the first step."""
    if largest == PARTS[2]:
        return (
            RIGHT + "it is 6.5, beside 2.6 of CE and 1.4 of 16 x PFS: the student is far from a teacher that is sure."
        )
    return NOT_YET + "in JupyterLab, compute all three for first(images), outputs and labels, as `loss` above does."


def check_weight(weight: float) -> str:
    """WSP's weight where the teacher gives the label 0.90 and the student one of eleven equal shares."""
    if abs(weight - (0.90 - 1 / 11)) <= 0.011:
        return RIGHT + "max(0, 0.90 - 1/11) = 0.81."
    return NOT_YET + "the weight is max(0, p_teacher[y] - p_student[y])."


def check_asked(times: float, *, steps: int, batch_size: int, images: int) -> str:
    """How many times as often the teacher would be asked about an image, were it asked at every step."""
    if abs(times - steps * batch_size / images) <= 0.01:
        return f"{RIGHT}{steps:,} steps of {batch_size} images are {steps * batch_size:,}, of {images:,} that differ."
    return NOT_YET + "how many images does the student see in all of its steps, and how many of them differ?"


# --- 5: would you believe this table? -----------------------------------------------------------------------


def check_rival(table: pd.DataFrame, beats_cwd: str) -> str:
    """Whether PFS + WSP beats CWD, by the seeds that both have."""
    seeds = sorted(scores_of(table, "cwd"))
    found = Finding("pfs_wsp", "cwd", difference(table, "pfs_wsp", "cwd", seeds, paired=True), tuple(seeds))
    truth = VERDICTS[1 if not found.excludes_zero else 0 if found.difference.mean > 0 else 2]
    if beats_cwd == truth:
        return f"{RIGHT}{found.claim}"
    return NOT_YET + "in the dots below, compare the two rows seed by seed: which one is ahead in each?"


def check_halving(seeds: int) -> str:
    """How many seeds halve the interval of three."""
    if seeds == seeds_that_halve(3):
        three, five = half_width(1.0, 3), half_width(1.0, 5)
        return f"{RIGHT}from {three:.2f} standard deviations at each side to {five:.2f}."
    return NOT_YET + "the half width is t · s / √n, and t is 4.30, 3.18, 2.78, 2.57, 2.45 for 3, 4, 5, 6, 7 seeds."


def check_one_seed(table: pd.DataFrame, points: float) -> str:
    """What seed 0 alone says of PFS."""
    own, others = scores_of(table, "pfs"), scores_of(table, REFERENCE)
    if abs(points - (own[0] - others[0])) <= 0.06:
        return RIGHT + "what is missing is any idea of how much of it is the seed: there is no interval."
    return NOT_YET + "leave seed 0 alone ticked in the dots above, and show differences."


def check_tables(spread: npt.NDArray[np.float64], tables: float) -> str:
    """In how many of 100 tables of twenty copies one copy seems better, within ten."""
    share = 100 * lottery(spread, methods=20, seeds=3).share
    if abs(tables - share) <= 10:
        return f"{RIGHT}about {share:.0f}. Where the baseline was unlucky, many of the methods seem better at once."
    if abs(tables - 100 * (1 - 0.975**20)) <= 5:
        return (
            NOT_YET + "it would be so if the comparisons were independent, and all of them share the baseline's runs."
        )
    return NOT_YET + "set the number of methods below to 20."

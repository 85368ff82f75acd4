"""The checks of the exercises of walkthroughs 4 and 5: the right answer is taken, and a wrong one gets a hint."""

import pytest

from pfs.walkthrough.lessons.runs import exercises
from pfs.walkthrough.lessons.runs.believe import deviations, read_scores

DIGITS = read_scores("digits")


def test_the_gain_is_compared_with_the_reader_s_own_runs() -> None:
    assert "Train both" in exercises.check_gain(lambda: None, 0.0)
    assert exercises.check_gain(lambda: 10.2, 8.0).startswith("Right: your two runs differ by +10.2")
    assert exercises.check_gain(lambda: 10.2, 2.0).startswith("Not yet: ")


def test_choices_are_checked() -> None:
    for check, options, truth in ((exercises.check_largest, exercises.PARTS, "1 x WSP"),):
        assert [option for option in options if check(option).startswith("Right: ")] == [truth]


@pytest.mark.parametrize(("weight", "right"), [(0.81, True), (0.809, True), (0.9, False)])
def test_the_weight_is_the_gap(weight: float, right: bool) -> None:
    assert exercises.check_weight(weight).startswith("Right: ") == right


def test_the_teacher_would_be_asked_twelve_times_as_often() -> None:
    sizes = {"steps": 600, "batch_size": 16, "images": 800}
    assert exercises.check_asked(12.0, **sizes).startswith("Right: ")
    assert exercises.check_asked(600.0, **sizes).startswith("Not yet: ")


def test_the_rival_is_judged_by_the_interval() -> None:
    """On `digits` CWD is ahead by 3.8 points, and the interval ends just below 0."""
    right = [verdict for verdict in exercises.VERDICTS if exercises.check_rival(DIGITS, verdict).startswith("Right: ")]
    assert right == [exercises.VERDICTS[2]]
    assert "PFS + WSP is below CWD by 3.81" in exercises.check_rival(DIGITS, right[0])


def test_five_seeds_halve() -> None:
    assert "from 2.48 standard deviations at each side to 1.24" in exercises.check_halving(5)
    assert exercises.check_halving(12).startswith("Not yet: ")


def test_one_seed_of_pfs() -> None:
    assert exercises.check_one_seed(DIGITS, 5.6).startswith("Right: ")
    assert exercises.check_one_seed(DIGITS, 4.8).startswith("Not yet: ")  # the mean of all three


def test_about_three_of_ten_tables_fool() -> None:
    spread = deviations(read_scores("camvid_cpu"))
    assert exercises.check_tables(spread, 30.0).startswith("Right: about 2")
    assert exercises.check_tables(spread, 5.0).startswith("Not yet: ")

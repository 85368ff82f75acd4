"""The switches of walkthrough 5: each is moved, and picture and sentence say the numbers of the statistics."""

import re

import pytest

from pfs.report.statistics import paired_difference
from pfs.walkthrough.lessons.runs import believe, views
from pfs.walkthrough.lessons.runs.svg import hex_colour
from pfs.walkthrough.lessons.runs.views import Comparisons, Dots, Fooled, Tuning, in_figures


def alt(view: views.View) -> str:
    """The words of a view's picture."""
    found = re.search(r'aria-label="([^"]*)"', view.picture.value)
    assert found
    return found[1]


def test_dots_are_the_runs_and_their_means() -> None:
    dots = Dots(["digits", "camvid_cpu"])
    dots.what.value = "scores"
    table = believe.read_scores("digits")
    mean = sum(believe.scores_of(table, "cwd").values()) / 3
    assert f"CWD: mean {mean:.1f}" in alt(dots)
    assert dots.picture.value.count(f'stroke="{hex_colour("cwd")}"') == 3


def test_differences_are_paired_by_seed_or_not() -> None:
    dots = Dots(["digits"])
    dots.what.value = "differences"
    table = believe.read_scores("digits")
    assert f"KD: {in_figures(paired_difference(table, 'kd', 'ce'))}" in alt(dots)
    assert "excludes 0 for KD," in dots.said.value
    dots.paired.value = False
    assert "KD: +4.7 [-0.8, +10.3]" in alt(dots) and "KD," not in dots.said.value


def test_a_method_stays_hidden_until_it_is_revealed() -> None:
    dots = Dots(["digits", "camvid_cpu"], hidden="cwd")
    dots.what.value = "differences"
    dots.study.value = "camvid_cpu"
    assert "CWD:" not in alt(dots) and "CWD is hidden until you have decided." in dots.said.value
    dots.reveal()
    assert "CWD:" in alt(dots) and "hidden" not in dots.said.value


def test_seeds_are_taken_in_and_out() -> None:
    dots = Dots(["digits", "camvid_cpu"])
    dots.what.value = "differences"
    assert dots.seeds[4].disabled  # `digits` has three
    dots.seeds[1].value = dots.seeds[2].value = False
    assert "Seed 0 alone: no interval can be given." in dots.said.value
    assert "PFS: +5.6" in alt(dots) and "PFS: +5.6 [" not in alt(dots)
    dots.seeds[0].value = False
    assert "tick at least one" in dots.said.value
    dots.study.value = "camvid_cpu"
    assert "Seeds 3, 4." in dots.said.value  # those that are still ticked


def test_the_split_that_is_chosen_on_decides_which_try_is_reported() -> None:
    tuning = Tuning(["camvid_cpu_weights", "digits_weights"])
    assert "Chosen on val: <b>PFS 16 + WSP 1</b>, reported with 31.4 %" in tuning.said.value
    tuning.split.value = "test"
    assert "Chosen on test: <b>PFS 4 + WSP (T = 1) 1</b>, reported with 33.3 %" in tuning.said.value
    assert "PFS 4 + WSP (T = 1) 1: val 33.0, test 33.3, chosen" in alt(tuning)
    assert "8 methods of this study, 3 report another try" in tuning.said.value
    assert "PFS +0.1, WSP +0.6, PFS + WSP +1.9" in tuning.said.value
    tuning.family.value = "cwd"
    tuning.study.value = "digits_weights"
    assert "CWD, weight 1</b>, reported with 67.3 %" in tuning.said.value
    assert "8 methods of this study, 1 report another try" in tuning.said.value


@pytest.mark.parametrize("way", Fooled.WAYS)
def test_the_honest_report_stays_beside_every_other(way: str) -> None:
    fooled = Fooled(["camvid_cpu_long"])
    fooled.way.value = way
    table = believe.read_scores("camvid_cpu_long")
    assert f"all seeds, paired: {in_figures(paired_difference(table, 'pfs_wsp', 'ce'))}" in alt(fooled)
    if way != Fooled.WAYS[0]:
        value, said = fooled.reported(table)
        assert f"{way}: {value:+.1f}" in alt(fooled) and said in fooled.said.value
        assert value > 0  # the honest mean is -1.1


def test_every_way_says_whether_its_runs_are_real() -> None:
    fooled = Fooled(["digits"])
    said = {}
    for way in Fooled.WAYS[1:]:
        fooled.way.value = way
        said[way] = fooled.said.value
    assert "Resampled:" in said["the best of 10 checkpoints"]
    assert "Real runs:" in said["the luckiest seeds"] and "Real runs:" in said["one seed"]


def test_comparisons_count_the_copies_that_seem_better() -> None:
    comparisons = Comparisons("camvid_cpu")
    comparisons.methods.value = 20
    drawn = believe.lottery(comparisons.spread, 20, 3)
    assert f"<b>{100 * drawn.share:.0f} %</b>" in comparisons.said.value
    row = int(drawn.wins[:20].sum(axis=1).argmax())  # the draw that fools most
    comparisons.draw_number.value = row + 1
    assert f"in this draw {drawn.wins[row].sum()} do" in comparisons.said.value
    assert alt(comparisons).count("seems better") == min(views.SHOWN, drawn.wins[row].sum())
    assert alt(comparisons).count("copy ") == views.SHOWN
    comparisons.seeds.value = 10
    assert f"<b>{100 * believe.lottery(comparisons.spread, 20, 10).share:.0f} %</b>" in comparisons.said.value

"""The numbers of docs/protocol.md are those of the studies, of the committed runs, and of the t distribution."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from pfs.config.load import load_study
from pfs.report.statistics import read_runs

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
STUDIES = [
    *(
        "digits_tuning",
        "digits_tuning_weights",
        "digits_main",
        "digits_stage3_tuning",
        "digits_variants_tuning",
        "digits_main_stage3",
        "digits_teacher_seed",
        "digits_teacher_width",
        "digits_long",
    ),
    *("camvid_pretrained_tuning", "camvid_weights_tuning", "camvid_pretrained"),
]


def smallest_effect(seeds: int, alpha: float, power: float = 0.8) -> float:
    """In standard deviations of the paired difference: what a two-sided paired t test finds with this power."""
    critical = stats.t.ppf(1 - alpha / 2, seeds - 1)

    def missing(effect: float) -> float:
        return float(stats.nct.sf(critical, seeds - 1, effect * np.sqrt(seeds))) - power

    upper = 1.0
    while missing(upper) < 0:
        upper *= 1.3
    return float(brentq(missing, 1e-6, upper))


def deviation(study: str) -> float:
    """Of the paired differences to `ce` in test mIoU, pooled over the methods of a committed study."""
    runs = read_runs(ROOT / "results" / study)
    students = runs[(runs["split"] == "test") & (runs["method"] != "teacher")]
    scores = students.pivot(index="seed", columns="method", values="miou")
    return float(np.sqrt(scores.drop(columns="ce").sub(scores["ce"], axis=0).var().mean()))


@pytest.mark.parametrize(("study", "points"), [("digits", 1.7), ("camvid_cpu", 1.1)])
def test_the_standard_deviations_are_those_of_the_committed_runs(study: str, points: float) -> None:
    assert f"`{study}`: {points}" in PAGE
    assert deviation(study) == pytest.approx(points, abs=0.05)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_what_so_many_seeds_can_see(seeds: int) -> None:
    row = re.search(rf"^\| {seeds} \|(.*)\|$", PAGE, re.MULTILINE)
    assert row is not None
    *cells, smallest_p = [cell.strip() for cell in row[1].split("|")]
    effects = [smallest_effect(seeds, 0.05 / family) for family in (1, 3, 10)]
    assert cells[:3] == [f"{effect:.2f}" for effect in effects]
    assert cells[3:] == [", ".join(f"{points * effect:.1f}" for effect in effects) for points in (1.7, 1.1)]
    assert float(smallest_p) == pytest.approx(2 / 2**seeds, rel=0.03)


@pytest.mark.parametrize(("effect", "family", "found"), [(1.22, 3, 0.76), (1.48, 10, 0.67), (1.7, 10, 0.81)])
def test_what_the_sign_flips_of_ten_seeds_find(effect: float, family: int, found: float) -> None:
    """In Holm's first step, by all flips of the signs of 4,000 drawn sets of differences."""
    assert f"{effect:g} standard deviations" in PAGE.replace("\n", " ") or f"one of {effect:g} " in PAGE
    signs = np.array(list(product((1, -1), repeat=10)))
    drawn = np.random.default_rng(0).normal(effect, 1, (4000, 10))
    p = (np.abs(drawn @ signs.T) >= np.abs(drawn.sum(1))[:, None] - 1e-9).mean(1)
    assert (p < 0.05 / family).mean() == pytest.approx(found, abs=0.03)


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_are_those_of_the_page(name: str) -> None:
    study = load_study(f"studies/{name}.yaml")
    assert f"`{name}`" in PAGE
    if study.tuning:
        assert f"{min(study.seeds)} to {max(study.seeds)} (" in PAGE.replace("\n  ", " ")
    else:
        fewer = 3 if name.startswith("digits_teacher") else 5
        assert len(study.seeds) == (10 if name.startswith("digits_main") else fewer)


def test_every_method_of_a_contrast_is_one_of_the_main_study() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| C[1-5] ", line)]
    named = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row.split("|")[3])}
    assert named == set(load_study("studies/digits_main.yaml").methods)


def test_what_is_said_of_camvid_s_rates_holds() -> None:
    runs = read_runs(ROOT / "results" / "camvid_pretrained_tuning")
    teacher, *best = runs[runs["split"] == "val"].groupby("method")["miou"].mean().nlargest(3)
    assert best[0] - best[1] < 0.5 and 5 < teacher - best[0] < 6


def test_what_is_said_of_camvid_s_weights_holds() -> None:
    """Most tries lie within half a point of their method's best, and none is a point above the labels alone."""
    means = {}
    for search in ("camvid_pretrained_tuning", "camvid_weights_tuning"):
        runs = read_runs(ROOT / "results" / search)
        means[search] = runs[runs["split"] == "val"].groupby("method")["miou"].mean()
    labels_alone = means["camvid_pretrained_tuning"].drop("teacher").max()
    tries = means["camvid_weights_tuning"].drop("teacher")
    assert tries.max() < labels_alone + 1
    methods = tries.groupby(tries.index.str.replace(r"_\d+", "", regex=True))
    more = {"cwd": 6, "pfs_wsp": 6, "kd": 5, "wsp_weighted": 5}
    assert methods.size().to_dict() == dict.fromkeys(("kd_weighted", "pfs", "wsp"), 4) | more
    assert (tries > methods.transform("max") - 0.5).sum() > len(tries) / 2

"""The weights that the studies use are those that were best on val, among as many for every method."""

from collections import Counter
from pathlib import Path

import pytest

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.report.statistics import read_runs

ROOT = Path(__file__).parent.parent
SEARCHES: dict[
    str, dict[tuple[str, ...] | None, int]
] = {  # how many tries a method had; KD's in `digits_weights` were at two temperatures
    "digits_weights": {("kd",): 6, None: 3},
    "camvid_cpu_weights": {("pfs", "wsp", "margin"): 8, None: 4},
}
CHOSEN = [
    ("digits", "digits_weights"),
    ("digits_baselines", "digits_weights"),
    ("camvid_cpu", "camvid_cpu_weights"),
    ("camvid_cpu_long", "camvid_cpu_weights"),
]


def kind(method: Method) -> tuple[str, ...]:
    """What stays the same while the weight is searched: the terms, and WSP's gap."""
    gap = [method.wsp.gap] if method.wsp else []
    return (*method.terms, *gap)


def tried(search: str) -> dict[str, Method]:
    """The methods of a study that searches."""
    return load_study(f"studies/{search}.yaml").methods


@pytest.mark.parametrize("search", SEARCHES)
def test_every_method_had_as_many_tries(search: str) -> None:
    tries = Counter(kind(method) for method in tried(search).values() if method.terms)
    budget = SEARCHES[search]
    assert tries == {terms: budget.get(terms, budget[None]) for terms in tries}


@pytest.mark.parametrize(("study", "search"), CHOSEN)
def test_the_best_on_val_was_taken(study: str, search: str) -> None:
    runs = read_runs(ROOT / "results" / search)
    val = runs[runs["split"] == "val"].set_index("method")["miou"]
    for name, method in load_study(f"studies/{study}.yaml").methods.items():
        rivals = {rival: spec for rival, spec in tried(search).items() if kind(spec) == kind(method)}
        best = max(rivals, key=lambda rival: val[rival])
        assert method.terms == rivals[best].terms, f"{study}: {name} is not {best}, which was best on val"

"""The weights that the studies use are those that were best on val, among as many for every method."""

from collections import Counter
from pathlib import Path

import pytest

from pfs.reading import load_study
from pfs.statistics import read_runs
from pfs.terms import Method

ROOT = Path(__file__).parent.parent
TRIED = load_study("studies/digits_weights.yaml").methods


def kind(method: Method) -> tuple[str, ...]:
    """What stays the same while the weight is searched: the terms, and WSP's gap."""
    gap = [method.wsp.gap] if method.wsp else []
    return (*method.terms, *gap)


def test_every_method_had_as_many_tries() -> None:
    tries = Counter(kind(method) for method in TRIED.values() if method.terms)
    assert tries.pop(("kd",)) == 6  # at two temperatures
    assert set(tries.values()) == {3}


@pytest.mark.parametrize("study", ["digits", "digits_baselines"])
def test_the_best_on_val_was_taken(study: str) -> None:
    runs = read_runs(ROOT / "results" / "digits_weights")
    val = runs[runs["split"] == "val"].set_index("method")["miou"]
    for name, method in load_study(f"studies/{study}.yaml").methods.items():
        rivals = {tried: spec for tried, spec in TRIED.items() if kind(spec) == kind(method)}
        best = max(rivals, key=lambda tried: val[tried])
        assert method == rivals[best], f"{study}: {name} is not {best}, which was best on val"

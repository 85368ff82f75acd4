"""The weights that the studies use are those that were best on val, among as many for every method."""

from collections import Counter
from itertools import pairwise
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


# --- docs/protocol.md: four tries for every method, and none of them on test ------------------------------------------

TUNED = {
    "digits_main": "digits_tuning_weights",
    "digits_long": "digits_tuning_weights",
    "digits_teacher_seed": "digits_tuning_weights",
    "digits_teacher_width": "digits_tuning_weights",
    "digits_main_stage3": "digits_stage3_tuning",
    "camvid_pretrained": "camvid_weights_tuning",
}

RATES = {study: "digits_tuning" if study.startswith("digits") else "camvid_pretrained_tuning" for study in TUNED}


def searched(method: Method) -> tuple[object, ...]:
    """What stays the same while weights, or the learning rate, are searched: the terms, with their other options."""
    terms = [(name, *sorted(term.model_dump(exclude={"weight"}).items())) for name, term in method.terms.items()]
    return tuple(terms)


def tries(method: Method) -> tuple[float, ...]:
    """What is searched: the terms' weights; of a method without terms, the learning rate."""
    weights = [term.weight for term in method.terms.values()]
    return tuple(weights) or (method.learning_rate or 0.0,)


@pytest.mark.parametrize("search", sorted({*RATES.values(), *TUNED.values()}))
def test_every_method_has_at_least_four_tries_at_equal_ratios(search: str) -> None:
    """More only where an edge was followed; of two weights at once, all pairs of two of each."""
    study = load_study(f"studies/{search}.yaml")
    assert study.tuning
    found: dict[tuple[object, ...], list[tuple[float, ...]]] = {}
    for method in study.methods.values():
        found.setdefault(searched(method), []).append(tries(method))
    for values in found.values():
        assert len(set(values)) == len(values) >= 4
        for searched_values in zip(*values, strict=True):
            steps = sorted(set(searched_values))
            ratios = {round(b / a, 6) for a, b in pairwise(steps)}
            assert len(ratios) == 1


@pytest.mark.parametrize(("study", "search"), RATES.items())
def test_the_learning_rate_is_that_with_which_the_labels_alone_were_best(study: str, search: str) -> None:
    """And neither the smallest nor the largest that was tried."""
    val = read_runs(ROOT / "results" / search).groupby("method")["miou"].mean()
    rates = {m.learning_rate or 0.0: val[name] for name, m in tried(search).items() if not m.terms}
    best = max(rates, key=lambda rate: rates[rate])
    assert load_study(f"studies/{study}.yaml").student.learning_rate == best
    assert min(rates) < best < max(rates)


@pytest.mark.parametrize(("study", "search"), TUNED.items())
def test_what_a_study_uses_was_tried(study: str, search: str) -> None:
    reported, tuning = load_study(f"studies/{study}.yaml"), load_study(f"studies/{search}.yaml")
    assert reported.tuned_by == search
    rates = {method.learning_rate for method in tried(RATES[study]).values() if not method.terms}
    assert reported.student.learning_rate in rates
    assert tuning.student.learning_rate == reported.student.learning_rate
    tried_settings = {(searched(method), tries(method)) for method in tuning.methods.values()}
    used = {(searched(method), tries(method)) for method in reported.methods.values() if method.terms}
    assert used <= tried_settings, f"{study}: {used - tried_settings} was not tried in {search}"


@pytest.mark.parametrize(("study", "search"), TUNED.items())
def test_the_best_mean_on_val_was_taken_from_between_its_edges(study: str, search: str) -> None:
    """Of means that are equal to a tenth of a point that of the smaller weights; of pairs, each weight is followed."""
    runs = read_runs(ROOT / "results" / search)
    val = runs[runs["split"] == "val"].groupby("method")["miou"].mean()
    for name, method in load_study(f"studies/{study}.yaml").methods.items():
        if not method.terms:
            continue
        rivals = {rival: spec for rival, spec in tried(search).items() if searched(spec) == searched(method)}
        means = {tries(spec): float(val[rival]) for rival, spec in rivals.items()}
        best = max(means, key=lambda weights: (round(means[weights], 1), -sum(weights)))
        assert tries(method) == best, f"{study}: {name} has {tries(method)}, {best} was best on val"
        for position, weight in enumerate(best):
            others = (*best[:position], *best[position + 1 :])
            beside = [w[position] for w in means if (*w[:position], *w[position + 1 :]) == others]
            assert min(beside) < weight < max(beside), f"{study}: the weight of {name} lies at an edge of its tries"

"""Tables of contrasts: of two studies, of other seeds, with other teachers, on the way of training. No torch here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.statistics import Difference, paired_difference, seed_differences, signed_difference
from pfs.report.tables.collected import read_runs
from pfs.report.tables.curves import read_curves
from pfs.report.tables.labels import label
from pfs.report.tables.main import markdown_table
from pfs.study.places import TEACHER

Pairs = Sequence[tuple[str, str]]  # a method, and the method that it is compared with
Runs = Mapping[str, pd.DataFrame]  # sets of runs, by the head of their column


def across_studies(name: str, other: str, pairs: Pairs, first: int, results: Path) -> str:
    """How methods of one study compare with methods of another one: a row a pair.

    Two runs of one seed are a pair, as within a study, since both studies have the same data, and teachers of the same
    weights.

    Args:
        name: of the study whose methods are in question.
        other: of the study with whose methods they are compared.
        pairs: a method of the one, and a method of the other.
        first: the first seed that no earlier study has used on the same test images.
        results: folder of all results.

    Raises:
        ValueError: the data or the weights of the teachers differ, by their checksums.
    """
    ours, theirs = (read_runs(results / study) for study in (name, other))
    if _origin(ours) != _origin(theirs):
        raise ValueError(f"{name} and {other} differ in their data or in the weights of their teachers")
    studies = {study: load_study(f"studies/{study}.yaml") for study in (name, other)}
    rows = []
    for own, compared in pairs:
        both = [runs[runs["method"] == key] for runs, key in ((ours, own), (theirs, compared))]
        table = pd.concat([part.assign(method=side) for side, part in zip((name, other), both, strict=True)])
        cells = (_contrast(part, name, other) for part in (table, table[table["seed"] >= first]))
        rows.append((label(own, studies[name]), label(compared, studies[other]), *cells))
    seeds = f"seeds {first} to {max(studies[name].seeds)} [95 %]"
    head = (f"method of `{name}`", f"compared with, of `{other}`", "all seeds [95 %]", seeds)
    return markdown_table(head, rows, numbers=False)


def _origin(runs: pd.DataFrame) -> tuple[str, ...]:
    """The checksums of a study's data and of its teacher's weights."""
    return tuple(runs.loc[runs["method"] == TEACHER, ["data_checksum", "teacher_checksum"]].iloc[0])


def beside_fresh_seeds(name: str, first: int, pairs: Pairs, results: Path) -> str:
    """Differences over all seeds of a study, and over those alone that no study before it has used: a row a pair.

    Args:
        name: of the study.
        first: the first seed that no earlier study has used on the same test images.
        pairs: a method, and the method that it is compared with.
        results: folder of all results.
    """
    study, runs = load_study(f"studies/{name}.yaml"), read_runs(results / name)
    sets = {"all seeds": runs, f"seeds {first} to {max(study.seeds)}": runs[runs["seed"] >= first]}
    return markdown_table(_head(sets), _rows(study, pairs, sets), numbers=False)


def beside_other_teachers(name: str, others: Sequence[str], pairs: Pairs, results: Path) -> str:
    """Differences of a study beside those of studies with other teachers: a row a pair, and one of the teachers.

    The study stands there with all its seeds, and with those alone that the others have.

    Args:
        name: of the study.
        others: studies whose methods and seeds are some of its own.
        pairs: a method, and the method that it is compared with; those that all studies have are shown.
        results: folder of all results.
    """
    study, runs = load_study(f"studies/{name}.yaml"), read_runs(results / name)
    studies = {other: load_study(f"studies/{other}.yaml") for other in others}
    seeds = sorted(set(study.seeds).intersection(*(other.seeds for other in studies.values())))
    shared = runs[runs["seed"].isin(seeds) | (runs["method"] == TEACHER)]
    sets = {f"`{name}`": runs, f"`{name}`, seeds {seeds[0]} to {seeds[-1]}": shared}
    sets |= {f"`{other}`": read_runs(results / other) for other in others}
    methods = set(study.methods).intersection(*(other.methods for other in studies.values()))
    teachers = ("teacher's own test mIoU (%)", "", *(f"{_teacher(table)['miou']:.1f}" for table in sets.values()))
    rows = _rows(study, [pair for pair in pairs if methods.issuperset(pair)], sets)
    return markdown_table(_head(sets), [teachers, *rows], numbers=False)


def beside_another_schedule(name: str, other: str, pairs: Pairs, results: Path) -> str:
    """Differences of a study beside those of one with another schedule, for the seeds of both, and their change.

    Args:
        name: of the study.
        other: of the other study.
        pairs: a method, and the method that it is compared with; those that both studies have are shown.
        results: folder of all results.
    """
    study, runs, others = load_study(f"studies/{name}.yaml"), read_runs(results / name), read_runs(results / other)
    seeds = sorted(set(others.loc[others["method"] != TEACHER, "seed"]))
    sets = {f"`{name}`, seeds {seeds[0]} to {seeds[-1]}": runs[runs["seed"].isin(seeds)], f"`{other}`": others}
    shown = [pair for pair in pairs if set(others["method"]).issuperset(pair)]
    rows = [
        (*row, signed_difference(*_change(*pair, *sets.values())[:3]))
        for row, pair in zip(_rows(study, shown, sets), shown, strict=True)
    ]
    return markdown_table((*_head(sets), "change [95 %]"), rows, numbers=False)


def _change(method: str, compared: str, before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """How much larger a difference is in other runs, paired by seed."""
    gains = {"before": seed_differences(before, method, compared), "after": seed_differences(after, method, compared)}
    tables = [gain.rename("miou").reset_index().assign(method=when, split="test") for when, gain in gains.items()]
    return paired_difference(pd.concat(tables), "after", "before")


def on_the_way(name: str, parts: int, results: Path) -> str:
    """How far the methods of a study are ahead of its reference on val as training goes on: a row a method.

    Args:
        name: of the study, whose runs have learning curves.
        parts: how many equal ones the steps are divided into; the end of each is a column.
        results: folder of all results.
    """
    study, curves = load_study(f"studies/{name}.yaml"), read_curves(results / name)
    steps = [study.student.steps * part // parts for part in range(1, parts + 1)]
    scores = curves.rename(columns={"val_miou": "miou"}).assign(split="val")
    sets = {f"step {step:,}": scores[scores["step"] == step] for step in steps}
    rows = [
        (label(method, study), *(_contrast(points, method, study.reference, split="val") for points in sets.values()))
        for method in study.methods
        if method != study.reference
    ]
    return markdown_table(("method", *(f"{name} [95 %]" for name in sets)), rows, numbers=False)


def _head(sets: Runs) -> tuple[str, ...]:
    return ("method", "compared with", *(f"{name} [95 %]" for name in sets))


def _rows(study: Study, pairs: Pairs, sets: Runs) -> list[tuple[str, ...]]:
    """A row a pair of methods, with their difference in each set of runs."""
    return [
        (label(method, study), label(other, study), *(_contrast(runs, method, other) for runs in sets.values()))
        for method, other in pairs
    ]


def _contrast(runs: pd.DataFrame, method: str, other: str, split: str = "test") -> str:
    """A paired difference in mIoU with its interval."""
    return signed_difference(*paired_difference(runs, method, other, split)[:3])


def _teacher(runs: pd.DataFrame) -> "pd.Series[float]":
    """The row of a study's teacher, scored on test."""
    return runs[(runs["method"] == TEACHER) & (runs["split"] == "test")].iloc[0]

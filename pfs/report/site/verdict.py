"""What the runs of a study say, in a sentence or two."""

from collections.abc import Sequence

import pandas as pd

from pfs.config.study import Study
from pfs.report.statistics import Finding
from pfs.report.tables.labels import label


def verdict(compared: Sequence[Finding], study: Study, val: "pd.Series[float]") -> str:
    """What the runs of a study say of its methods against its reference, in a sentence or two.

    Of a study of one seed, which decides nothing, it names what was best on val: nothing is chosen on test.

    Args:
        compared: the study's findings.
        study: the study; findings against other methods than its reference are passed over.
        val: the mean val mIoU of each method, by its name.
    """
    found = _to_the_reference(compared, study)
    reference = label(study.reference, study)
    if not found:
        return f"No method has runs that could be compared with {reference}."
    if all(len(finding.seeds) == 1 for finding in found):
        return f"{_best_on_val(val, study)} One seed gives no interval, and so decides nothing."
    above, below = _sides(found)
    if not above and not below:
        no_side = f"Of {len(found)} {_methods(found)}, none is clearly better or worse than {reference}"
        return f"{no_side}: every interval includes 0. {_largest(found)}"
    better = f"{_number(above)} better than {reference} by intervals that exclude 0{_named(above, study)}"
    worse = f"{_number(below)} worse{_named(below, study)}"
    return f"Of {len(found)} {_methods(found)}, {better}; {worse}. {_largest(found)}"


def outcome(compared: Sequence[Finding], study: Study) -> str:
    """The verdict in a few words, for a row of a table: such as "2 better, 0 worse, of 5".

    Args:
        compared: the study's findings.
        study: the study; findings against other methods than its reference are passed over.
    """
    found = _to_the_reference(compared, study)
    if not found:
        return "nothing to compare"
    if all(len(finding.seeds) == 1 for finding in found):
        return "one seed decides nothing"
    above, below = _sides(found)
    return f"{len(above)} better, {len(below)} worse, of {len(found)}"


def _to_the_reference(compared: Sequence[Finding], study: Study) -> list[Finding]:
    return [finding for finding in compared if finding.reference == study.reference]


def _sides(found: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """The findings whose intervals lie above 0, and those whose lie below."""
    sure = [finding for finding in found if finding.excludes_zero]
    return [one for one in sure if one.rounded.mean > 0], [one for one in sure if one.rounded.mean < 0]


def methods_alt(runs: pd.DataFrame, study: Study) -> str:
    """What one sees in the figure of a study's methods: what is drawn, and which method is lowest and which highest."""
    test = runs[(runs["split"] == "test") & runs["method"].isin(list(study.methods))]
    means = test.groupby("method")["miou"].mean()
    ends = (f"{label(name, study)}, {means[name]:.1f} %" for name in (str(means.idxmin()), str(means.idxmax())))
    extent = f", from {' to '.join(ends)}" if len(means) > 1 else ""
    intervals = (
        "the paired differences with their intervals" if len(study.seeds) > 1 else "the differences of that seed"
    )
    return f"test mIoU of each method and seed{extent}; and {intervals}"


def origins(runs: pd.DataFrame, study: Study) -> list[str]:
    """The commits that a study's runs come from, in their order: each with how many runs it made, and of what."""
    found = []
    for commit, own in runs.drop_duplicates(["method", "seed"]).groupby("commit", sort=False):
        names = [label(str(method), study) for method in own["method"].unique()]
        shown = ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} other methods"
        found.append(f"`{commit}` ({len(own)} {'run' if len(own) == 1 else 'runs'}: {shown})")
    return found


def _best_on_val(val: "pd.Series[float]", study: Study) -> str:
    """The best method on val; where a study tries several methods of the same terms, the best of each such group."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in (name for name in study.methods if name in val.index):
        groups.setdefault(tuple(study.methods[name].terms), []).append(name)
    searched = [names for names in groups.values() if len(names) > 1]
    if len(searched) < 2:
        best = str(val.reindex(list(study.methods)).idxmax())
        return f"Best on val of {sum(map(len, groups.values()))}: {label(best, study)}, {val[best]:.1f} % val mIoU."
    return f"Best on val of each kind: {'; '.join(label(str(val[names].idxmax()), study) for names in searched)}."


def _largest(found: Sequence[Finding]) -> str:
    """The finding of the largest difference, up or down, as a sentence."""
    if len(found) == 1:
        return f"{found[0].claim}."
    return f"The largest difference: {max(found, key=lambda finding: abs(finding.difference.mean)).claim}."


def _named(found: Sequence[Finding], study: Study) -> str:
    """The methods of some findings, such as ": KD, PFS"; of more than six the first five and how many others."""
    names = [label(finding.method, study) for finding in found]
    shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} others"]
    return f": {', '.join(shown)}" if names else ""


def _methods(found: Sequence[Finding]) -> str:
    return "methods" if len(found) > 1 else "method"


def _number(found: Sequence[Finding]) -> str:
    return f"{len(found)} {'are' if len(found) != 1 else 'is'}" if found else "none is"

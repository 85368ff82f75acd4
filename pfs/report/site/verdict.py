"""What the runs of a study say, in a sentence or two."""

from collections.abc import Sequence

from pfs.config.study import Study
from pfs.report.statistics import Finding
from pfs.report.style import label


def verdict(compared: Sequence[Finding], study: Study) -> str:
    """What the runs of a study say of its methods against its reference, in a sentence or two.

    Args:
        compared: the study's findings.
        study: the study; findings against other methods than its reference are passed over.
    """
    found = [finding for finding in compared if finding.reference == study.reference]
    reference = label(study.reference, study)
    if not found:
        return f"No method has runs that could be compared with {reference}."
    if all(len(finding.seeds) == 1 for finding in found):
        return _of_one_seed(found, reference)
    above = [finding for finding in found if finding.excludes_zero and finding.rounded.mean > 0]
    below = [finding for finding in found if finding.excludes_zero and finding.rounded.mean < 0]
    if not above and not below:
        no_side = f"Of {len(found)} {_methods(found)}, none is clearly better or worse than {reference}"
        return f"{no_side}: every interval includes 0. {_largest(found)}"
    count = f"Of {len(found)} {_methods(found)}, {_number(above)} better than {reference} and {_number(below)} worse"
    return f"{count}, by intervals that exclude 0. {_largest(found)}"


def _of_one_seed(found: Sequence[Finding], reference: str) -> str:
    above = [finding for finding in found if finding.rounded.mean > 0]
    count = f"In its one seed, {len(above)} of {len(found)} {_methods(found)} scored above {reference}"
    return f"{count}; one seed gives no interval, and so decides nothing. {_largest(found)}"


def _largest(found: Sequence[Finding]) -> str:
    """The finding of the largest difference, up or down, as a sentence."""
    if len(found) == 1:
        return f"{found[0].claim}."
    return f"The largest difference: {max(found, key=lambda finding: abs(finding.difference.mean)).claim}."


def _methods(found: Sequence[Finding]) -> str:
    return "methods" if len(found) > 1 else "method"


def _number(found: Sequence[Finding]) -> str:
    return f"{len(found)} {'are' if len(found) != 1 else 'is'}" if found else "none is"

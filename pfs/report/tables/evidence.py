"""The comparisons of a study with all that is said for and against them: a row each."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfs.config.study import Study
from pfs.report.evidence import FEWEST_TO_BOOTSTRAP, evidence, group_bootstrap, holm
from pfs.report.statistics import Finding, decimals, findings, seed_differences, signed_difference
from pfs.report.tables.counts import ImageCounts, miou
from pfs.report.tables.labels import label
from pfs.report.tables.main import markdown_table

Floats = npt.NDArray[np.float64]

COLUMNS = """\
Differences are in points of test mIoU, paired by seed: with Student's interval, and from five seeds on the bootstrap's
(BCa). *p* is that of the paired t-test, of all flips of the differences' signs, and of the t-test after Holm's
correction for all rows.

*Next seed above* is the probability that the next seed's difference is above 0; *detectable* is the smallest true
difference that so many seeds find in four of five such studies.
"""


def evidence_table(runs: pd.DataFrame, study: Study, counts: ImageCounts | None = None) -> pd.DataFrame:
    """The evidence of each comparison that a study makes, over the seeds that both methods have.

    Args:
        runs: `runs.csv`.
        study: the study that they belong to.
        counts: of its test images; None where there are none.

    Returns:
        The columns method, reference, n, mean, t_low, t_high, bca_low, bca_high, p_t, p_sign_flip, p_holm (of the
        t-tests, all comparisons of the study being one family), superiority and detectable: see `Evidence`. With counts
        also those of `over_images`.
    """
    rows = []
    for finding in findings(runs, study):
        found = evidence(seed_differences(runs, finding.method, finding.reference).to_numpy())
        ends = {"t_low": found.t.low, "t_high": found.t.high, "bca_low": found.bca.low, "bca_high": found.bca.high}
        rows.append(
            {"method": finding.method, "reference": finding.reference, "n": found.n, "mean": found.mean}
            | ends
            | {"p_t": found.p_t, "p_sign_flip": found.p_sign_flip, "p_holm": float("nan")}
            | {"superiority": found.superiority, "detectable": found.detectable}
            | (over_images(counts, finding) if counts is not None else {})
        )
    table = pd.DataFrame(rows)
    if rows:
        table["p_holm"] = holm(table["p_t"].to_list())
    return table


def over_images(counts: ImageCounts, finding: Finding) -> dict[str, float]:
    """How a comparison's mean difference, of the same networks, varies with the test images.

    Images that belong together are drawn together: see `pfs.data.groups`.

    Returns:
        images_low and images_high, the percentile interval, and images_bca_low and images_bca_high; NaN where there are
        fewer than five groups, or where a run left no counts. With fewer than five groups also the difference within
        each: in_<group>.
    """
    pairs = [(method, seed) for method in (finding.method, finding.reference) for seed in finding.seeds]
    groups = counts.group_names
    within = dict.fromkeys((f"in_{name}" for name in groups) if len(groups) < FEWEST_TO_BOOTSTRAP else (), np.nan)
    names = ("images_low", "images_high", "images_bca_low", "images_bca_high")
    if not set(pairs) <= set(counts.runs):
        return dict.fromkeys(names, np.nan) | within
    hits, unions = counts.of_groups(pairs)

    def difference(times: Floats) -> Floats:
        """The mean difference over the seeds if each group counts so many times, (..., G) to (...)."""
        scores = miou(
            _weighted(times, hits), _weighted(times, unions)
        )  # (..., R): first the method's, then the other's
        sign = np.repeat([1.0, -1.0], len(finding.seeds)) / len(finding.seeds)
        return np.asarray(scores @ sign)

    percentile, bca = group_bootstrap(difference, len(groups))
    found = dict(zip(within, difference(np.eye(len(groups))), strict=True)) if within else {}
    return dict(zip(names, (*percentile, *bca), strict=True)) | found


def _weighted(times: Floats, totals: Floats) -> Floats:
    """The sums over groups that count so many times: (..., G) and (G, R, C) to (..., R, C)."""
    return np.asarray(np.tensordot(times, totals, axes=1))


def to_markdown(table: pd.DataFrame, study: Study, counts: ImageCounts | None = None) -> str:
    """The table for a page, rounded for people; a dash where there are too few seeds or images for a number.

    Args:
        table: an `evidence_table`.
        study: the study.
        counts: those with which the table was made.
    """
    bootstrapped = table["bca_low"].notna().any()
    within = [name for name in map(str, table) if name.startswith("in_")]
    head = ["Comparison", "Seeds", "Difference, 95 % (t)", *(["95 % (BCa)"] if bootstrapped else [])]
    head += [*_image_heads(counts, within), "p (t)", "p (signs)", "p (t, Holm)", "Next seed above", "Detectable"]
    rows = [
        [
            f"{label(row['method'], study)} - {label(row['reference'], study)}",
            row["n"],
            signed_difference(row["mean"], row["t_low"], row["t_high"]),
            *([_interval(row["bca_low"], row["bca_high"])] if bootstrapped else []),
            *(_image_cells(row, within) if counts is not None else []),
            *(_or_dash(row[p], ".3f") for p in ("p_t", "p_sign_flip", "p_holm")),
            _or_dash(100 * row["superiority"], ".0f", " %"),
            _or_dash(row["detectable"], ".1f"),
        ]
        for row in table.to_dict("records")
    ]
    return markdown_table(head, rows)


def explained(table: pd.DataFrame, study: Study, counts: ImageCounts | None = None) -> str:
    """`to_markdown`, and below it what the columns say."""
    return "\n".join(part for part in (to_markdown(table, study, counts), COLUMNS, about_images(counts)) if part)


def about_images(counts: ImageCounts | None) -> str:
    """What the table's columns about test images say, in a sentence or two; "" where it has none."""
    if counts is None:
        return ""
    groups = f"{len(counts.group_names)} {counts.groups.kind}s"
    if len(counts.group_names) < FEWEST_TO_BOOTSTRAP:
        return (
            f"The test images are of {groups}, too few to draw from: *in ...* is the mean difference in each of them.\n"
        )
    return (
        f"*Over {groups}* is the interval of the same networks' mean difference if other test images had been taken: "
        f"the {groups} of the test images are drawn anew, with all images of each (BCa bootstrap). What "
        "other seeds would have given is not in it.\n"
    )


def _image_heads(counts: ImageCounts | None, within: Sequence[str]) -> list[str]:
    """The columns of the intervals over images, or of the groups of images that are too few for one."""
    if counts is None:
        return []
    if within:
        return [f"In {name.removeprefix('in_')}" for name in within]
    over = f"{len(counts.group_names)} {counts.groups.kind}s"
    return [f"95 % over {over}"]


def _image_cells(row: Mapping[Hashable, float], within: Sequence[str]) -> list[str]:
    if within:
        return [_or_dash(row[name], "+.1f") for name in within]
    return [_interval(row["images_bca_low"], row["images_bca_high"])]


def _interval(low: float, high: float) -> str:
    digits = decimals(low, high)
    return "-" if pd.isna(low) else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "-" if pd.isna(value) else f"{value:{form}}{unit}"

"""The comparisons of a study with all that is said for and against them: a row each."""

import pandas as pd

from pfs.config.study import Study
from pfs.report.evidence import evidence, holm
from pfs.report.statistics import decimals, findings, seed_differences, signed_difference
from pfs.report.tables.labels import label
from pfs.report.tables.main import markdown_table


def evidence_table(runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The evidence of each comparison that a study makes, over the seeds that both methods have.

    Args:
        runs: `runs.csv`.
        study: the study that they belong to.

    Returns:
        The columns method, reference, n, mean, t_low, t_high, bca_low, bca_high, p_t, p_sign_flip, p_holm (of the
        t-tests, all comparisons of the study being one family), superiority and detectable: see `Evidence`.
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
        )
    table = pd.DataFrame(rows)
    if rows:
        table["p_holm"] = holm(table["p_t"].to_list())
    return table


def to_markdown(table: pd.DataFrame, study: Study) -> str:
    """The table for a page, rounded for people; a dash where there are too few seeds for a number."""
    bootstrapped = table["bca_low"].notna().any()
    head = ["Comparison", "Seeds", "Difference, 95 % (t)", *(["95 % (BCa)"] if bootstrapped else [])]
    head += ["p (t)", "p (signs)", "p (Holm)", "Next above", "Seen"]
    rows = [
        [
            f"{label(row['method'], study)} - {label(row['reference'], study)}",
            row["n"],
            signed_difference(row["mean"], row["t_low"], row["t_high"]),
            *([_interval(row["bca_low"], row["bca_high"])] if bootstrapped else []),
            *(_or_dash(row[p], ".3f") for p in ("p_t", "p_sign_flip", "p_holm")),
            _or_dash(100 * row["superiority"], ".0f", " %"),
            _or_dash(row["detectable"], ".1f"),
        ]
        for row in table.to_dict("records")
    ]
    return markdown_table(head, rows)


def _interval(low: float, high: float) -> str:
    digits = decimals(low, high)
    return "-" if pd.isna(low) else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "-" if pd.isna(value) else f"{value:{form}}{unit}"

"""The ledger as it is read: its page, and the sentences that other pages take from it."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.docs.claims.definitions import Claim, Claims, read_claims
from pfs.report.docs.claims.ledger import NO_FEWER_STEPS, claim_verdict, not_run, origin
from pfs.report.evidence import NO_GAIN
from pfs.report.statistics import decimals
from pfs.report.tables.labels import label
from pfs.report.tables.main import markdown_table

BEFORE = "before the protocol"
LEDGER = "claims.csv"  # the written ledger, in the folder of all results

INTRODUCTION = """\
# Claims ledger

What the runs of this repository say of each claim, and the verdict that [the protocol](../docs/protocol.md) gives.
`pfs claims` writes this page and [claims.csv](claims.csv) from [the claims](../docs/claims.yaml) and from each study's
`runs.csv` and `curves.csv`.

A difference is a mean over seeds, paired by seed, with its 95 % interval: Student's t, and from five seeds on the
bootstrap's (BCa) beside it. p is that of the test that flips the signs of the differences, as it is and after Holm's
correction over the contrasts of one claim in one study.

- **supported**: the interval lies above 0, and the corrected p is below .05
- **suggestive**: the interval lies above 0, and the corrected p does not lie below .05
- **contradicted**: the interval ends below +1 point (of steps: below 5 % of them), which says that there is hardly a
  gain, and not that there is a loss
- **open**: none of these

Where several of them hold, the first one counts. A claim has the weakest verdict of its contrasts, and *contradicted*
is the weakest. C1 says that gains are small, and is read the other way round: supported where every interval ends below
+1 point, contradicted where one begins above it.

The studies before the protocol gave methods fewer tries than it asks for, or unequal numbers by no rule; all but
`quick` chose their weights on a seed that they also report; and they have at most five seeds. Their verdicts stand in
italics, and decide nothing. `quick` has been run again since, with the same numbers. `digits_baselines` has the teacher
and the seeds of `digits`, and is corrected apart from it.
"""

FORECAST = """\
Hours are forecasts, and rough: the arithmetic of all runs and some seconds for the start of each. An H100 is taken to
compute as fast as one did with the study's own networks (`results/benchmark/paces.md`; docs/cost.md says what that
leaves out), or, where that was not measured, at the share of its peak that `pfs cost` assumes. Two cores are taken to
compute as fast as they did in a committed study of the same data; where there is none, no such hours are given.
"""


def page(claims: Claims, table: pd.DataFrame, forecast: pd.DataFrame, results: Path) -> str:
    """The whole page `results/claims.md`.

    Args:
        claims: what is claimed.
        table: `ledger`.
        forecast: `pfs.bench.expected.expected_hours` of the studies that have not been run.
        results: folder of all results.
    """
    parts = [INTRODUCTION, "## Verdicts\n", summary(claims, table)]
    for name, claim in claims.claims.items():
        own, missing = table[table["claim"] == name], not_run(claim, results)
        parts += [f"## {name}: {claim.title}\n", _contrasts(own) if len(own) else ""]
        parts += [f"Not run yet: {_listed(missing)}.\n" if missing else ""]
    parts += [
        "## Not run yet\n",
        FORECAST,
        "".join(f"- {_forecast(row, results)}\n" for row in forecast.to_dict("records")),
    ]
    parts += ["## Where the runs come from\n", _origins(table)]
    return "\n".join(part for part in parts if part.strip())


def summary(claims: Claims, table: pd.DataFrame) -> str:
    """The verdict of each claim in each study, as a table in Markdown; studies that have not been run are named."""
    rows = [
        (f"{name}: {claim.title}", *(_verdicts(table, name, studies) for studies in (claim.studies, claim.earlier)))
        for name, claim in claims.claims.items()
    ]
    return markdown_table(("claim", "by the protocol", BEFORE), rows, numbers=False)


def sentences(name: str, claims: Claims, table: pd.DataFrame) -> str:
    """What the runs of one study say of the claims: a sentence for each claim, as a list in Markdown.

    Args:
        name: of the study; one that the ledger does not have gives nothing.
        claims: what is claimed.
        table: `ledger`.
    """
    own = table[table["study"] == name]
    return "".join(
        f"- {_sentence(str(claim), claims.claims[str(claim)], rows)}\n" for claim, rows in own.groupby("claim")
    )


def verdict_table(name: str, claims: Claims, table: pd.DataFrame) -> str:
    """The same as `sentences` as a table in Markdown: claim, verdict, and the differences that it rests on."""
    own = table[table["study"] == name]
    rows = [
        (f"{claim}: {claims.claims[str(claim)].title}", _verdict(rows), "; ".join(_against(rows)))
        for claim, rows in own.groupby("claim")
    ]
    return markdown_table(("claim", "verdict", "differences [95 %]"), rows, numbers=False)


def said_of(study: Study, runs: pd.DataFrame, results: Path) -> str:
    """The sentences of a study in the written ledger, `claims.csv`; "" where it has none.

    Args:
        study: the study.
        runs: its `runs.csv`; where the ledger is of runs of other commits, one sentence says so instead.
        results: folder of all results.
    """
    if not (results / LEDGER).is_file():
        return ""
    table = pd.read_csv(results / LEDGER)
    own = table[table["study"] == study.name]
    if len(own) and set(own["commits"]) != {origin(study, runs)["commits"]}:
        return f"The ledger is of other runs of `{study.name}`: `pfs claims` brings it up to date.\n"
    return sentences(study.name, read_claims(), table)


def _sentence(name: str, claim: Claim, rows: pd.DataFrame) -> str:
    """The verdict of a claim in a study, and the differences that it rests on."""
    return f"**{name}, {claim.title}**: {_verdict(rows)}. {'; '.join(_against(rows))}."


def _verdict(rows: pd.DataFrame) -> str:
    """The verdict of a claim in a study, which says if the protocol does not bind it."""
    return claim_verdict(list(rows["verdict"])) + ("" if rows["protocol"].all() else f", {BEFORE}")


def _against(rows: pd.DataFrame) -> list[str]:
    """Each contrast of a claim in a study with its difference."""
    study = load_study(f"studies/{rows['study'].iloc[0]}.yaml")
    return [
        f"{label(row['method'], study)} - {label(row['reference'], study)} {_difference(row)}"
        for row in rows.to_dict("records")
    ]


def _verdicts(table: pd.DataFrame, claim: str, studies: Sequence[str]) -> str:
    """The verdict of a claim in each of some studies, those without one at the end."""
    own = table[table["claim"] == claim]
    found = {name: list(own.loc[own["study"] == name, "verdict"]) for name in studies}
    said = [f"`{name}`: {claim_verdict(verdicts)}" for name, verdicts in found.items() if verdicts]
    missing = [name for name, verdicts in found.items() if not verdicts]
    return "; ".join([*said, *([f"not run yet: {_listed(missing)}"] if missing else [])])


def _contrasts(rows: pd.DataFrame) -> str:
    """Every contrast of a claim in every study that has been run, as a table in Markdown."""
    studies = {name: load_study(f"studies/{name}.yaml") for name in rows["study"].unique()}
    head = (
        "Study",
        "Contrast",
        "Seeds",
        "Difference, 95 % (t)",
        "95 % (BCa)",
        "p (signs)",
        "p (signs, Holm)",
        "Verdict",
    )
    lines = [
        (
            f"`{row['study']}`",
            f"{label(row['method'], studies[row['study']])} - {label(row['reference'], studies[row['study']])}",
            row["n"],
            _difference(row),
            _interval(row["bca_low"], row["bca_high"], _digits(row, "bca")) or "-",
            f"{row['p_sign_flip']:.3f}",
            f"{row['p_holm']:.3f}",
            row["verdict"] if row["protocol"] else f"*{row['verdict']}, {BEFORE}*",
        )
        for row in rows.to_dict("records")
    ]
    return markdown_table(head, lines, numbers=False)


def _difference(row: Mapping[Hashable, Any]) -> str:
    """A difference with its interval, such as `+3.0 [+0.5, +5.5]`; of steps in percent of all steps."""
    digits = _digits(row)
    unit = " % of the steps" if row["measure"] == "steps" else ""
    interval = _interval(row["t_low"], row["t_high"], digits)
    return f"{round(row['mean'], digits) + 0.0:+.{digits}f}{f' {interval}' if interval else ''}{unit}"


def _interval(low: float, high: float, digits: int) -> str:
    return "" if pd.isna(low) else f"[{round(low, digits) + 0.0:+.{digits}f}, {round(high, digits) + 0.0:+.{digits}f}]"


def _digits(row: Mapping[Hashable, Any], interval: str = "t") -> int:
    """As many decimals as show on which side of 0, and of the bound that the verdict asks about, each number lies.

    The numbers are the mean and the ends of one of its intervals, "t" or "bca".
    """
    bound = NO_FEWER_STEPS if row["measure"] == "steps" else NO_GAIN
    ends = [row["mean"], row[f"{interval}_low"], row[f"{interval}_high"]]
    return max(decimals(*ends), decimals(*(end - bound for end in ends)))


def _forecast(row: Mapping[Hashable, Any], results: Path) -> str:
    """With which command a study would be run, what must be run before it, and what it would take."""
    name = row["study"]
    study = load_study(f"studies/{name}.yaml")
    chosen = study.tuned_by is None or (results / study.tuned_by / "runs.csv").is_file()
    first = "" if chosen else f"once `{study.tuned_by}` has chosen its weights, "
    cores = [f"{row['two_cores_hours']:.1f} hours on two cores"] if pd.notna(row["two_cores_hours"]) else []
    hours = " or ".join([*cores, f"{row['gpu_hours']:.{0 if row['gpu_hours'] > 10 else 1}f} hours of an H100"])
    return f"`{name}`: {first}`make study STUDY={name}`. {row['runs']} runs, {row['tflop']:,.0f} TFLOP, about {hours}."


def _listed(studies: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in studies)


def _origins(table: pd.DataFrame) -> str:
    """Data, schedule, precision and commits of each study in the ledger, as a table in Markdown."""
    columns = ["study", "data", "steps", "precision", "commits"]
    rows = table[columns].drop_duplicates() if len(table) else pd.DataFrame(columns=columns)
    lines: Sequence[Sequence[object]] = [
        (f"`{name}`", f"`{data}`", steps, precision, ", ".join(f"`{commit}`" for commit in commits.split(", ")))
        for name, data, steps, precision, commits in rows.itertuples(index=False)
    ]
    return markdown_table(("study", "data", "steps of a student", "precision", "commits"), lines, numbers=False)

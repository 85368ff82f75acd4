"""The ledger: what the runs of each study say of each claim, and the verdict that the protocol gives.

`docs/protocol.md` says how a contrast is tested and when a claim counts as supported. Here it is computed, from
`runs.csv` and `curves.csv` alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.docs.claims.definitions import Claim, Claims, Contrast
from pfs.report.evidence import NO_GAIN, Evidence, Verdict, evidence, holm, verdict
from pfs.report.statistics import seed_differences
from pfs.report.tables.collected import read_runs
from pfs.report.tables.curves import read_curves

NO_FEWER_STEPS = 5.0  # percent of the steps: a claim of fewer steps whose interval ends below is contradicted
COLUMNS = (
    *("claim", "study", "protocol", "method", "reference", "measure", "n", "mean", "t_low", "t_high"),
    *("bca_low", "bca_high", "p_sign_flip", "p_holm", "verdict", "data", "steps", "precision", "commits"),
)
STRENGTH: tuple[Verdict, ...] = ("supported", "suggestive", "open", "contradicted")  # the weakest is the last


def ledger(claims: Claims, results: Path) -> pd.DataFrame:
    """Every contrast of every claim in every study that has all its runs.

    Args:
        claims: what is claimed.
        results: folder of all results.

    Returns:
        A row for each claim, study and contrast, in the order of the claims' file: claim, study, protocol (whether it
        binds the study), method, reference, measure, n, mean, t_low, t_high, bca_low, bca_high, p_sign_flip, p_holm
        (over the contrasts of the claim in the study) and verdict (of this contrast alone); and of the study data,
        steps (of a student), precision and commits. Differences are in points of test mIoU, or in percent of the steps.
    """
    rows = [
        {"claim": name, "study": study.name, "protocol": study.name in claim.studies} | row | origin(study, runs)
        for name, claim in claims.claims.items()
        for study, runs in _finished(claim, results)
        for row in _assessed(claim, study, runs, results)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def not_run(claim: Claim, results: Path) -> list[str]:
    """The studies of a claim that the protocol binds and that lack runs of the claim's methods."""
    finished = {study.name for study, _ in _finished(claim, results)}
    return [name for name in claim.studies if name not in finished]


def claim_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a claim in a study: the weakest of its contrasts."""
    return max(verdicts, key=STRENGTH.index)


def steps_to_reach(curves: pd.DataFrame, method: str, target: "pd.Series[float]") -> "pd.Series[float]":
    """After how many steps a method's curve of val first reaches a value, for each seed.

    Args:
        curves: `curves.csv`, with the columns method, seed, step and val_miou.
        method: whose curves.
        target: the value to reach, by seed.

    Returns:
        Steps by seed, of the seeds that have both. A curve that never reaches the value counts as all its steps.
    """
    own = curves[(curves["method"] == method) & curves["seed"].isin(target.index)]
    reached = own[own["val_miou"] >= own["seed"].map(target)].groupby("seed")["step"].min()
    last: pd.Series[float] = own.groupby("seed")["step"].max()
    return reached.reindex(last.index).fillna(last)


def _finished(claim: Claim, results: Path) -> Iterator[tuple[Study, pd.DataFrame]]:
    """The studies of a claim that have all their runs of its methods, with their runs."""
    for name in (*claim.studies, *claim.earlier):
        study = load_study(f"studies/{name}.yaml")
        if (results / name / "runs.csv").is_file():
            runs = read_runs(results / name)
            if not _lacks(claim, study, runs):
                yield study, runs


def _lacks(claim: Claim, study: Study, runs: pd.DataFrame) -> bool:
    """Whether runs are missing of the methods that the claim compares."""
    test = runs[runs["split"] == "test"]
    made = set(zip(test["method"], test["seed"], strict=True))
    methods = {method for pair in _pairs(claim, study) for method in pair}
    return not methods or any((method, seed) not in made for method in methods for seed in study.seeds)


def _pairs(claim: Claim, study: Study) -> list[Contrast]:
    """The contrasts of a claim of which a study has both methods."""
    return [pair for pair in claim.pairs if set(pair) <= set(study.methods)]


def _assessed(claim: Claim, study: Study, runs: pd.DataFrame, results: Path) -> list[dict[str, str | float]]:
    """The contrasts of one claim in one study, which are one family of tests: a row each."""
    pairs = _pairs(claim, study)
    if claim.measure == "steps":
        curves = read_curves(results / study.name)
        found = [evidence(steps_saved(curves, study, *pair)) for pair in pairs]
    else:
        found = [evidence(seed_differences(runs, *pair).to_numpy()) for pair in pairs]
    adjusted = holm([one.p_sign_flip for one in found])
    return [
        {"method": pair[0], "reference": pair[1], "measure": claim.measure}
        | _numbers(one)
        | {"p_holm": p, "verdict": contrast_verdict(claim, one, p)}
        for pair, one, p in zip(pairs, found, adjusted, strict=True)
    ]


def steps_saved(curves: pd.DataFrame, study: Study, method: str, reference: str) -> npt.NDArray[np.float64]:
    """How many steps fewer a method needs than another to reach what the labels alone end at, in percent of all steps.

    Args:
        curves: `curves.csv`.
        study: its `ce` is the student that learns from the labels alone.
        method: the method in question.
        reference: the method that it is compared with.

    Returns:
        (seeds,) the differences; above 0 where the method is the faster one.
    """
    alone = curves[curves["method"] == "ce"].sort_values("step").groupby("seed")["val_miou"].last()
    own, other = (steps_to_reach(curves, name, alone) for name in (method, reference))
    return np.asarray((100 * (other - own) / study.student.steps).dropna(), dtype=np.float64)


def contrast_verdict(claim: Claim, found: Evidence, adjusted_p: float) -> Verdict:
    """The verdict of one contrast; of a claim that gains are small it is read the other way round."""
    if claim.small_gains:
        return "supported" if found.t.high < NO_GAIN else "contradicted" if found.t.low > NO_GAIN else "open"
    return verdict(found, adjusted_p, NO_FEWER_STEPS if claim.measure == "steps" else NO_GAIN)


def _numbers(found: Evidence) -> dict[str, str | float]:
    return {
        "n": found.n,
        "mean": found.mean,
        "t_low": found.t.low,
        "t_high": found.t.high,
        "bca_low": found.bca.low,
        "bca_high": found.bca.high,
        "p_sign_flip": found.p_sign_flip,
    }


def origin(study: Study, runs: pd.DataFrame) -> dict[str, object]:
    """What data, schedule, precision and code stand behind a study's runs, the teacher's among them."""
    return {
        "data": study.data.name,
        "steps": study.student.steps,
        "precision": ", ".join("fp32" if each == "no" else each for each in runs["precision"].unique()),
        "commits": ", ".join(runs["commit"].unique()),
    }

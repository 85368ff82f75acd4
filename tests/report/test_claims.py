"""The claims ledger: the contrasts and rules of the protocol on made-up runs, and the committed ledger."""

import re
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.docs.claims import definitions
from pfs.report.docs.claims.definitions import Claim, Claims, load_claims
from pfs.report.docs.claims.ledger import STRENGTH, claim_verdict, ledger, not_run, steps_saved, steps_to_reach
from pfs.report.docs.claims.text import LEDGER, page, said_of, sentences, summary
from pfs.report.evidence import Verdict
from pfs.report.statistics import COMPARISONS
from pfs.report.tables.collected import read_runs
from pfs.study.places import runs_of

ROOT = repository()
RESULTS = ROOT / "results"
CLAIMS = load_claims()
SEEDS = 10  # of digits_main
PROVENANCE: dict[str, Any] = {
    **{"commit": "12e4567", "dirty": False, "threads": 1, "precision": "bf16", "instruction_set": "AVX512"},
    **{"data_checksum": "d0", "code_hash": "c0", "pixel_accuracy": 92.0, "parameters": 1, "macs": 1},
    **{"seconds": 1.0, "training_seconds": 1.0, "peak_memory_mib": 1.0},
}
CURVE = {100: 10.0, 200: 20.0, 300: 30.0}  # val mIoU after so many steps


def write_runs(results: Path, name: str, gains: dict[str, float], spread: float = 0.1, seeds: int = SEEDS) -> None:
    """The `runs.csv` of a study whose methods are so many points above 50, give or take; its first seeds alone."""
    rng = np.random.default_rng(0)
    made = [(method, seed) for method, seed in runs_of(load_study(f"studies/{name}.yaml")) if seed < seeds]
    scores = [50 + gains.get(method, 0.0) + rng.normal(0, spread) for method, _ in made]
    table = pd.DataFrame(made, columns=["method", "seed"]).assign(miou=scores, iou_0=scores, study=name, **PROVENANCE)
    both = pd.concat([table.assign(split=split) for split in ("val", "test")])
    (results / name).mkdir(parents=True)
    both.to_csv(results / name / "runs.csv", index=False)


def claimed(**fields: Any) -> Claims:
    """A single claim about digits_main."""
    given: dict[str, Any] = {"title": "It helps", "contrasts": {"pfs": ["ce"]}, "studies": ["digits_main"]}
    return Claims(claims={"C1": Claim.model_validate(given | fields)}, pace={})


def verdict_of(results: Path, **fields: Any) -> Verdict:
    return claim_verdict(list(ledger(claimed(**fields), results)["verdict"]))


# --- the definitions ----------------------------------------------------------------------------------------


def test_the_claims_are_those_of_the_protocol() -> None:
    """Each claim has the contrasts and the studies that its row in docs/protocol.md names."""
    protocol = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    for name, claim in CLAIMS.claims.items():
        (row,) = re.findall(rf"^\| {name} \|(.*)\|$", protocol, re.MULTILINE)
        _, contrasts, studies = row.split("|")
        if name == "C6":
            assert [f"{study}.yaml" for study in claim.studies] == re.findall(r"(\w+\.yaml)", studies)
        else:
            named = {method for pair in claim.pairs for method in pair}
            assert named == set(re.findall(r"`(\w+)`", contrasts)) - {"ce's"}
            assert set(re.findall(r"`(digits_\w+|camvid_\w+)`", studies)) <= set(claim.studies)


def test_every_contrast_of_a_claim_stands_in_the_tables_of_its_studies() -> None:
    asked = {pair for claim in CLAIMS.claims.values() for pair in claim.pairs if pair[1] != "ce"}
    assert asked <= set(COMPARISONS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "kd: [ce], fitnet",
            "kdd: [ce], fitnet",
            r"claims\.C1\.contrasts: digits_main has no method 'kdd'; did you mean kd",
        ),
        ("studies: [digits_main]", "studies: [digits_mian]", r"studies/digits_mian\.yaml: no such study; did you mean"),
        (
            "measure: steps",
            "measure: step",
            r"docs/claims\.yaml: claims\.C3\.measure: Input should be 'miou' or 'steps'",
        ),
        ("title: PFS helps", "titel: PFS helps", r"docs/claims\.yaml: claims\.C2\.title: Field required"),
        ("claims:\n", "claims:\nclaims:\n", r"docs/claims\.yaml: not YAML: line \d+.* the key 'claims' stands twice"),
    ],
)
def test_a_fault_in_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    text = (ROOT / definitions.FILE).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "docs").mkdir()
    (tmp_path / definitions.FILE).write_text(text.replace(old, new, 1), encoding="utf-8")
    monkeypatch.setattr(definitions, "repository", lambda: tmp_path)
    with pytest.raises(StudyError, match=said):
        load_claims()


# --- the verdicts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [(3.0, 0.5, "supported"), (0.2, 0.1, "supported"), (-1.0, 0.5, "contradicted"), (1.0, 4.0, "open")],
)
def test_a_contrast_has_the_verdict_of_the_protocol(tmp_path: Path, gain: float, spread: float, verdict: str) -> None:
    write_runs(tmp_path, "digits_main", {"pfs": gain}, spread)
    assert verdict_of(tmp_path) == verdict


def test_holm_corrects_over_the_contrasts_of_a_claim(tmp_path: Path) -> None:
    """Ten seeds give p = .002 for one contrast; in a family of 13 that are alike each has 13 times as much."""
    others = [name for name in load_study("studies/digits_main.yaml").methods if name != "pfs"]
    write_runs(tmp_path, "digits_main", {"pfs": 3.0})
    table = ledger(claimed(contrasts={"pfs": others}), tmp_path)
    assert table["p_sign_flip"].to_numpy() == pytest.approx(2 / 2**SEEDS)
    assert table["p_holm"].to_numpy() == pytest.approx(13 * 2 / 2**SEEDS)


def test_five_seeds_can_be_suggestive_at_best(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_long", {"pfs": 5.0})
    assert verdict_of(tmp_path, studies=["digits_long"]) == "suggestive"


def test_a_claim_has_the_weakest_verdict_of_its_contrasts(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_main", {"pfs": 3.0, "cwd": 9.0})
    assert verdict_of(tmp_path, contrasts={"pfs": ["ce"]}) == "supported"
    assert verdict_of(tmp_path, contrasts={"pfs": ["ce", "cwd"]}) == "contradicted"
    assert set(STRENGTH) == set(get_args(Verdict))


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"), [(0.3, 0.1, "supported"), (3, 0.1, "contradicted"), (1, 3, "open")]
)
def test_a_claim_of_small_gains_is_read_the_other_way_round(
    tmp_path: Path, gain: float, spread: float, verdict: str
) -> None:
    write_runs(tmp_path, "digits_main", {"pfs": gain}, spread)
    assert verdict_of(tmp_path, small_gains=True) == verdict


def test_a_study_without_all_its_seeds_has_no_verdict_yet(tmp_path: Path) -> None:
    """A verdict that is read while runs come in would be read until it pleases."""
    write_runs(tmp_path, "digits_main", {"pfs": 3.0}, seeds=9)
    claims = claimed()
    assert ledger(claims, tmp_path).empty
    assert not_run(claims.claims["C1"], tmp_path) == ["digits_main"]
    assert "not run yet: `digits_main`" in summary(claims, ledger(claims, tmp_path))


def test_contrasts_of_methods_that_a_study_lacks_are_left_out(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_long", {})
    table = ledger(claimed(contrasts={"pfs": ["ce", "skd"]}, studies=["digits_main", "digits_long"]), tmp_path)
    assert table[["study", "method", "reference"]].to_numpy().tolist() == [["digits_long", "pfs", "ce"]]


# --- steps --------------------------------------------------------------------------------------------------


def curves(**shifts: float) -> pd.DataFrame:
    """Curves of two seeds: those of each method lie so many points above `CURVE`."""
    rows = [
        {"method": method, "seed": seed, "step": step, "val_miou": miou + shift}
        for method, shift in shifts.items()
        for seed in (0, 1)
        for step, miou in CURVE.items()
    ]
    return pd.DataFrame(rows)


def test_steps_are_counted_until_the_curve_reaches_the_last_value_of_the_labels_alone() -> None:
    target = pd.Series({0: 30.0, 1: 30.0})
    made = curves(ce=0.0, fast=10.0, slow=-1.0)
    assert steps_to_reach(made, "fast", target).tolist() == [200, 200]
    assert steps_to_reach(made, "ce", target).tolist() == [300, 300]
    assert steps_to_reach(made, "slow", target).tolist() == [300, 300]  # never: all its steps


def test_saved_steps_are_a_share_of_all_steps() -> None:
    study = load_study("studies/digits_main.yaml")  # 1,000 steps
    assert steps_saved(curves(ce=0.0, pfs=10.0), study, "pfs", "ce").tolist() == [10.0, 10.0]
    assert steps_saved(curves(ce=0.0, pfs=10.0), study, "ce", "pfs").tolist() == [-10.0, -10.0]


@pytest.mark.parametrize(("shift", "verdict"), [(10.0, "supported"), (0.0, "contradicted")])
def test_a_claim_of_fewer_steps_is_judged_by_the_curves(tmp_path: Path, shift: float, verdict: str) -> None:
    write_runs(tmp_path, "digits_main", {})
    made = curves(ce=0.0, pfs=shift)
    every = pd.concat([made[made["seed"] == 0].assign(seed=seed) for seed in range(SEEDS)])
    every.to_csv(tmp_path / "digits_main" / "curves.csv", index=False)
    assert verdict_of(tmp_path, measure="steps") == verdict


# --- the committed ledger -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed() -> pd.DataFrame:
    """The ledger of the committed runs, whose bootstraps take a second."""
    return ledger(CLAIMS, RESULTS)


def test_the_committed_ledger_is_that_of_the_committed_runs(committed: pd.DataFrame) -> None:
    text = committed.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    assert (RESULTS / "claims.csv").read_text() == text, "run: make claims"
    forecast = pd.read_csv(RESULTS / "claims_forecast.csv")
    assert (RESULTS / "claims.md").read_text() == page(CLAIMS, committed, forecast, RESULTS), "run: make claims"


def test_a_tuning_study_is_named_first_until_it_has_run(tmp_path: Path, committed: pd.DataFrame) -> None:
    forecast = pd.read_csv(RESULTS / "claims_forecast.csv").head(1).assign(study="camvid_pretrained")
    first = "`camvid_pretrained`: once `camvid_weights_tuning` has chosen its weights, `make study"
    assert first in page(CLAIMS, committed, forecast, tmp_path)
    write_runs(tmp_path, "camvid_weights_tuning", {})
    assert "`camvid_pretrained`: `make study" in page(CLAIMS, committed, forecast, tmp_path)


def test_a_study_without_claims_has_no_sentence(committed: pd.DataFrame) -> None:
    assert sentences("digits_grids", CLAIMS, committed) == ""


def test_a_sentence_has_the_verdict_and_each_difference_with_its_interval(committed: pd.DataFrame) -> None:
    said = sentences("camvid_cpu", CLAIMS, committed).splitlines()[1]
    assert said.startswith(
        "- **C2, PFS helps**: open, before the protocol. PFS - Student alone (CE) +0.9 [-0.2, +2.1];"
    )


def test_a_report_is_told_of_a_ledger_that_is_of_other_runs(tmp_path: Path) -> None:
    study, runs = load_study("studies/quick.yaml"), read_runs(RESULTS / "quick")
    assert said_of(study, runs, tmp_path) == ""
    shutil.copy(RESULTS / LEDGER, tmp_path)
    assert said_of(study, runs, tmp_path).count("\n") == 4  # C1, C2, C4 and C5
    assert "`pfs claims` brings it up to date" in said_of(study, runs.assign(commit="another"), tmp_path)
    assert said_of(load_study("studies/digits_grids.yaml"), read_runs(RESULTS / "digits_grids"), tmp_path) == ""


def test_the_command_runs_the_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[Any] = []
    monkeypatch.setattr("pfs.commands.pages.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["claims", "--results", str(tmp_path)]) == 0
    assert called == [
        (ROOT / "notebooks" / "study" / "claims.ipynb", tmp_path / "claims.ipynb", {"results": str(tmp_path)})
    ]

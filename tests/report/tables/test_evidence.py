"""The table of evidence: a row a comparison, each as `evidence` has it, corrected as one family."""

import numpy as np
import pytest

from pfs.config.study import Study
from pfs.report.evidence import evidence, holm
from pfs.report.statistics import findings
from pfs.report.tables.evidence import evidence_table, to_markdown
from tests.report.runs_table import FULL, runs_of


def test_each_comparison_has_the_evidence_of_its_seeds(study: Study) -> None:
    runs = runs_of(FULL)
    table = evidence_table(runs, study)
    assert list(zip(table["method"], table["reference"], strict=True)) == [
        (finding.method, finding.reference) for finding in findings(runs, study)
    ]
    first = table.iloc[0]
    differences = [FULL[first["method"]][seed] - FULL[first["reference"]][seed] for seed in FULL["ce"]]
    found = evidence(differences)
    assert (first["n"], first["mean"]) == (3, pytest.approx(found.mean))
    assert (first["t_low"], first["t_high"]) == pytest.approx(found.t)
    assert np.isnan(first["bca_low"])
    assert table["p_holm"].to_list() == pytest.approx(holm(table["p_t"].to_list()))


def test_one_seed_has_a_difference_and_dashes(study: Study) -> None:
    table = evidence_table(runs_of({method: {0: scores[0]} for method, scores in FULL.items()}), study)
    line = to_markdown(table, study).splitlines()[2]
    assert line.count("| - ") == 5 and "| 1 |" in line


def test_without_common_seeds_there_is_no_row(study: Study) -> None:
    assert evidence_table(runs_of({"ce": {0: 40.0}}), study).empty


def test_the_page_names_methods_as_the_study_does_and_rounds(study: Study) -> None:
    lines = to_markdown(evidence_table(runs_of(FULL), study), study).splitlines()
    assert lines[2].startswith("| KD - Student alone (CE) | 3 | +3.0 [+0.5, +5.5] | 0.035 | 0.250 |")

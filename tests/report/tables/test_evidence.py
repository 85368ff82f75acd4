"""The table of evidence: a row a comparison, each as `evidence` has it, corrected as one family."""

import dataclasses

import numpy as np
import pytest

from pfs.config.study import Study
from pfs.data.groups import Groups
from pfs.report.evidence import evidence, holm
from pfs.report.statistics import findings
from pfs.report.tables.counts import ImageCounts, miou
from pfs.report.tables.evidence import about_images, evidence_table, to_markdown
from tests.report.runs_table import FULL, counts_of_table, runs_of

SIX = Groups("photograph", tuple("abcdefaabb"))  # of ten images
TWO = Groups("sequence", tuple("aaaaaabbbb"))


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


def naive_difference(counts: ImageCounts, images: list[int], method: str, reference: str) -> float:
    """The mean difference over the seeds if the test split were these images."""
    scores = {}
    for column, run in enumerate(counts.runs):
        hits = counts.hits[:, images, column].sum(1).astype(float)
        scores[run] = miou(hits, hits + (counts.labelled - counts.hits[..., column])[:, images].sum(1))
    return float(np.mean([scores[method, seed] - scores[reference, seed] for seed in FULL["ce"]]))


def test_intervals_over_images_are_those_of_groups_drawn_anew(study: Study) -> None:
    """Against a bootstrap of whole groups in plain loops, of other draws, to a seventh of the interval."""
    runs = runs_of(FULL)
    counts = counts_of_table(runs, SIX)
    row = evidence_table(runs, study, counts).iloc[0]
    members = {name: [image for image, group in enumerate(SIX.names) if group == name] for name in "abcdef"}
    rng = np.random.default_rng(1)
    drawn = [
        naive_difference(
            counts, [image for name in rng.choice(list(members), 6) for image in members[name]], "kd", "ce"
        )
        for _ in range(1000)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (row["method"], row["reference"]) == ("kd", "ce")
    assert row[["images_low", "images_high"]].to_list() == pytest.approx([low, high], abs=(high - low) / 7)
    assert row["images_bca_low"] < row["mean"] < row["images_bca_high"]


def test_of_few_groups_the_difference_within_each_is_told(study: Study) -> None:
    runs = runs_of(FULL)
    counts = counts_of_table(runs, TWO)
    table = evidence_table(runs, study, counts)
    assert table.loc[0, "in_a"] == pytest.approx(naive_difference(counts, [0, 1, 2, 3, 4, 5], "kd", "ce"))
    assert table.loc[0, "in_b"] == pytest.approx(naive_difference(counts, [6, 7, 8, 9], "kd", "ce"))
    assert table["images_low"].isna().all()
    head, _, first = to_markdown(table, study, counts).splitlines()[:3]
    assert "| In a | In b | p (t) |" in head and f"| {table['in_a'][0]:+.1f} | " in first
    assert "of 2 sequences, too few to draw from" in about_images(counts)


def test_a_comparison_whose_runs_left_no_counts_has_dashes(study: Study) -> None:
    runs = runs_of(FULL)
    counts = counts_of_table(runs, SIX)
    keep = [index for index, run in enumerate(counts.runs) if run != ("kd", 1)]
    part = dataclasses.replace(
        counts,
        runs=tuple(counts.runs[index] for index in keep),
        hits=counts.hits[..., keep],
        false_positives=counts.false_positives[..., keep],
    )
    lines = to_markdown(evidence_table(runs, study, part), study, part).splitlines()
    assert "| 95 % over 6 photographs |" in lines[0]
    assert lines[2].startswith("| KD - Student alone (CE) | 3 | +3.0 [+0.5, +5.5] | - | 0.035 |")
    assert lines[3].startswith("| SKD") and "| - |" not in lines[3]


def test_without_counts_nothing_is_said_of_images(study: Study) -> None:
    """The tables of studies whose runs left none keep their columns."""
    runs = runs_of(FULL)
    assert not [name for name in map(str, evidence_table(runs, study)) if "images" in name]
    assert about_images(None) == ""

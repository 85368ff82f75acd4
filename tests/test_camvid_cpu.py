"""The page of `camvid_cpu` names the commits of the runs, which are complete; test_docs.py has its tables."""

import re
from pathlib import Path

import pytest

from pfs.config.load import load_study
from pfs.report.statistics import read_runs

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
PAGE = (RESULTS / "camvid_cpu" / "README.md").read_text()
STUDIES = ("camvid_cpu", "camvid_cpu_long")


def test_the_runs_are_of_the_commits_that_are_named() -> None:
    runs = [read_runs(RESULTS / name) for name in (*STUDIES, "camvid_cpu_weights")]
    assert set().union(*(table["commit"] for table in runs)) == set(re.findall(r"`([0-9a-f]{40})`", PAGE))
    assert not any(table["dirty"].any() for table in runs)


@pytest.mark.parametrize("name", STUDIES)
def test_every_method_has_every_seed(name: str) -> None:
    runs, study = read_runs(RESULTS / name), load_study(f"studies/{name}.yaml")
    test = runs[runs["split"] == "test"]
    for method in study.methods:
        assert sorted(test.loc[test["method"] == method, "seed"]) == study.seeds


def test_all_students_learnt_from_the_teacher_whose_score_is_shown() -> None:
    teachers = [read_runs(RESULTS / name).query("method == 'teacher'") for name in STUDIES]
    assert teachers[0]["miou"].tolist() == teachers[1]["miou"].tolist()
    assert teachers[0].query("split == 'test'")["miou"].item() >= 58

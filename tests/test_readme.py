"""The README is one page, and names every room."""

import re

import pytest

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.statistics import read_runs

ROOT = repository()
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "results" / "digits"


def test_it_is_one_page() -> None:
    text = re.sub(r"```.*?```|^\|.*?$", "", README, flags=re.DOTALL | re.MULTILINE)
    assert len(text.split()) <= 900
    assert len(re.findall(r"!\[", README)) <= 4


def test_the_committed_results_are_complete() -> None:
    runs = read_runs(RESULTS)
    for method in load_study("studies/digits.yaml").methods:
        assert sorted(runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "seed"]) == [0, 1, 2]
    assert (runs["method"] == "teacher").sum() == 2


@pytest.mark.parametrize("room", sorted(path.parent.name for path in (ROOT / "pfs").glob("*/__init__.py")))
def test_every_room_is_described(room: str) -> None:
    assert f"| [{room}](pfs/{room}) |" in README

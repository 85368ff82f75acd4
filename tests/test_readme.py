"""What the README says is so."""

import re
from pathlib import Path

import pandas as pd
import pytest

from pfs.config.data import OwnFolder
from pfs.config.load import load_study
from pfs.report.statistics import read_runs
from pfs.report.tables import to_markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "results" / "digits"


def test_the_table_is_the_committed_one() -> None:
    table = to_markdown(pd.read_csv(RESULTS / "tables" / "main.csv"))
    assert f"<!-- results/digits/tables/main.csv -->\n{table}<!-- end -->" in README


def test_the_committed_results_are_of_the_commits_that_are_named() -> None:
    runs = read_runs(RESULTS)
    assert set(runs["commit"]) == set(re.findall(r"`([0-9a-f]{40})`", README))
    assert not runs["dirty"].any()


def test_the_committed_results_are_complete() -> None:
    runs = read_runs(RESULTS)
    for method in load_study("studies/digits.yaml").methods:
        assert sorted(runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "seed"]) == [0, 1, 2]
    assert (runs["method"] == "teacher").sum() == 2


def test_three_lines_make_a_study_of_ones_own_data(tmp_path: Path) -> None:
    (expression,) = re.findall(r"sed '(s[^']+)' studies/mine.yaml > studies/flowers.yaml", README)
    _, pattern, replacement, _ = expression.split("/")
    file = tmp_path / "flowers.yaml"
    file.write_text((ROOT / "studies" / "mine.yaml").read_text().replace(pattern, replacement))
    study = load_study(file)
    assert study.data == OwnFolder(name="folder", folder="flowers")


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).is_file()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)", README.split("## The first")[0]))))
def test_commands_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("room", sorted(path.parent.name for path in (ROOT / "pfs").glob("*/__init__.py")))
def test_every_room_is_described(room: str) -> None:
    assert f"`{room}`" in README

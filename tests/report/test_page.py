"""A notebook as a page: what is on it and what is not, and the sentences at its head."""

import json
import math
import re
from base64 import b64encode
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from pfs.config.load import load_study
from pfs.config.methods import Method
from pfs.config.study import Study
from pfs.report.site.body import NARROW, body, picture
from pfs.report.site.in_process import execute
from pfs.report.site.verdict import methods_alt, origins, verdict
from pfs.report.statistics import Difference, Finding
from pfs.study.execution.notebooks import NotebookError

ROOT = Path(__file__).parents[2]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
TABLE = "| Method | mIoU (%) |\n| --- | ---: |\n| KD | 1.0 |\n"


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(ROOT / "studies" / "digits.yaml")


def notebook(folder: Path, *sources: str, tags: tuple[str, ...] = ()) -> Path:
    """A notebook of code cells, the first of them with tags."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)} if not number else {}}
        for number, source in enumerate(sources)
    ]
    file = folder / "toy.ipynb"
    file.write_text(json.dumps({"cells": cells}))
    return file


def markdown_cell(text: str, *tags: str) -> dict[str, object]:
    return {"cell_type": "markdown", "source": [text], "metadata": {"tags": list(tags)}}


# --- the notebook is executed -------------------------------------------------------------------------------


def test_outputs_are_those_that_a_kernel_would_give(tmp_path: Path) -> None:
    displays = f"""
from base64 import b64decode
from IPython.display import Image, Markdown, display
print("printed", word)
display(Image(b64decode("{PICTURE}"), alt="One pixel"))
Markdown("**bold**")"""
    cells = execute(notebook(tmp_path, "word = 'before'", displays, tags=("parameters",)), {"word": "after"})
    page = BeautifulSoup(body(cells).html, "html.parser")
    assert page.find("pre", string="printed after\n")
    assert [picture["alt"] for picture in page.find_all("img")] == ["One pixel"]
    assert page.find("strong", string="bold")
    assert "Out[" not in str(page) and "IPython" not in str(page)


def test_a_cell_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"^toy\.ipynb: ValueError: two lines$"):
        execute(notebook(tmp_path, "raise ValueError('two\\nlines')"), {})


def test_one_notebook_leaves_no_names_to_the_next(tmp_path: Path) -> None:
    execute(notebook(tmp_path, "left_over = 1"), {})
    with pytest.raises(NotebookError, match="NameError: name 'left_over'"):
        execute(notebook(tmp_path, "left_over"), {})


# --- and becomes a page -------------------------------------------------------------------------------------


def test_contents_lead_to_every_section_each_by_its_own_id() -> None:
    page = body([markdown_cell("## The same\n\n### Within\n\n## The same\n\n## The same 2\n\n## `a` & b")])
    assert [entry.title for entry in page.contents] == ["The same", "The same", "The same 2", "a & b"]
    anchors = [entry.anchor for entry in page.contents]
    assert len(set(anchors)) == 4
    assert all(BeautifulSoup(page.html, "html.parser").find("h2", id=anchor) for anchor in anchors)


def test_a_cell_may_stay_in_the_notebook() -> None:
    assert "secret" not in body([markdown_cell("secret", "remove_cell")]).html


@pytest.mark.parametrize("dataframe", [False, True])
def test_tables_say_what_their_header_cells_head(dataframe: bool) -> None:
    html = (
        "<style scoped>x</style><table border='1' class='dataframe'><thead><tr><th></th><th>mIoU (%)</th></tr></thead>"
    )
    data = {"text/html": f"<div>{html}<tbody><tr><th>KD</th><td>1.0</td></tr></tbody></table></div>"}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    cell = (
        {"cell_type": "code", "source": "", "metadata": {}, "outputs": [output]} if dataframe else markdown_cell(TABLE)
    )
    page = BeautifulSoup(body([cell]).html, "html.parser")
    assert [head["scope"] for head in page.find_all("th")] == ["col", "col", "row"]
    assert page.select_one("div.wide > table") and len(page.find_all("div")) == 1 and not page.find("style")


def test_a_study_s_file_is_shown_as_it_is_with_colours() -> None:
    page = BeautifulSoup(body([markdown_cell("```yaml\nname: a # <b>\n```")]).html, "html.parser")
    block = page.find("pre")
    assert block and block.get_text() == "name: a # <b>\n" and block.select("span.nt")


# --- its sentences follow from the numbers that they show -----------------------------------------------------

points = st.one_of(st.floats(-0.3, 0.3), st.floats(-80, 80))


@given(points, st.one_of(st.floats(0, 0.5), st.floats(0, 40)))
def test_a_finding_never_contradicts_the_numbers_that_it_shows(mean: float, half: float) -> None:
    finding = Finding("pfs", "ce", Difference(mean, mean - half, mean + half, 0.5), (0, 1, 2))
    sentence = str(finding)
    shown = re.search(
        r"(?P<side>above|below|level).* (?P<mean>[\d.]+) \[(?P<low>-?[\d.]+), (?P<high>-?[\d.]+)\]", sentence
    )
    assert shown
    low, high = float(shown["low"]), float(shown["high"])
    assert ("excludes 0" in sentence) == finding.excludes_zero == (low > 0 or high < 0)
    assert (shown["side"] == "level") == (float(shown["mean"]) == 0)
    assert low <= float(shown["mean"]) <= high
    assert "-0.0 " not in sentence and "-0.0]" not in sentence and "[-0.0," not in sentence
    if finding.excludes_zero:
        assert shown["side"] == ("above" if mean > 0 else "below")


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Difference(-3.81, -7.59, -0.02, 0.049), "is below Student alone (CE) by 3.81 [0.02, 7.59] points"),
        (Difference(-0.04, -1.0, 0.92, 0.9), "is below Student alone (CE) by 0.04 [-0.92, 1.00] points"),
        (Difference(4.75, 1.9, 7.6, 0.02), "is above Student alone (CE) by 4.8 [1.9, 7.6] points"),
        (Difference(0.0, 0.0, 0.0, math.nan), "is level with Student alone (CE), 0.0 [0.0, 0.0] points"),
        (Difference(-0.02, math.nan, math.nan, math.nan), "is below Student alone (CE) by 0.02 points"),
    ],
)
def test_a_small_number_is_shown_with_the_decimals_that_it_needs(difference: Difference, expected: str) -> None:
    sentence = str(Finding("pfs", "ce", difference, (0, 1, 2)))
    assert expected in sentence and "nan" not in sentence


VAL = pd.Series({"teacher": 60.0, "ce": 40.0, "kd": 41.0, "pfs": 39.0})


def test_the_verdict_counts_what_the_intervals_decide(study: Study) -> None:
    compared = [
        Finding("kd", "ce", Difference(4.0, 1.0, 7.0, 0.01), (0, 1)),
        Finding("pfs", "ce", Difference(5.0, -1.0, 11.0, 0.1), (0, 1)),
        Finding("wsp", "ce", Difference(-3.0, -5.0, -1.0, 0.01), (0, 1)),
        Finding("pfs", "kd", Difference(9.0, 8.0, 10.0, 0.01), (0, 1)),
    ]
    assert verdict(compared, study, VAL) == (
        "Of 3 methods, 1 is better than Student alone (CE) by intervals that exclude 0: KD; 1 is worse: WSP. "
        "The largest difference: PFS is above Student alone (CE) by 5.0 [-1.0, 11.0] points of test mIoU."
    )


def test_the_verdict_says_that_the_intervals_decide_nothing(study: Study) -> None:
    said = verdict([Finding("kd", "ce", Difference(4.0, -1.0, 9.0, 0.1), (0, 1))], study, VAL)
    assert said.startswith("Of 1 method, none is clearly better or worse than Student alone (CE): every interval inc")


def test_the_verdict_of_one_seed_promises_no_interval(study: Study) -> None:
    nan = math.nan
    compared = [
        Finding(name, "ce", Difference(mean, nan, nan, nan), (0,)) for name, mean in (("kd", 2.0), ("pfs", -1.0))
    ]
    said = verdict(compared, study, VAL)
    assert said == "Best on val of 3: KD, 41.0 % val mIoU. One seed gives no interval, and so decides nothing."


def test_a_search_names_the_best_of_each_kind_on_val(study: Study) -> None:
    methods = {
        name: Method.model_validate(terms)
        for name, terms in {
            "ce": {},
            "kd_1": {"kd": {"weight": 1.0}, "label": "KD, weight 1"},
            "kd_4": {"kd": {"weight": 4.0}, "label": "KD, weight 4"},
            "pfs_1": {"pfs": {"weight": 1.0}, "label": "PFS, weight 1"},
            "pfs_4": {"pfs": {"weight": 4.0}, "label": "PFS, weight 4"},
        }.items()
    }
    search = study.model_copy(update={"methods": methods, "seeds": [0]})
    nan = math.nan
    compared = [Finding(name, "ce", Difference(1.0, nan, nan, nan), (0,)) for name in methods if name != "ce"]
    val = pd.Series({"teacher": 90.0, "ce": 30.0, "kd_1": 32.0, "kd_4": 31.0, "pfs_1": 33.0, "pfs_4": 34.0})
    said = verdict(compared, search, val)
    assert said.startswith("Best on val of each kind: KD, weight 1; PFS, weight 4. One seed")


def test_the_main_figure_s_alternative_says_which_methods_are_lowest_and_highest(study: Study) -> None:
    rows = [("teacher", 60.0), ("ce", 40.0), ("kd", 42.0), ("kd", 43.0), ("pfs", 41.0)]
    runs = pd.DataFrame(rows, columns=["method", "miou"]).assign(split="test")
    said = methods_alt(runs, study)
    assert said.startswith(
        "test mIoU of each method and seed, from Student alone (CE), 40.0 % to KD, 42.5 %; and the p"
    )


def test_the_commits_of_the_runs_are_named_with_what_they_made(study: Study) -> None:
    rows = [("teacher", 0, "aa"), ("ce", 0, "bb"), ("ce", 0, "bb"), ("ce", 1, "bb"), ("pfs", 0, "bb")]
    runs = pd.DataFrame(rows, columns=["method", "seed", "commit"])
    assert origins(runs, study) == ["`aa` (1 run: Teacher)", "`bb` (3 runs: Student alone (CE), PFS)"]
    many = pd.DataFrame({"method": list("abcdefgh"), "seed": 0, "commit": "cc"})
    assert origins(many, study) == ["`cc` (8 runs: a, b, c, d, e and 3 other methods)"]


def test_a_narrow_screen_shows_the_figure_of_a_column_where_there_is_one(tmp_path: Path) -> None:
    for name in ("both", "both_column", "one"):
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    cell = markdown_cell("")
    figures = [picture(tmp_path, name, f"alt of {name}") for name in ("both", "one")]
    output = {"output_type": "display_data", "data": {"text/html": "".join(figures)}, "metadata": {}}
    page = BeautifulSoup(body([cell, {"cell_type": "code", "metadata": {}, "outputs": [output]}]).html, "html.parser")
    both, one = page.select("figure.wide > picture")
    assert both.source is not None and str(both.source["srcset"]).endswith(b64encode(b"both_column").decode())
    assert both.source["media"] == NARROW and one.source is None
    assert [figure["aria-label"] for figure in page.select("figure")] == ["alt of both", "alt of one"]
    css = (ROOT / "pfs" / "report" / "site" / "style.css").read_text()
    assert f"@media {NARROW}" in css


def test_the_verdict_without_runs_says_so(study: Study) -> None:
    assert verdict([], study, VAL) == "No method has runs that could be compared with Student alone (CE)."

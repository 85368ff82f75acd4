"""`pfs look`: the index of all studies and their reports, as files and as Chromium shows them.

The pages are made once, of four committed studies: the main one, one of the same data, one of other data, and one of a
single seed.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from pfs.config.base import StudyError
from pfs.config.checksums import check_files
from pfs.config.load import load_study
from pfs.report.docs.claims.definitions import load_claims
from pfs.report.docs.claims.text import LEDGER, sentences
from pfs.report.page import write_report
from pfs.report.site.look import write_index
from pfs.report.site.pages import check_figures, index_page, report_page, summary
from pfs.report.style import COLUMN, DPI, SMALL
from pfs.report.tables.changes import changes
from pfs.report.tables.collected import read_runs
from pfs.report.tables.main import main_table, to_markdown
from pfs.study.execution.run import REPORTED
from pfs.study.records import RecordError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
# As they are ordered: the main one, then those of several seeds, of which those of its data come first.
STUDIES = ["quick", "digits_baselines", "camvid_cpu", "digits_gaps"]
PAGES = ["index", "quick", "digits_gaps"]
# Whatever starts a kernel, and what takes seconds to import.
SLOW = ("torch", "papermill", "nbformat", "jupyter_client", "matplotlib", "seaborn")
CHROMIUM = shutil.which("chromium")
LOOK = """
import sys
from pfs.__main__ import main
status = main(["look", "--no-browser", "--results", sys.argv[1]])
print([name for name in sys.argv[2:] if name in sys.modules])
sys.exit(status)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results that holds what is committed of four studies."""
    folder = tmp_path_factory.mktemp("results")
    for name in STUDIES:
        for part in ("tables", "figures"):
            shutil.copytree(ROOT / "results" / name / part, folder / name / part)
        shutil.copy(ROOT / "results" / name / "runs.csv", folder / name)
    shutil.copy(ROOT / "results" / LEDGER, folder)
    return folder


@pytest.fixture(scope="module")
def pages(results: Path) -> Path:
    """The folder of the pages, made by a process of its own that prints what it should not have imported."""
    command = [sys.executable, "-c", LOOK, str(results), *SLOW]
    looked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (looked.stdout, looked.stderr, looked.returncode) == (f"{results}/look/index.html\n[]\n", "", 0)
    return results / "look"


# --- the files ----------------------------------------------------------------------------------------------


def test_the_index_shows_each_study_s_question_figure_and_verdict_and_leads_to_its_report(pages: Path) -> None:
    index = BeautifulSoup((pages / "index.html").read_text(), "html.parser")
    articles = index.find_all("article")
    assert [article.select_one("h2").get_text() for article in articles] == STUDIES  # type: ignore[union-attr]
    for name, article in zip(STUDIES, articles, strict=True):
        path = ROOT / "studies" / f"{name}.yaml"
        assert (load_study(path).question or "?").replace("`", "") in article.get_text()
        assert re.search(
            r"Of \d+ methods.* points of test mIoU|Best on val.* One seed gives no interval", article.get_text()
        )
        assert article.select_one("img[alt]")
        assert ("Not of today" in article.get_text()) == bool(changes(load_study(path), str(pages.parent)))
        assert re.search(r"\d+ methods?, \d seeds? each, [\d,]+ steps a run, on (digit|cam)", article.get_text())
        assert all((pages / str(link["href"])).is_file() for link in article.select("a[href]"))


def test_the_index_begins_with_a_row_for_each_study(pages: Path) -> None:
    index = BeautifulSoup((pages / "index.html").read_text(), "html.parser")
    table = index.select_one("main table")
    assert table is not None
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
    assert [row[0] for row in rows] == STUDIES
    assert rows[0][1:] == ["digit scenes", "6", "3", "640", "2 better, 0 worse, of 5"]
    assert rows[3][-1] == "one seed decides nothing"
    assert [link["href"] for link in table.select("a")] == [f"#{name}" for name in STUDIES]


def test_a_report_says_what_the_ledger_says_of_its_runs(pages: Path) -> None:
    """The sentences stand in the README too, where a test holds them to the runs."""
    report = BeautifulSoup((pages / "quick.html").read_text(), "html.parser").get_text()
    assert "What these runs say of the paper's claims" in report
    said = sentences("quick", load_claims(), pd.read_csv(ROOT / "results" / "claims.csv")).splitlines()
    assert len(said) > 3 and all(line.removeprefix("- ").replace("*", "") in report for line in said)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_file_with_headings_in_order(pages: Path, name: str) -> None:
    page = BeautifulSoup((pages / f"{name}.html").read_text(), "html.parser")
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert not page.find("script") and not page.select("link[rel=stylesheet]")
    assert all(str(picture["src"]).startswith("data:image/png;base64,") for picture in page.find_all("img"))
    assert len({tag["id"] for tag in page.select("[id]")}) == len(page.select("[id]"))


def test_a_report_shows_provenance_in_full_and_neither_code_nor_prompts(pages: Path) -> None:
    text = BeautifulSoup((pages / "quick.html").read_text(), "html.parser").get_text()
    commit = (ROOT / "results/quick/runs.csv").read_text().splitlines()[1]
    hashes = re.findall(r"\b[0-9a-f]{40}\b|\b[0-9a-f]{64}\b", commit)
    assert hashes and all(value in text for value in hashes)
    assert not re.search(r"Out\s?\[|In\s?\[|No description|import |IPython|no figure", text)


def test_the_report_that_a_study_ends_with_is_the_same_page(results: Path, pages: Path) -> None:
    """A kernel executed the one, this process the other; only that one leads back to the index."""
    written = write_report("studies/digits_gaps.yaml", results=str(results))
    check_files(results / "digits_gaps" / REPORTED)
    report, look = (BeautifulSoup(path.read_text(), "html.parser") for path in (written, pages / "digits_gaps.html"))
    back = look.select_one(".contents p")
    assert back is not None and back.get_text() == "All studies" and not report.select(".contents p")
    back.decompose()
    assert report.get_text().split() == look.get_text().split()
    assert report.find_all("picture") == look.find_all("picture")


def test_a_study_that_cannot_be_shown_is_told_and_left_out(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("quick", "camvid_cpu"):
        shutil.copytree(results / name, tmp_path / name)
    (tmp_path / "camvid_cpu" / "runs.csv").unlink()
    write_index(results=str(tmp_path))
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path}/camvid_cpu: left out of the index: ") and "runs.csv: no such table" in line
    index = BeautifulSoup((tmp_path / "look" / "index.html").read_text(), "html.parser")
    assert [item.get_text() for item in index.select("#left-out ~ ul li")] == [line]
    assert sorted(path.name for path in (tmp_path / "look").iterdir()) == ["index.html", "quick.html"]


def test_a_study_is_shown_that_has_runs_and_no_main_figure_yet(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "digits_gaps", tmp_path / "digits_gaps")
    (tmp_path / "digits_gaps" / "figures" / "methods.png").unlink()
    index = write_index(results=str(tmp_path)).read_text()
    assert "There is no main figure: <code>pfs figures digits_gaps</code> draws it." in index
    assert "Left out" not in index


def test_tuning_studies_are_not_shown(results: Path, tmp_path: Path) -> None:
    """They have runs and a table of runs, but no scores on test."""
    shutil.copytree(results / "digits_gaps", tmp_path / "digits_gaps")
    (tmp_path / "digits_tuning").mkdir()
    shutil.copy(results / "quick" / "runs.csv", tmp_path / "digits_tuning")
    assert "digits_tuning" not in write_index(results=str(tmp_path)).read_text()


def test_a_file_where_the_pages_go_is_told(results: Path, tmp_path: Path) -> None:
    (tmp_path / "look").touch()
    with pytest.raises(StudyError, match=f"^{tmp_path}/look: is a file where the folder .*: move it away$"):
        write_index(results=str(tmp_path))


def test_a_figure_that_is_damaged_is_told_with_the_command_that_draws_it(results: Path, tmp_path: Path) -> None:
    """Empty, cut anywhere, text, another format, or one byte changed."""
    whole = (results / "quick" / "figures" / "methods.png").read_bytes()
    (tmp_path / "quick" / "figures").mkdir(parents=True)
    file = tmp_path / "quick" / "figures" / "methods.png"
    file.write_bytes(whole)
    check_figures(tmp_path / "quick")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    cuts = [whole[:size] for size in range(0, len(whole) - 8, len(whole) // 50)]
    for content in (*cuts, whole[:-8], b"no picture", b"GIF89a" + bytes(20), bytes(flipped)):
        file.write_bytes(content)
        with pytest.raises(RecordError, match=rf"^{file}: is damaged: draw it again: pfs figures quick --results "):
            check_figures(tmp_path / "quick")


def test_html_in_a_study_s_file_is_text_on_its_pages(results: Path) -> None:
    study = load_study(ROOT / "studies" / "digits_gaps.yaml")
    hostile = "<script>alert(1)</script> <img src=https://a.example/x.png> ![x](https://a.example/y.png) `a < b` | c"
    methods = {name: method.model_copy(update={"label": hostile}) for name, method in study.methods.items()}
    study = study.model_copy(update={"question": hostile, "methods": methods})
    about = summary(study, results=str(results))
    table = to_markdown(main_table(read_runs(results / "digits_gaps"), study))
    cells = [{"cell_type": "markdown", "source": [table], "metadata": {}}]
    for html in (index_page([about], [hostile]), report_page(about, cells)):
        page = BeautifulSoup(html, "html.parser")
        assert not page.find("script")
        assert all(str(picture["src"]).startswith("data:image/png;base64,") for picture in page.find_all("img"))
        assert "<script>alert(1)</script> <img src=https://a.example/x.png> x a < b | c" in page.get_text()
    rows = BeautifulSoup(report_page(about, cells), "html.parser").select("tbody tr")
    assert {len(row.find_all(["th", "td"])) for row in rows} == {table.splitlines()[1].count("|") - 1}


def test_without_results_there_is_nothing_to_see(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=f"{tmp_path}: no study has results"):
        write_index(results=str(tmp_path))
    assert not (tmp_path / "look").exists()


# --- in Chromium --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--headless", "--disable-gpu"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


SIZES = "box => [...document.querySelectorAll(box)].map(found => [found.scrollWidth, found.clientWidth])"


def opened(browser: "Browser", file: Path, width: int, scheme: str = "light") -> "Page":
    """A page that has been opened without an error and without a request to anywhere else."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else told.append(request.url))
    page.goto(file.as_uri())
    assert told == []
    return page


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_a_page_never_scrolls_sideways_but_its_boxes_do(browser: "Browser", pages: Path, name: str, width: int) -> None:
    with opened(browser, pages / f"{name}.html", width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        tables, figures = (page.evaluate(SIZES, f"{box}.wide") for box in ("div", "figure"))
        assert figures and all(inside <= outside for inside, outside in figures)
        if width == 390 and tables:
            assert any(inside > outside for inside, outside in tables)


@pytest.mark.parametrize("width", [390, 703, 705, 768, 1280])
def test_figures_are_as_large_as_their_text_needs(browser: "Browser", pages: Path, width: int) -> None:
    """Their smallest text has 6 points at least on the screen, where a pixel is 0.75 points; phones show columns."""
    with opened(browser, pages / "quick.html", width) as page:
        images = page.evaluate(
            "Promise.all([...document.images].map(image => image.decode().then(() => "
            "[image.getBoundingClientRect().width, image.naturalWidth, image.alt])))"
        )
        assert images and all(alt for _, _, alt in images)
        assert min(shown / (drawn / DPI) * SMALL / 96 for shown, drawn, _ in images) >= 6
        narrow = width <= 704
        assert all((drawn <= COLUMN * DPI) == narrow for _, drawn, _ in images)


def test_a_line_holds_about_75_characters(browser: "Browser", pages: Path) -> None:
    """Counted in a paragraph that wraps: its characters over its lines."""
    with opened(browser, pages / "quick.html", 1440) as page:
        paragraphs = page.evaluate(
            "[...document.querySelectorAll('main > p')].map(p => [p.textContent.length, "
            "Math.round(p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight))])"
        )
        long = [characters / lines for characters, lines in paragraphs if lines > 3]
        assert long and all(60 <= measure <= 80 for measure in long)


def test_the_contents_list_leads_to_its_sections(browser: "Browser", pages: Path) -> None:
    with opened(browser, pages / "quick.html", 1440) as page:
        links = page.locator(".contents li a")
        assert links.count() == page.locator("h2").count() > 5
        for link in links.all()[:3]:
            link.click()
            top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
            assert 0 <= top < 100
        page.get_by_text("All studies").click()
        assert page.title().startswith("Studies")
        page.get_by_text("Report of digits_gaps").click()
        assert page.title().startswith("digits_gaps")


def test_the_keyboard_s_first_stop_is_the_way_to_the_text(browser: "Browser", pages: Path) -> None:
    with opened(browser, pages / "quick.html", 820) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the text"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


# The colour of each element that holds text itself, and the first ground beneath it that is not transparent.
COLOURS = """
[...document.querySelectorAll('body *')].filter(element =>
  [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
).map(element => {
  const background = tag => getComputedStyle(tag).backgroundColor;
  let ground = element;
  while (ground.parentElement && /, 0\\)$/.test(background(ground))) ground = ground.parentElement;
  return [element.className + element.tagName, getComputedStyle(element).color, background(ground)];
})
"""


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2 of a colour as the browser gives it."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["index", "quick"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: "Browser", pages: Path, name: str, scheme: str) -> None:
    with opened(browser, pages / f"{name}.html", 1440, scheme) as page:
        colours = page.evaluate(COLOURS)
        ground = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (ground < 0.1) == (scheme == "dark")
        pairs = {what: sorted((luminance(ink), luminance(under))) for what, ink, under in colours}
        contrasts = {what: (high + 0.05) / (low + 0.05) for what, (low, high) in pairs.items()}
        assert len(contrasts) > 5 and min(contrasts.values()) >= 4.5, contrasts


def test_figures_lie_on_a_light_card_in_the_dark(browser: "Browser", pages: Path) -> None:
    with opened(browser, pages / "quick.html", 1440, "dark") as page:
        cards = page.evaluate("[...document.querySelectorAll('figure')].map(f => getComputedStyle(f).backgroundColor)")
        assert cards and all(luminance(card) > 0.9 for card in cards)

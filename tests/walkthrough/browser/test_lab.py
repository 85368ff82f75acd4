"""The walkthroughs in JupyterLab, as `make lab` opens it."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.walkthrough.browser.servers import set_parameters

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SECONDS = 90_000  # milliseconds, on cores that others use too


def run_all(page: "Page") -> None:
    """Run all cells of the notebook that is open."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-item:has(:text-is('Run All Cells'))")


def test_the_index_leads_to_a_walkthrough_whose_student_can_be_stopped(
    desk: "BrowserContext", clone: Path, lab: str
) -> None:
    notebook = clone / "notebooks" / "walkthrough" / "4_first_student.ipynb"
    set_parameters(notebook, {"steps": 10_000, "scenes_to_learn_from": 16, "scenes_to_score": 5, "batch_size": 4})
    page = desk.new_page()
    page.goto(lab, timeout=SECONDS)
    page.click("a:has-text('Distil your first student')", timeout=SECONDS)
    page.wait_for_selector("h1:has-text('4. Distil your first student')", timeout=SECONDS)
    run_all(page)
    page.click("button:has-text('Train: Student alone')", timeout=SECONDS)
    page.wait_for_selector("text=/step \\d+ of 10000/", timeout=SECONDS)
    page.click("button:has-text('Stop')")
    page.wait_for_selector("text=/stopped after \\d+ of 10000 steps/", timeout=SECONDS)
    assert "Student alone (CE)" in str(page.locator("svg[role=img]").first.get_attribute("aria-label"))

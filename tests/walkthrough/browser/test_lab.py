"""The walkthroughs in JupyterLab, as `make lab` opens it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def run_all(page: "Page") -> None:
    """Run all cells of the notebook that is open."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-item:has(:text-is('Run All Cells'))")


def test_it_opens_on_the_index_which_leads_to_a_walkthrough(desk: "BrowserContext", lab: str) -> None:
    """No other window stands before it, and no cell is run."""
    page = desk.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab)
    page.click("a:has-text('Distil your first student')")
    page.wait_for_selector("h1:has-text('4. Distil your first student')")
    assert page.locator(".jp-toast-message").count() == 0
    assert not [url for url in asked if not url.startswith((lab, "data:", "blob:"))]
    assert not [url for url in asked if "/lab/api/news" in url]
    page.close()

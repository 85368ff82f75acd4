"""Walkthrough 4 as a page: a student learns while the page listens."""

from typing import TYPE_CHECKING

from tests.walkthrough.browser.test_voila import narrow

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOTEBOOK = "4_first_student"


def test_a_student_is_trained_stopped_and_scored(page: "Page") -> None:
    """There are far too many steps to wait for: the stop button must be heard while the kernel trains."""
    page.click("button:has-text('Train: PFS + WSP')")
    page.wait_for_selector("svg[aria-label*='PFS + WSP']", state="attached")
    page.wait_for_selector("text=/step \\d+ of 10000/")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("text=/stopped after \\d+ of 10000 steps/")
    assert page.locator("img[alt^='PFS + WSP:']").count() == 1
    narrow(page)

"""Walkthrough 1 in JupyterLab and in Voila: point, drag a slider, and the pictures and numbers are those of `pfs`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pfs.walkthrough.arrays import load_walkthrough
from pfs.walkthrough.arrays.read import FILE
from pfs.walkthrough.lessons.alike import Explorer
from tests.walkthrough.browser.conftest import PATIENCE as SECONDS
from tests.walkthrough.browser.test_lab import run_all
from tests.walkthrough.browser.test_voila import narrow

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

NOTEBOOK = "1_what_is_alike"
PICTURES = "[...document.querySelectorAll('.pfs-alike canvas')].map(canvas => canvas.toDataURL())"


@pytest.fixture(scope="module")
def explorer(walkthrough_folder: Path) -> Explorer:
    """What the page should show."""
    return Explorer(load_walkthrough(walkthrough_folder / FILE))


def click(page: "Page", row: int, column: int) -> None:
    """Click the pixel of the image's 32 x 32."""
    image = page.locator(".pfs-alike-image canvas")
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    assert box is not None
    position: Any = {"x": (column + 0.5) / 32 * box["width"], "y": (row + 0.5) / 32 * box["height"]}
    image.click(position=position)


def shows(page: "Page", explorer: Explorer) -> None:
    """Wait until the page's table and the image's alternative text are those of the explorer."""
    told = explorer.pointer.alt
    page.wait_for_selector(f'.pfs-alike-image canvas[aria-label$="{told}"]', timeout=SECONDS, state="attached")
    page.wait_for_function(
        """expected => {
          const template = document.createElement("template");
          template.innerHTML = expected;
          return document.querySelector(".pfs-terms")?.textContent === template.content.textContent;
        }""",
        arg=explorer.terms.value,
        timeout=SECONDS,
    )


def drive(page: "Page", explorer: Explorer) -> None:
    """Point by mouse and by key, switch to the softmax, and move the temperature."""
    page.wait_for_selector(".pfs-alike-image canvas", timeout=SECONDS)
    shows(page, explorer)
    began = explorer.pointer.place
    before = page.evaluate(PICTURES)
    click(page, 9, 25)
    explorer.pointer.point(9, 25)
    shows(page, explorer)
    assert len(before) == 6 and not set(before) & set(page.evaluate(PICTURES))
    page.keyboard.press("ArrowDown")
    explorer.pointer.point(13, 25)
    shows(page, explorer)
    page.get_by_label("Compared by").select_option("softmax and KL")
    explorer.distance.value = "kl"
    shows(page, explorer)
    page.get_by_role("slider", name="Temperature").focus()
    page.keyboard.press("End")
    explorer.temperature.value = 1.0
    shows(page, explorer)
    explorer.temperature.value, explorer.distance.value = 0.1, "squared"
    explorer.pointer.point(*began)


def test_in_voila(page: "Page", explorer: Explorer) -> None:
    drive(page, explorer)
    narrow(page)


def test_in_jupyterlab(lab: str, desk: "BrowserContext", explorer: Explorer) -> None:
    page = desk.new_page()
    page.goto(f"{lab}/lab/tree/notebooks/walkthrough/1_what_is_alike.ipynb", timeout=SECONDS)
    page.wait_for_selector("h1:has-text('1. What is alike?')", timeout=SECONDS)
    run_all(page)
    drive(page, explorer)
    page.close()

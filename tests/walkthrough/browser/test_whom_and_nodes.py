"""Walkthroughs 2 and 3 as pages: pointing, sliders, lists and exercises change the numbers to those of Python."""

from typing import TYPE_CHECKING

import pytest

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.nodes.numbers import compare
from pfs.walkthrough.lessons.whom.explorer import Explorer
from tests.walkthrough.browser.test_voila import open_page
from tests.walkthrough.lessons.tables import caption

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

SECONDS = 90_000  # milliseconds, on cores that others use too


def test_pointing_and_the_slider_show_the_numbers_of_the_losses(
    desk: "BrowserContext", voila: str, tiny: Walkthrough
) -> None:
    page = open_page(desk, voila, "2_whom_to_listen_to", "caption:has-text('temperature 2')")
    picture = page.locator(".pfs-pointer canvas").first
    picture.click(position={"x": 5, "y": 40})
    expected = Explorer(tiny)
    box = picture.bounding_box()
    assert box
    expected.place.point(int(40 / box["height"] * 32), int(5 / box["width"] * 32))
    page.wait_for_selector(f"caption:has-text('{caption(expected.pixel.value)}')", timeout=SECONDS)
    page.get_by_role("slider", name="Temperature").focus()
    page.keyboard.press("End")
    expected.temperature.value = 8.0
    page.wait_for_selector(f"caption:has-text('{caption(expected.pixel.value)}')", timeout=SECONDS)
    page.wait_for_selector(f"caption:has-text('{caption(expected.parts.value)}')", timeout=SECONDS)
    page.get_by_role("button", name="Check").first.click()
    page.wait_for_selector("[role=status]:has-text('ignored')", timeout=SECONDS)  # row 0, column 0


def test_a_grid_shows_its_loss_and_the_prediction_is_revealed(
    desk: "BrowserContext", voila: str, tiny: Walkthrough
) -> None:
    page = open_page(desk, voila, "3_sixteen_nodes", "p:has-text('From the 4 x 4 maps')")
    page.get_by_label("Grid", exact=True).select_option("8 x 8")
    student, teacher = tiny.features("ce")[:1], tiny.features("teacher")[:1]
    page.wait_for_selector(f"p:has-text('{compare(student, teacher, 8).from_channels:.12f}')", timeout=SECONDS)
    page.get_by_role("button", name="Show what was measured").click()
    page.wait_for_selector("caption:has-text('Test mIoU')", timeout=SECONDS)


@pytest.mark.parametrize("name", ["2_whom_to_listen_to", "3_sixteen_nodes"])
def test_on_a_phone_nothing_sticks_out(phone: "BrowserContext", voila: str, name: str) -> None:
    page = open_page(phone, voila, name, ".pfs-pointer canvas")
    page.wait_for_selector("button:has-text('Check')", timeout=SECONDS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    right = page.eval_on_selector_all("table, canvas", "all => all.map(one => one.getBoundingClientRect().right)")
    assert max(right) <= 390

"""Walkthroughs 2 and 3 as pages: pointing, sliders, lists and exercises change the numbers to those of Python."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.nodes.numbers import compare
from pfs.walkthrough.lessons.whom.explorer import Explorer
from tests.walkthrough.browser.test_voila import PHONE, narrow
from tests.walkthrough.lessons.tables import caption

if TYPE_CHECKING:
    from playwright.sync_api import Page

WHOM, NODES = "2_whom_to_listen_to", "3_sixteen_nodes"


def test_pointing_and_the_slider_show_the_numbers_of_the_losses(
    opened: Callable[[str], "Page"], tiny: Walkthrough
) -> None:
    page = opened(WHOM)
    page.wait_for_selector("caption:has-text('temperature 2')")
    picture = page.locator(".pfs-pointer canvas").first
    picture.click(position={"x": 5, "y": 40})
    expected = Explorer(tiny)
    box = picture.bounding_box()
    assert box
    expected.place.point(int(40 / box["height"] * 32), int(5 / box["width"] * 32))
    page.wait_for_selector(f"caption:has-text('{caption(expected.pixel.value)}')")
    page.get_by_role("slider", name="Temperature").focus()
    page.keyboard.press("End")
    expected.temperature.value = 8.0
    page.wait_for_selector(f"caption:has-text('{caption(expected.pixel.value)}')")
    page.wait_for_selector(f"caption:has-text('{caption(expected.parts.value)}')")
    for name in ("row", "column"):
        page.get_by_label(name, exact=True).first.fill("0")
    page.get_by_role("button", name="Check").first.click()
    page.wait_for_selector("[role=status]:has-text('ignored')")


def test_a_grid_shows_its_loss_and_the_prediction_is_revealed(
    opened: Callable[[str], "Page"], tiny: Walkthrough
) -> None:
    page = opened(NODES)
    page.wait_for_selector("p:has-text('From the 4 x 4 maps')")
    page.get_by_label("Grid", exact=True).select_option("8 x 8")
    student, teacher = tiny.features("ce")[:1], tiny.features("teacher")[:1]
    page.wait_for_selector(f"p:has-text('{compare(student, teacher, 8).from_channels:.12f}')")
    for name in ("Grid 2 x 2", "Grid 4 x 4", "Grid 8 x 8", "Every location"):
        page.get_by_label(name, exact=True).fill("60")
    page.get_by_role("button", name="Show what was measured").click()
    page.wait_for_selector("caption:has-text('Test mIoU')")


@pytest.mark.parametrize("name", [WHOM, NODES])
def test_on_a_phone_nothing_sticks_out(opened: Callable[[str], "Page"], name: str) -> None:
    page = opened(name)
    page.wait_for_selector("button:has-text('Check')")
    narrow(page)
    right = page.eval_on_selector_all("table, canvas", "all => all.map(one => one.getBoundingClientRect().right)")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert max(right) <= PHONE

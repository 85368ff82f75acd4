"""The walkthroughs as pages, as `make demo` shows them: no code, no other server, a phone's width, live controls."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walkthrough.browser.servers import set_parameters

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SECONDS = 90_000  # milliseconds until a page must show its last widget, on cores that others use too


def open_page(context: "BrowserContext", address: str, name: str, selector: str) -> "Page":
    """A walkthrough's page, once something is on it."""
    page = context.new_page()
    page.goto(f"{address}/voila/render/{name}.ipynb", wait_until="commit", timeout=SECONDS)
    page.wait_for_selector(selector, timeout=SECONDS, state="attached")
    return page


def test_the_first_page_is_the_index_and_asks_no_other_server(desk: "BrowserContext", voila: str) -> None:
    page, answered = desk.new_page(), []
    page.on("response", lambda response: answered.append(response.url))
    page.goto(voila, timeout=SECONDS)
    page.wait_for_url(f"{voila}/voila/render/index.ipynb", timeout=SECONDS)
    page.wait_for_selector("h1:has-text('Where to begin')", timeout=SECONDS)
    assert all(url.startswith((voila, "data:", "blob:")) for url in answered)
    links = page.eval_on_selector_all(
        "#rendered_cells a[href*=ipynb]", "links => links.map(a => a.getAttribute('href'))"
    )
    assert "4_first_student.ipynb" in links and not [link for link in links if link.startswith("..")]
    page.click("a[href='5_believe.ipynb']")
    page.wait_for_selector("h1:has-text('Would you believe')", timeout=SECONDS)


def test_only_the_walkthroughs_are_served(desk: "BrowserContext", voila: str) -> None:
    """A page executes its notebook, and those of a study train."""
    page = desk.new_page()
    for path in ("voila/render/../study/train_teacher.ipynb", "voila/render/..%2Fstudy%2Ftrain_teacher.ipynb"):
        response = page.goto(f"{voila}/{path}", timeout=SECONDS)
        assert response is not None and response.status == 404


def test_on_a_phone_nothing_sticks_out_and_no_code_is_shown(phone: "BrowserContext", voila: str) -> None:
    page = open_page(phone, voila, "5_believe", "svg[aria-label*='copy 1']")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "from pfs." not in page.inner_text("body")
    sizes = page.eval_on_selector_all("svg[role=img] text", "all => all.map(one => one.getBoundingClientRect().height)")
    assert min(sizes) >= 10


def test_switches_change_the_picture_by_mouse_and_by_key(desk: "BrowserContext", voila: str) -> None:
    page = open_page(desk, voila, "5_believe", "svg[aria-label*='copy 1']")
    page.click("label:has-text('the luckiest seeds')")
    page.wait_for_selector("svg[aria-label*='the luckiest seeds: +1.7']", state="attached")
    page.get_by_label("differences").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("svg[aria-label*='PFS: +4.8 [+0.6, +9.0]']", state="attached")
    page.get_by_label("seed 2 (triangle)").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=Seeds 0, 1.")
    slider = page.get_by_role("slider", name="Methods")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_selector("text=copies of the student alone, 40 of them")


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_a_student_is_trained_stopped_and_scored(
    clone: Path, voila: str, width: str, request: pytest.FixtureRequest
) -> None:
    """Far too many steps to wait for: the stop button must be heard while the kernel trains."""
    notebook = clone / "notebooks" / "walkthrough" / "4_first_student.ipynb"
    set_parameters(notebook, {"steps": 10_000, "scenes_to_learn_from": 16, "scenes_to_score": 5, "batch_size": 4})
    page = open_page(request.getfixturevalue(width), voila, "4_first_student", "button:has-text('Train: PFS + WSP')")
    page.click("button:has-text('Train: PFS + WSP')")
    page.wait_for_selector("svg[aria-label*='PFS + WSP']", timeout=SECONDS, state="attached")
    page.wait_for_selector("text=/step \\d+ of 10000/", timeout=SECONDS)
    page.click("button:has-text('Stop')")
    page.wait_for_selector("text=/stopped after \\d+ of 10000 steps/", timeout=SECONDS)
    assert page.locator("img[alt^='PFS + WSP:']").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

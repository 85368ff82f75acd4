"""The walkthroughs as pages, as `make demo` shows them: no code, no other server, a phone's width, live controls."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

NOTEBOOK = "5_believe"
PHONE = 390  # CSS pixels


def narrow(page: "Page") -> None:
    """Make a page as narrow as a phone, and see that nothing of it sticks out."""
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=PHONE)


def test_the_first_page_is_the_index_and_asks_no_other_server(desk: "BrowserContext", voila: str) -> None:
    page = desk.new_page()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    page.goto(voila)
    page.wait_for_url(f"{voila}/voila/render/index.ipynb")
    page.wait_for_selector("h1:has-text('Where to begin')")
    assert page.title() == "Where to begin"
    assert all(url.startswith((voila, "data:", "blob:")) for url in answered)
    links = page.eval_on_selector_all(
        "#rendered_cells a[href*=ipynb]", "links => links.map(a => a.getAttribute('href'))"
    )
    assert "4_first_student.ipynb" in links and not [link for link in links if link.startswith("..")]
    page.close()


def test_only_the_walkthroughs_are_served(desk: "BrowserContext", voila: str) -> None:
    """A page executes its notebook, and those of a study train."""
    for path in ("voila/render/../study/train_teacher.ipynb", "voila/render/..%2Fstudy%2Ftrain_teacher.ipynb"):
        assert desk.request.get(f"{voila}/{path}").status == 404


def test_switches_change_the_picture_by_mouse_and_by_key(page: "Page") -> None:
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


def test_on_a_phone_nothing_sticks_out_and_no_code_is_shown(page: "Page") -> None:
    narrow(page)
    assert "from pfs." not in page.inner_text("body")
    sizes = page.eval_on_selector_all("svg[role=img] text", "all => all.map(one => one.getBoundingClientRect().height)")
    assert min(sizes) >= 10


def test_the_page_scrolls_as_a_whole(page: "Page") -> None:
    """Where a panel inside of it scrolls, a key for a page down does nothing before a click, and nothing is printed."""
    assert page.evaluate("document.documentElement.scrollHeight") > 2 * page.evaluate("innerHeight")


def test_a_page_has_its_notebook_s_title_and_the_theme_that_the_browser_wants(page: "Page") -> None:
    assert page.title() == "5. Would you believe this table?"
    brightness = {}
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("is => document.body.dataset.jpThemeLight === is", arg=str(scheme == "light").lower())
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('h1')).color]"
        )
        brightness[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) // 3 for colour in colours]
    (paper, ink), (dark_paper, light_ink) = brightness["light"], brightness["dark"]
    assert min(paper, light_ink) > 200 and max(ink, dark_paper) < 60

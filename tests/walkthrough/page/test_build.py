"""The page without a kernel: one file, which asks nothing of any server, and whose numbers are those of Python."""

import hashlib
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from pfs.__main__ import main
from pfs.config.files import repository
from pfs.walkthrough.arrays import Walkthrough, load_walkthrough
from pfs.walkthrough.arrays.read import FILE
from pfs.walkthrough.lessons.alike import Explorer
from pfs.walkthrough.lessons.alike.maps import clearest_place
from pfs.walkthrough.lessons.alike.texts import class_of
from pfs.walkthrough.page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def page_file(tiny: Walkthrough, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "what-is-alike.html"
    write_page(tiny, file)
    return file


# --- the file -----------------------------------------------------------------------------------------------


def test_nothing_but_what_is_in_the_file_may_run(page_file: Path) -> None:
    page = BeautifulSoup(page_file.read_text(), "html.parser")
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")
    script, style = page.select_one("script:not([type])"), page.select_one("style")
    assert policy is not None and script is not None and style is not None
    allowed = {
        name: f"'sha256-{b64encode(hashlib.sha256(str(tag.string).encode()).digest()).decode()}'"
        for name, tag in (("script-src", script), ("style-src", style))
    }
    expected = "; ".join(f"{name} {source}" for name, source in allowed.items())
    assert policy["content"] == f"default-src 'none'; img-src data:; {expected}"
    assert not re.search(r"https?://", page_file.read_text())


def test_the_same_data_give_the_same_bytes(tiny: Walkthrough, page_file: Path, tmp_path: Path) -> None:
    write_page(tiny, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page_file.read_bytes()


def test_the_command_writes_it_from_the_data(tiny_file: Path, page_file: Path, tmp_path: Path) -> None:
    results = tmp_path / "results" / "quick"
    results.mkdir(parents=True)
    shutil.copy(tiny_file, results / FILE)
    assert main(["walkthrough", "quick", "--results", str(results.parent), "--page", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == page_file.read_bytes()


def test_the_committed_page_is_made_of_the_committed_data(tmp_path: Path) -> None:
    committed = repository() / "docs" / "what-is-alike.html"
    if not committed.is_file():
        pytest.skip("no page is committed: `pfs walkthrough quick --page` makes it")
    write_page(load_walkthrough(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == committed.read_bytes()
    assert committed.stat().st_size < 2e6


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


@pytest.fixture
def page(browser: "Browser", page_file: Path) -> Iterator["Page"]:
    """The page on a screen of 390 pixels that can be touched; nothing went wrong, and nothing was asked of a server."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    told: list[str] = []
    with context.new_page() as opened:
        opened.on("console", lambda message: told.append(message.text))
        opened.on("pageerror", lambda error: told.append(str(error)))
        opened.on("request", lambda request: told.append(request.url) if request.url.startswith("http") else None)
        opened.goto(page_file.as_uri())
        yield opened
        assert told == []
    context.close()


def wait_for(page: "Page", condition: str) -> None:
    """Ask again and again; Playwright's own way evaluates a string in the page, which its policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{condition} has not come true")


def point(page: "Page", row: int, column: int) -> None:
    """Click the pixel of the image's 32 x 32."""
    canvas = page.locator("#image canvas")
    box = canvas.bounding_box()
    assert box is not None
    position: Any = {"x": (column + 0.5) / 32 * box["width"], "y": (row + 0.5) / 32 * box["height"]}
    canvas.click(position=position)
    wait_for(page, f"models.image.get('row') === {row} && models.image.get('column') === {column}")


def value(page: "Page", name: str) -> float:
    return float(page.locator(f"#{name}").get_attribute("data-value") or "nan")


def same_numbers(page: "Page", explorer: Explorer) -> bool:
    """Whether the page's losses, of map and image, are those of `pfs.losses`."""
    shown = [value(page, f"{what}-{name}") for what in ("row", "loss") for name in ("ce", "pfs")]
    expected = [losses[name] for losses in (explorer.row_losses, explorer.losses) for name in ("ce", "pfs")]
    return bool(np.allclose(shown, expected, rtol=1e-4, atol=1e-7))


def test_its_numbers_are_those_of_python(page: "Page", tiny: Walkthrough) -> None:
    explorer = Explorer(tiny)
    assert same_numbers(page, explorer)
    for image, step, center, place in ((1, "end", True, (9, 31)), (1, 40, True, (0, 0)), (0, 0, False, (20, 5))):
        page.locator(f"input[name=image][value='{image}']").check(force=True)
        page.locator(f"input[name=step][value='{step}']").check()
        page.get_by_label("subtract their mean first").set_checked(center)
        explorer.image.value, explorer.snapshot.value, explorer.center.value = image, step, center
        point(page, *place)
        explorer.pointer.point(*place)
        assert same_numbers(page, explorer), (image, step, center, place)
        pairs = page.locator("#pair-ce").inner_text().replace("\N{NO-BREAK SPACE}", "&nbsp;")
        assert pairs in explorer.terms.value


def test_pointing_changes_every_picture(page: "Page") -> None:
    pictures = "[...document.querySelectorAll('canvas')].map(canvas => canvas.toDataURL())"
    wait_for(page, "models['map-ce'].get('image')")
    before = page.evaluate(pictures)
    point(page, 3, 27)
    page.wait_for_timeout(100)
    after = page.evaluate(pictures)
    assert len(before) == 6 and not set(before) & set(after)


def test_the_colours_are_those_of_python(page: "Page", tiny: Walkthrough) -> None:
    explorer = Explorer(tiny)
    for network in ("teacher", "ce", "pfs"):
        shown = page.evaluate(f"[...models['map-{network}'].get('image').data]")
        rgb = np.array(shown).reshape(8, 8, 4)[..., :3]
        assert abs(rgb - np.asarray(Image.open(BytesIO(explorer.maps[network].image)), int)).max() <= 2


def test_arrow_keys_move_by_a_location(page: "Page") -> None:
    point(page, 9, 9)
    page.locator("#image canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    wait_for(page, "models.image.get('row') === 13 && models.image.get('column') === 13")
    page.keyboard.press("PageUp")
    wait_for(page, "models.image.get('row') === 0")


def test_a_finger_moves_the_pointer_and_not_the_page(page: "Page") -> None:
    box = page.locator("#image canvas").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 8, box["y"] + box["height"] / 8)
    wait_for(page, "models.image.get('row') === 4 && models.image.get('column') === 4")
    assert page.evaluate("getComputedStyle(document.querySelector('#image canvas')).touchAction") == "none"


def test_a_mouse_that_leaves_takes_its_trial_back(page: "Page") -> None:
    point(page, 9, 9)
    box = page.locator("#image canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)
    wait_for(page, "models.image.get('row') === 0")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 20)
    wait_for(page, "models.image.get('row') === 9 && models.image.get('column') === 9")


def test_what_is_shown_is_said(page: "Page", tiny: Walkthrough) -> None:
    point(page, 5, 6)
    label = page.locator("#image canvas").get_attribute("aria-label") or ""
    image = clearest_place(tiny)[0]
    here = f"Image {image + 1}, row 5, column 6: {class_of(tiny.labels[image, 5, 6], tiny.classes)}"
    assert f"{here}. The loss of this map" in label and page.locator("#place").inner_text() == here
    assert "Row 1, column 1: " in (page.locator("#map-teacher canvas").get_attribute("aria-label") or "")
    wait_for(page, "document.querySelector('#image p').textContent.includes('row 5, column 6')")
    assert all(page.evaluate("[...document.querySelectorAll('input')].map(input => input.labels.length)"))


def test_it_fits_a_phone(page: "Page") -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    bottom = page.evaluate("document.querySelector('#difference-pfs').getBoundingClientRect().bottom")
    assert bottom <= 844  # the image and all maps are seen at once


def test_the_dark_page_is_dark(browser: "Browser", page_file: Path) -> None:
    with browser.new_page(color_scheme="dark") as opened:
        opened.goto(page_file.as_uri())
        assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)"

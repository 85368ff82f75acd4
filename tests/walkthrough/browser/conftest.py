"""One Chromium, one JupyterLab and one Voila for all tests in a browser, and each page of Voila opened once.

A page starts a kernel, which takes more seconds than all that is then done on it: so tests share the pages, and each
leaves the switches as it found them or sets those that it needs. The tests of this folder run in one process (see
tests/conftest.py), and all ends with the last of them: an open Playwright keeps an event loop running in its thread.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walkthrough.browser.servers import LAB, VOILA, make_clone, serve, set_parameters

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium")
PATIENCE = 200_000  # milliseconds that one wait may take: on cores that others use too, a kernel may take a minute
HERE = Path(__file__).parent
# Of walkthrough 4: far too many steps to wait for, on few images. The stop button must be heard while it trains.
ENDLESS = {"steps": 10_000, "scenes_to_learn_from": 16, "scenes_to_score": 5, "batch_size": 4}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test of this folder may wait for a kernel or two."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="package")
def clone(tmp_path_factory: pytest.TempPathFactory, walkthrough_folder: Path) -> Path:
    """A clone whose walkthrough is a tiny one of random networks, and whose student of walkthrough 4 has much to do."""
    clone = make_clone(tmp_path_factory.mktemp("clone"), walkthrough_folder)
    set_parameters(clone / "notebooks" / "walkthrough" / "4_first_student.ipynb", ENDLESS)
    return clone


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """Chromium without a window; the tests that ask for it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH: .ci/run installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="package")
def desk(browser: "Browser") -> Iterator["BrowserContext"]:
    """Pages as wide as a desk's screen."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture(scope="package")
def lab(clone: Path, browser: "Browser") -> Iterator[str]:
    """The address of JupyterLab, started as `make lab` starts it."""
    with serve(clone, LAB) as address:
        yield address


@pytest.fixture(scope="package")
def voila(clone: Path, browser: "Browser") -> Iterator[str]:
    """The address of Voila, started as `make demo` starts it."""
    with serve(clone, VOILA) as address:
        yield address


@pytest.fixture(scope="package")
def opened(desk: "BrowserContext", voila: str) -> Callable[[str], "Page"]:
    """Opens the page of a walkthrough in Voila, by the notebook's name, or returns it from the test before."""

    @cache
    def page_of(name: str) -> "Page":
        page = desk.new_page()
        page.goto(f"{voila}/voila/render/{name}.ipynb", wait_until="commit")
        page.wait_for_selector(".jupyter-widgets button, .jupyter-widgets canvas", state="attached")
        return page

    return page_of


@pytest.fixture
def page(opened: Callable[[str], "Page"], request: pytest.FixtureRequest) -> Iterator["Page"]:
    """The page that a file's `NOTEBOOK` names, as wide as a desk's screen; a test may make it narrower."""
    page = opened(request.module.NOTEBOOK)
    page.bring_to_front()
    yield page
    page.set_viewport_size({"width": 1280, "height": 900})

"""A browser, and the two servers that it is pointed at: each is started once for the tests of a file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walkthrough.browser.servers import LAB, VOILA, make_clone, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, walkthrough_folder: Path) -> Path:
    """A clone whose walkthrough is a tiny one of random networks."""
    return make_clone(tmp_path_factory.mktemp("clone"), walkthrough_folder)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium without a window; the tests that ask for it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH: .ci/run installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def desk(browser: "Browser") -> Iterator["BrowserContext"]:
    """Pages as wide as a desk's screen."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture(scope="module")
def phone(browser: "Browser") -> Iterator["BrowserContext"]:
    """Pages as wide as a phone, with fingers."""
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True) as context:
        yield context


@pytest.fixture(scope="module")
def lab(clone: Path, browser: "Browser") -> Iterator[str]:
    """The address of JupyterLab, started as `make lab` starts it."""
    with serve(clone, LAB) as address:
        yield address


@pytest.fixture(scope="module")
def voila(clone: Path, browser: "Browser") -> Iterator[str]:
    """The address of Voila, started as `make demo` starts it."""
    with serve(clone, VOILA) as address:
        yield address

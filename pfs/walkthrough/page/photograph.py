"""A picture of the page as a browser shows it, for README.md."""

import shutil
from pathlib import Path

from pfs.config.base import StudyError
from pfs.config.files import atomic_write

WIDTH, HEIGHT = 1100, 815  # pixels of the window


def photograph(page: Path, file: Path) -> None:
    """Open the page in Chromium, point at the middle of the image, and write what is seen as a PNG file.

    Args:
        page: that `write_page` wrote.
        file: where the picture goes.

    Raises:
        StudyError: playwright or Chromium is not installed.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        raise StudyError(f"{file}: a picture of the page takes playwright and Chromium, which are not installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        window = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        window.goto(page.resolve().as_uri())
        canvas = window.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        canvas.click()
        canvas.evaluate("element => element.blur()")
        atomic_write(file, window.screenshot())
        browser.close()

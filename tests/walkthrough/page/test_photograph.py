"""The picture of the page for README.md: what a browser shows, with the pointer on an image."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.page import write_page
from pfs.walkthrough.page.photograph import HEIGHT, WIDTH, photograph


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium on this machine")
def test_the_picture_shows_the_page(tiny: Walkthrough, tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api")
    write_page(tiny, tmp_path / "page.html")
    photograph(tmp_path / "page.html", tmp_path / "page.png")
    picture = Image.open(tmp_path / "page.png")
    assert picture.size == (WIDTH, HEIGHT)
    assert len(picture.convert("RGB").getcolors(WIDTH * HEIGHT) or []) > 100  # text, an image, maps


def test_without_a_browser_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StudyError, match=r"page\.png: .* takes playwright and Chromium"):
        photograph(tmp_path / "page.html", tmp_path / "page.png")


def test_a_picture_without_the_page_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["walkthrough", "quick", "--picture", "page.png"]) == 1
    assert "give --page too" in capsys.readouterr().err

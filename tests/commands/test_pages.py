"""The commands that make pages, as they are typed."""

import shutil
import webbrowser
from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.config.files import repository

STUDY = "digits_stage3"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results with those of one committed study."""
    shutil.copytree(repository() / "results" / STUDY, tmp_path / "results" / STUDY)
    return tmp_path / "results"


def test_look_prints_its_page_and_opens_it_unless_told_not_to(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert main(["look", "--results", str(results), "--no-browser"]) == 0
    index = results / "look" / "index.html"
    assert capsys.readouterr().out.splitlines()[-1] == str(index)
    assert STUDY in index.read_text(encoding="utf-8") and opened == []
    assert main(["look", "--results", str(results)]) == 0
    assert opened == [index.as_uri()]


def test_without_records_there_is_nothing_to_collect(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", STUDY, "--results", str(results)]) == 1
    assert "no records yet; run the study first" in capsys.readouterr().err

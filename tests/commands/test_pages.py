"""The commands that make pages, as they are typed."""

import shutil
import webbrowser
from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.commands import pages
from pfs.config.files import repository
from pfs.report import page

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
    assert opened == [index.as_uri()]  # `append` gives None, as if no browser had started
    assert capsys.readouterr().err == "no browser could be started: open this file in a browser\n"


def test_a_study_without_results_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("figures", "report"):
        assert main([command, "voc2012", "--results", str(tmp_path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"{tmp_path}/voc2012/runs.csv: no such table; `make study STUDY=voc2012` makes it"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["runs.csv", "examples.npz"])
def test_what_is_damaged_is_told_and_tables_and_figures_stay(
    file: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (results / STUDY / file).read_bytes()
    (results / STUDY / file).write_bytes(content[: len(content) * 2 // 3])
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert main(["figures", STUDY, "--results", str(results)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{results}/{STUDY}/{file}: ") and "restore it: git checkout -- " in line
    assert before == {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


def test_figures_and_the_report_say_what_was_written(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "draw_pages", lambda *_, **__: None)
    assert main(["figures", STUDY, "--results", str(results)]) == 0
    assert capsys.readouterr().out.split() == [f"{results}/{STUDY}/tables", f"{results}/{STUDY}/figures"]
    monkeypatch.setattr(page, "write_report", lambda *_, **__: results / STUDY / "report.html")
    assert main(["report", STUDY, "--results", str(results)]) == 0
    assert capsys.readouterr().out == f"{results}/{STUDY}/report.html\n"


def test_without_a_name_every_study_that_has_results_is_drawn(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[tuple[str, str]] = []
    monkeypatch.setattr(pages, "draw_pages", lambda study, *, results: drawn.append((study, results)))
    assert main(["figures", "--results", str(results)]) == 0
    assert drawn == [(f"studies/{STUDY}.yaml", str(results))]
    assert capsys.readouterr().out.split() == [f"{results}/{STUDY}/tables", f"{results}/{STUDY}/figures"]


def test_without_records_there_is_nothing_to_collect(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", STUDY, "--results", str(results)]) == 1
    assert "no records yet; run the study first" in capsys.readouterr().err

"""The command line imports the chosen command alone, and tells in one line what stops it."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

import pfs.commands
from pfs.__main__ import COMMANDS, main
from pfs.commands import data
from pfs.commands.arguments import Parser


def test_each_command_is_looked_for_in_the_module_that_adds_it() -> None:
    for module, names in COMMANDS.items():
        commands = Parser().add_subparsers()
        import_module(f"pfs.commands.{module}").add_commands(commands)
        assert tuple(commands.choices) == names


def test_no_module_of_commands_is_left_out() -> None:
    files = Path(pfs.commands.__path__[0]).glob("*.py")
    assert {file.stem for file in files if "def add_commands(" in file.read_text()} == set(COMMANDS)


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise error

    fail.__doc__ = "fails"
    monkeypatch.setattr(data, "_data", fail)


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(KeyboardInterrupt(), monkeypatch)
    assert main(["data", "camvid"]) == 130
    assert capsys.readouterr().err == "stopped by SIGINT: what was finished stays\n"


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pfs.commands.data", None)
    with pytest.raises(ModuleNotFoundError):  # a fault of ours, which a traceback shows
        main(["data", "camvid"])
    monkeypatch.undo()
    fail_with(ModuleNotFoundError("No module named 'x'", name="x.y"), monkeypatch)
    assert main(["data", "camvid"]) == 1
    assert capsys.readouterr().err.startswith("the package x.y is not installed, which this command needs: .venv/bin/")


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "", "x.png", "--out", "out"],
        ["predict", "model", "", "--out", "out"],
        ["predict", "model", "x.png", "--out", ""],
        ["export", "quick", "ce", "0", "--out", ""],
        ["export", "quick", "ce", "0", "--results", ""],
        ["status", "--data", ""],
        ["data", "camvid", "--data", ""],
        ["data", "folder", "--from", ""],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.splitlines()[-1].endswith(": is empty: name a file or a folder")

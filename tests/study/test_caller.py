"""A command takes the caller's paths, and tells in one line what the caller's system refuses."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from pfs.__main__ import main
from pfs.commands import study as commands
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.study import caller
from pfs.study.caller import Stopped, from_clone, prepare_temporary_folder, stopped_by_signals, study_file
from pfs.study.execution import execute
from pfs.study.execution.execute import failures
from pfs.study.places import runs_of

SCHEDULE = {"steps": 2, "batch_size": 2, "learning_rate": 1.0e-3, "network": {"name": "dilated_resnet", "width": 1}}
STUDY = {
    "name": "tiny",
    "data": {"name": "digit_scenes"},
    "teacher": SCHEDULE,
    "student": SCHEDULE,
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    return path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What studies are brought up to date with, in place of doing it; each of them fails."""
    calls: list[dict[str, str]] = []

    def fail(_: object, path: str, **options: str) -> bool:
        calls.append({"path": path, **options})
        return False

    monkeypatch.setattr(commands, "bring_up_to_date", fail)
    monkeypatch.setattr(commands, "failures", lambda *_: ["no reason"])
    return calls


# --- paths ------------------------------------------------------------------------------------------------------


def test_a_study_s_file_is_taken_from_the_caller_s_folder_then_from_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository() / "studies")
    assert study_file("./digits.yaml") == "studies/digits.yaml"
    assert study_file("digits") == "studies/digits.yaml"
    assert study_file("studies/digits.yaml") == "studies/digits.yaml"  # as it is called from the clone's root
    assert study_file("../studies/digits.yaml") == "studies/digits.yaml"
    assert study_file("none.yaml") == "none.yaml"


def test_a_folder_in_the_clone_is_named_from_its_root_and_another_absolutely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository() / "pfs" / "data")
    assert from_clone(Path("x")) == "pfs/data/x"
    assert from_clone(Path("../../results")) == "results"
    assert from_clone(tmp_path) == str(tmp_path)


def test_given_folders_are_the_caller_s_and_those_that_are_not_given_the_clone_s(
    file: Path, begun: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository() / "pfs")
    main(["study", str(file)])
    monkeypatch.chdir(repository() / "pfs")
    main(["study", str(file), "--results", "results", "--data", "../data"])
    assert [(call["results"], call["data"]) for call in begun] == [("results", "data"), ("pfs/results", "data")]


def test_the_advice_after_a_failure_repeats_what_was_typed(
    file: Path, begun: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = os.path.relpath(file, repository() / "pfs")
    monkeypatch.chdir(repository() / "pfs")
    assert main(["study", typed, "--results", "my results"]) == 1
    told = capsys.readouterr().err
    assert f"`pfs collect {typed} --results 'my results'` and `pfs figures {typed} --results 'my results'`" in told
    assert begun


def test_devices_share_the_threads_of_a_run_and_each_has_one_at_least(
    file: Path, begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)  # no GPU, on which processes need no threads
    for options in ([], ["--devices", "2"], ["--devices", "2", "--threads", "4"], ["--devices", "2", "--threads", "1"]):
        main(["study", str(file), *options])
    assert [(call["devices"], call["threads"]) for call in begun] == [(1, None), (2, 2), (2, 4), (2, 2)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--devices", "2", "--hosts", "3"], "--hosts 3: 2 devices cannot be spread equally over them"),
        (["--hosts", "2"], "--hosts 2: 1 devices cannot be spread equally over them"),
        (["--devices", "2", "--hosts", "2"], "--hosts 2: this machine is one: --profile slurm has others"),
    ],
)
def test_hosts_that_cannot_share_a_run_are_refused(
    options: list[str], told: str, file: Path, begun: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", str(file), *options]) == 1
    assert told in capsys.readouterr().err
    assert not begun


# --- results ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["5", "1e3", "True", "a: b", "#x", "a b", "'q'", '"', "ä", "[x]"])
def test_snakemake_gets_the_name_of_results_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from snakemake.cli import parse_config

    given: list[dict[str, Any]] = []

    def parsed(arguments: list[str]) -> None:
        given.append(parse_config(arguments[arguments.index("--config") + 1 :]))

    monkeypatch.setattr("snakemake.cli.main", parsed)
    execute._snakemake([], ["--config", *execute._as_yaml({"study": "x.yaml", "results": name})])
    assert given == [{"study": "x.yaml", "results": name}]


@pytest.mark.parametrize("command", ["study", "collect", "figures", "report"])
def test_results_that_cannot_be_a_folder_of_snakemake_s_are_refused(
    file: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(file), "--results", str(file)]) == 1
    assert main([command, str(file), "--results", str(file.parent / "a{b}")]) == 1
    a_file, braces = capsys.readouterr().err.splitlines()
    assert a_file == f"--results '{file}': is a file, not a folder: name a folder"
    assert "braces are wildcards to Snakemake: name a folder without them" in braces


def test_what_the_system_refuses_is_told_in_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/mnt/results/tiny")

    monkeypatch.setattr(commands, "bring_up_to_date", refuse)
    assert main(["study", str(file)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("/mnt/results/tiny: Read-only file system; name folders that can be read and written")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EACCES, "name folders that can be read and written, with --results, --data or TMPDIR"),
        (errno.ENOSPC, "free some space there, or name folders on another disk with --results, --data or TMPDIR"),
        (errno.EEXIST, "a file stands where a folder must be: move it away"),
        (errno.ENOTDIR, "a file stands where a folder must be: move it away"),
    ],
)
def test_the_advice_fits_what_the_system_refused(number: int, mend: str) -> None:
    assert caller.told(OSError(number, os.strerror(number), "/a")) == f"/a: {os.strerror(number)}; {mend}"


def test_the_advice_names_the_options_of_the_command() -> None:
    full = OSError(errno.EFBIG, os.strerror(errno.EFBIG), "/a")
    assert caller.told(full, ["--out"]).endswith("name folders on another disk with --out or TMPDIR")
    assert caller.told(full, []).endswith("name folders on another disk with TMPDIR")


def test_signals_that_the_caller_has_set_aside_stay_so() -> None:
    """As nohup does with SIGHUP, so that a command goes on when its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(Stopped):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_results_inside_a_file_are_told_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(file), "--results", str(file / "inside")]) == 1
    assert capsys.readouterr().err.startswith(f"{file}/inside")


@pytest.mark.parametrize("finished", [True, False])
def test_finished_results_that_may_only_be_read_are_up_to_date_and_others_cannot_go_on(
    file: Path, finished: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = file.parent / "results" / "tiny"
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    before = sorted(folder.parent.rglob("*"))
    study = load_study(file)
    monkeypatch.setattr(execute, "finished_runs", lambda *_: set(runs_of(study)) if finished else set())
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["study", str(file), "--results", str(folder.parent)]) == (0 if finished else 1)
    said = capsys.readouterr()
    assert ("tiny is up to date" in said.out) == finished
    assert ("cannot be written, and the study is not finished: name another" in said.err) == (not finished)
    assert sorted(folder.parent.rglob("*")) == before


STARTED = "Using workflow specific profile profiles/default for setting default command line arguments.\n"
BROKEN_FILE = 'TypeError in file "Snakefile", line 29:\nexpected a string, größer\n  File "Snakefile"\n'
FAILED_COMMAND = """  File "x.py", line 3
exceptions.Missing: parameter 'x'
RuleException:
CalledProcessError in file "Snakefile", line 83:
[Mon Jan 1]
Error in rule student:
    message: None
Exiting because a job execution failed. Look above for error messages
Complete log(s): x.log
WorkflowError:
At least one job did not complete successfully.
"""


@pytest.mark.parametrize(
    ("log", "reasons"),
    [
        (BROKEN_FILE, ['TypeError in file "Snakefile", line 29:', "expected a string, größer"]),
        (FAILED_COMMAND, ["exceptions.Missing: parameter 'x'"]),
        (
            FAILED_COMMAND + STARTED + BROKEN_FILE,
            ['TypeError in file "Snakefile", line 29:', "expected a string, größer"],
        ),
    ],
)
def test_a_failure_that_no_run_has_told_is_told_from_the_log(
    file: Path, tmp_path: Path, log: str, reasons: list[str]
) -> None:
    (tmp_path / "snakemake.log").write_text(STARTED + log, encoding="utf-8")
    *told, summary = failures(load_study(file), tmp_path)
    assert told == [f"Snakemake: {reason}" for reason in reasons]
    assert summary.startswith("tiny: 0 runs failed, 2 did not finish; log: ")


def test_a_clone_with_braces_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "a{b}"
    clone.mkdir()
    (clone / "Snakefile").touch()
    monkeypatch.chdir(clone)
    assert main(["study", "digits"]) == 1
    told = f"{clone}: braces are parameters to Papermill: move the clone to a folder without them\n"
    assert capsys.readouterr().err == told


# --- the system -------------------------------------------------------------------------------------------------


def test_a_temporary_folder_too_long_for_sockets_is_replaced_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / ("a" * 90)
    long.mkdir()
    for folder, used in ((long, "/tmp"), (Path("/tmp"), "/tmp")):
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)
        prepare_temporary_folder()
        assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (used, used)
    assert capsys.readouterr().err.count("too long for sockets: /tmp is used") == 1


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_terminal_without_the_character_gets_its_number(tmp_path: Path) -> None:
    file = tmp_path / "größer.yaml"
    file.write_text(f"# größer\n{yaml.safe_dump(STUDY)}", encoding="utf-8")
    command = [sys.executable, "-m", "pfs", "collect", str(file)]
    result = subprocess.run(command, cwd=repository(), env={**os.environ, **C_LOCALE}, capture_output=True, timeout=100)
    told = result.stderr.decode("ascii").splitlines()
    assert len(told) == 1, told
    assert told[0].endswith("is not the file's own name; write name: gr\\udcc3\\udcb6\\udcc3\\udc9fer")


def test_outside_of_a_clone_every_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", "digits", "--results", "x"]) == 1
    assert "is not inside a clone of this repository" in capsys.readouterr().err
    with pytest.raises(StudyError):
        from_clone(Path("x"))


def test_more_threads_than_a_machine_can_serve_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "quick", "ce", "0", "--threads", "9999"])
    assert "9999 threads are more than the" in capsys.readouterr().err

"""What `pfs status` and `pfs studies` tell, in a clone and where runs have been made; and of a mistyped command."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.commands import status
from pfs.commands.standing import Standing, made, standings
from pfs.commands.status import cost, table_of
from pfs.config.checksums import LIST, write_checksums
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.tables.changes import MEASURED
from pfs.report.tables.collect import collect
from pfs.study.code.hashes import Code, run_code
from pfs.study.places import STATE_FOLDER, run_folder, runs_of, study_folder
from pfs.study.records import Record, write_record
from pfs.study.staleness import run_settings
from tests.report import runs_table
from tests.study.test_records import make_record, write_run

STUDY = """# A small one.
name: small
data: {name: digit_scenes}
teacher: {network: {name: dilated_resnet, width: 4}, steps: 1000, batch_size: 10, learning_rate: 1.0e-3}
student: {network: {name: dilated_resnet, width: 2}, steps: 500, batch_size: 10, learning_rate: 1.0e-3}
methods: {ce: {}, kd: {kd: {weight: 4.0}}}
reference: ce
seeds: [0, 1, 2]
"""


NBSP = "\N{NO-BREAK SPACE}"  # at which no line is broken


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "small.yaml").write_text(STUDY)
    return load_study(tmp_path / "small.yaml")


def record_of_today(study: Study, method: str, seed: int) -> Record:
    record = make_record(method, seed)
    code = run_code(study, method)
    teacher = "first" if method in ("teacher", "kd") else None
    origin = record.provenance.model_copy(update={"code": code, "code_hash": code.digest, "teacher_checksum": teacher})
    return record.model_copy(update={"settings": run_settings(study, method, seed), "provenance": origin, "files": {}})


def finish(study: Study, results: Path, method: str, seed: int, **provenance: object) -> Path:
    """Leave the files of a run that has finished, and return its folder."""
    record = record_of_today(study, method, seed)
    origin = record.provenance.model_copy(update=provenance)
    folder = run_folder(study, study_folder(study, str(results)), method, seed)
    write_record(record.model_copy(update={"provenance": origin}), folder)
    return folder


def stand(study: Study, results: Path) -> dict[tuple[str, int], Standing]:
    return standings(study, str(results), str(results / "no data"))


def changed(code: Code, part: str) -> Code:
    files: dict[str, str] = getattr(code, part)
    first = min(name for name in files if name.startswith("pfs/"))
    return code.model_copy(update={part: {**files, first: "another"}})


def test_runs_that_never_finished_are_missing(study: Study, tmp_path: Path) -> None:
    assert {standing.state for standing in stand(study, tmp_path).values()} == {"missing"}
    assert made(study, str(tmp_path)) == set()


def test_finished_runs_need_nothing(study: Study, tmp_path: Path) -> None:
    for run in runs_of(study):
        finish(study, tmp_path, *run)
    runs = stand(study, tmp_path)
    assert {standing.state for standing in runs.values()} == {"finished"}
    assert table_of(runs)[-1] == "To bring it up to date: nothing."


def test_a_run_of_other_training_code_is_stale_and_its_file_is_named(study: Study, tmp_path: Path) -> None:
    code = changed(run_code(study, "ce"), "training")
    finish(study, tmp_path, "ce", 0, code=code)
    file = next(name for name in code.training if code.training[name] == "another")
    assert stand(study, tmp_path)["ce", 0].state == "stale"
    assert stand(study, tmp_path)["ce", 0].reason == f"other training code ({file})"


@pytest.mark.parametrize(("has_state", "state"), [(True, "to score again"), (False, "stale")])
def test_a_run_of_other_scoring_code_is_scored_again_from_its_saved_state(
    study: Study, tmp_path: Path, has_state: bool, state: str
) -> None:
    """Without a saved state, as after a copy of the record alone, it must be trained."""
    folder = finish(study, tmp_path, "ce", 0, code=changed(run_code(study, "ce"), "scoring"))
    if has_state:
        (folder / STATE_FOLDER / "a-00000500").mkdir(parents=True)
    assert stand(study, tmp_path)["ce", 0].state == state
    assert "other scoring code (pfs/" in stand(study, tmp_path)["ce", 0].reason


def test_an_older_record_does_not_say_which_code_differs(study: Study, tmp_path: Path) -> None:
    finish(study, tmp_path, "ce", 0, code=None)
    assert "an older version; which parts of it, its record does not say" in stand(study, tmp_path)["ce", 0].reason


def test_other_settings_are_named_by_their_keys(study: Study, tmp_path: Path) -> None:
    finish(study, tmp_path, "ce", 0)
    (tmp_path / "small.yaml").write_text(STUDY.replace("steps: 500", "steps: 600"))
    other = load_study(tmp_path / "small.yaml")
    assert stand(other, tmp_path)["ce", 0].reason == "other settings (student.steps)"


def test_another_teacher_is_told(study: Study, tmp_path: Path) -> None:
    finish(study, tmp_path, "teacher", 0, teacher_checksum="second")
    finish(study, tmp_path, "kd", 1)
    assert stand(study, tmp_path)["kd", 1].reason == "other teacher"


def test_what_a_clone_has_in_its_table_alone_is_not_passed_off_as_finished(study: Study, tmp_path: Path) -> None:
    """The teacher is of today's code; the students' records say code `c`."""
    folder = study_folder(study, str(tmp_path))
    for run in runs_of(study):
        write_run(study, folder, *run)
    finish(study, tmp_path, "teacher", 0)
    collect(study, folder, set(runs_of(study)))
    for file in folder.rglob("record.json"):
        file.unlink()
    runs = stand(study, tmp_path)
    assert {standing.state for standing in runs.values()} == {"in runs.csv only"}
    assert runs["teacher", 0].reason == "today's code"
    assert runs["kd", 2].reason.startswith("older code")
    # 6 x 20 MACs x 10 images x steps
    assert runs["teacher", 0].tflop == pytest.approx(6 * 20 * 10 * 1000 / 1e12)
    assert runs["kd", 2].tflop == pytest.approx(6 * 20 * 10 * 500 / 1e12)
    assert runs["kd", 2].seconds == 2


def test_status_reads_and_writes_no_cache(study: Study, tmp_path: Path) -> None:
    """A cache may be many GiB."""
    record = record_of_today(study, "teacher", 0).model_copy(update={"files": {"outputs": "outputs"}})
    folder = run_folder(study, study_folder(study, str(tmp_path)), "teacher", 0)
    (folder / "outputs").mkdir(parents=True)
    (folder / "outputs" / "logits.raw").write_bytes(b"much")
    write_checksums(folder / "outputs" / LIST, [folder / "outputs" / "logits.raw"])
    write_record(record, folder)
    (folder / "outputs" / "logits.raw").unlink()
    before = sorted(tmp_path.rglob("*"))
    assert stand(study, tmp_path)["teacher", 0].state == "finished"
    assert sorted(tmp_path.rglob("*")) == before


def test_equal_runs_share_a_row_of_100_columns(study: Study) -> None:
    why = "other training code (pfs/losses/pfs.py, pfs/losses/wsp.py, pfs/training/loop.py)"
    runs = {(f"method_{m}", seed): Standing("stale", why) for m in range(12) for seed in (0, 1, 2, 5)}
    lines = table_of({("teacher", 0): Standing("finished"), **runs})
    assert max(map(len, lines)) <= 100
    assert len(lines) < 12
    text = "\n".join(lines)
    assert "0-2, 5" in text
    assert "  48 " in text


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        (
            [Standing("stale", "", 1.5e3, 60.0)] * 2,
            f"2 to train, 3,000 TFLOP of training, 2{NBSP}min one after another as before",
        ),
        ([Standing("missing", "", 2.0, None), Standing("missing", "", None, None)], "2 to train, ? TFLOP of training"),
        (
            [Standing("to score again"), Standing("missing", "", 2.0, None)],
            "1 to train, 2 TFLOP of training, 1 to score",
        ),
        ([Standing("to score again"), Standing("finished")], "1 to score"),
    ],
)
def test_the_cost_is_that_of_the_runs_that_must_be_made(runs: list[Standing], told: str) -> None:
    assert cost(runs) == told


def test_the_committed_studies_are_told_without_torch() -> None:
    """In one process, which the commands that are quick share: `studies`, `status` of the default study, `check`."""
    code = """
import sys
from pfs.__main__ import main
for arguments in (["studies"], ["status", "digits"], ["check"]):
    main(arguments)
    print("=====")
sys.exit("torch" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=repository(), check=True, timeout=60, stdout=subprocess.PIPE, text=True
    )
    studies, status, check, _ = (part.splitlines() for part in ended.stdout.split("=====\n"))
    assert len(studies) == 2 + len(list((repository() / "studies").glob("*.yaml")))  # one line each, and the head
    assert status[-1].startswith("To bring it up to date: ") and max(map(len, status)) <= 100
    results = repository() / "results"
    measured = [name for name in MEASURED if (results / "benchmark" / f"{name}.csv").is_file()]
    assert len(check) == len(list(results.glob("*/runs.csv"))) + len(measured)


def test_status_without_a_study_has_a_line_for_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["status", "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for file in (repository() / "studies").glob("*.yaml"):
        assert f"\n{file.stem} " in told
    assert "missing" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stduy", "digits"], "unknown command 'stduy'; did you mean study?"),
        (["status", "--reslts", "x"], "unknown option '--reslts'; did you mean --results?"),
        (["status", "digits", "again"], "unknown argument 'again'"),
    ],
)
def test_a_mistyped_command_names_what_was_meant(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert told in capsys.readouterr().err


def test_a_mistyped_study_names_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "digts"]) == 1
    assert "did you mean studies/digits.yaml?" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    name, number = capsys.readouterr().out.split()
    assert name == "pfs"
    assert f'version = "{number}"' in (repository() / "pyproject.toml").read_text()


def test_a_study_that_cannot_be_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "a.yaml").write_text("name: a\n")
    text = (repository() / "studies" / "digits.yaml").read_text()
    (tmp_path / "studies" / "digits.yaml").write_text(text)
    monkeypatch.setattr("pfs.commands.status.repository", lambda: tmp_path)
    assert main(["studies"]) == 0
    shown = capsys.readouterr()
    assert "\ndigits " in shown.out and "a.yaml: data is missing" in shown.err


@pytest.mark.parametrize("arguments", [["status", "digits"], ["status"], ["studies"]])
def test_a_damaged_table_of_runs_is_told_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It keeps no other study from being listed."""
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "runs.csv").write_text("method,seed\nce,0\n")
    assert main([*arguments, "--results", str(tmp_path)]) == (1 if "digits" in arguments else 0)
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"{tmp_path}/digits/runs.csv: line 1: lacks study, split, miou")
    assert ("\nquick " in told.out) == ("digits" not in arguments) and "\ndigits " not in told.out


def test_what_a_run_took_is_unknown_where_its_table_does_not_say(study: Study, tmp_path: Path) -> None:
    """Tables of older versions have no numbers of operations, and no times."""
    (tmp_path / "small").mkdir()
    table = runs_table.runs_of({"ce": {0: 40.0}}, "small").assign(macs=None, seconds=None)
    table.to_csv(tmp_path / "small" / "runs.csv", index=False)
    standing = stand(study, tmp_path)["ce", 0]
    assert (standing.state, standing.tflop, standing.seconds) == ("in runs.csv only", None, None)


def test_output_that_nobody_reads_is_no_error() -> None:
    command = f"{sys.executable} -m pfs studies | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=repository(), capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout.startswith("study ")


def test_a_clone_names_the_files_of_which_the_code_differs(study: Study, tmp_path: Path) -> None:
    """They stand in the file beside the table, so that the record is not needed."""
    folder = study_folder(study, str(tmp_path))
    write_run(study, folder, "ce", 0)
    finish(study, tmp_path, "ce", 0, code=changed(run_code(study, "ce"), "scoring"), code_hash="older")
    collect(study, folder, {("ce", 0)})
    (run_folder(study, folder, "ce", 0) / "record.json").unlink()
    assert stand(study, tmp_path)["ce", 0].reason.startswith("other scoring code (pfs/")


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A folder of results with the table of one committed study."""
    (tmp_path / "digits_grids").mkdir()
    shutil.copy(repository() / "results" / "digits_grids" / "runs.csv", tmp_path / "digits_grids")
    return tmp_path


def check(results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit status of `pfs check`, and its lines."""
    status = main(["check", "--results", str(results), "--data", str(results)])
    return status, capsys.readouterr().out.splitlines()


def test_check_says_in_a_line_what_has_changed_and_fails(committed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (line,) = check(committed, capsys)
    assert status == 1
    assert line.startswith("digits_grids: 5 of 5 runs: ") and line.endswith("the parameters of then are not recorded")


def test_check_succeeds_where_nothing_has_changed(
    committed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "changes", lambda study, results, data: [])
    assert check(committed, capsys) == (0, ["digits_grids: nothing has changed"])
    assert check(committed / "digits_grids", capsys) == (0, [])  # no results


def test_check_says_which_measurements_are_of_other_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the commit that a table names: here one that no clone has, and none."""
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark" / "kernels.csv").write_text("form,commit\nours,0123456789\nours,0123456789\n")
    (tmp_path / "benchmark" / "steps.csv").write_text("form\nours\n")
    failed, (kernels, steps) = check(tmp_path, capsys)
    assert failed == 1
    assert kernels.startswith("benchmark/kernels: git does not have commit 0123456 here")
    assert "benchmark/steps.csv: is damaged" in steps


def test_check_fails_where_it_cannot_tell(committed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged table, and results whose study is gone."""
    table = committed / "digits_grids" / "runs.csv"
    shutil.copytree(committed / "digits_grids", committed / "gone")
    table.write_text(table.read_text()[:-5])
    failed, (damaged, gone) = check(committed, capsys)
    assert failed == 1
    assert "runs.csv: is cut: line 11 has no end" in damaged
    assert gone.startswith("gone: ") and "studies/gone.yaml" in gone

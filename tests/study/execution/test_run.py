"""What makes a run stale, how its notebook runs, and that two processes never write it at once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest
from filelock import FileLock

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.config.checksums import LIST, write_checksums
from pfs.config.files import atomic_write
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.install.state import current_checksum, digit_scenes_folder
from pfs.study.code.hashes import code_of, run_code
from pfs.study.execution.kernels_end import GO_ON, tell_end
from pfs.study.execution.notebooks import NotebookError, NotebookStoppedError, check_parameters, run_notebook
from pfs.study.execution.run import draw_pages, execute_run
from pfs.study.execution.stopping import STOP_FILE
from pfs.study.places import run_folder, runs_of, study_folder, study_path
from pfs.study.records import Record, read_record, write_record
from pfs.study.staleness import finished_runs, run_settings, stale_runs
from tests.study.test_records import make_record

STUDY = """
name: toy
data: {name: digit_scenes}
teacher: {network: {name: dilated_resnet, width: 4}, steps: 2, learning_rate: 1.0e-3}
student: {network: {name: dilated_resnet, width: 2}, steps: 2, learning_rate: 1.0e-3}
methods: {ce: {}, kd: {kd: {weight: 4.0}}}
reference: ce
seeds: [0, 1]
"""
TEACHER_PARAMETERS = 'study = "toy"\nresults = "results"\ndata = "data"\nthreads = 1'
STUDENT_PARAMETERS = TEACHER_PARAMETERS + '\nmethod = "ce"\nseed = 0\nrate = 0.5'
CODE = "from pfs.training import train\n\nprint(train(1))"
TRAINING = "from pfs import losses\nfrom pfs.config import methods\n\n\ndef train(x):\n    return losses.loss(x)\n"
LOSSES = 'def loss(x):\n    """Squared."""\n    return x * x  # never negative\n'
MODULES = {"training": TRAINING, "losses": LOSSES, "figures": "COLOUR = 1\n", "config/methods": "WEIGHT = 1\n"}


def write_notebook(path: Path, parameters: str, *code: str, picture: str = "", prose: str = "# Toy") -> Path:
    cells = [
        nbformat.v4.new_markdown_cell(prose),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *[nbformat.v4.new_code_cell(source) for source in code],
        nbformat.v4.new_code_cell(picture, metadata={"tags": ["picture", "raises-exception"]}),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a toy study and a `pfs` of a few modules, in which the test then works."""
    (tmp_path / "Snakefile").touch()
    for name, text in MODULES.items():
        (tmp_path / "pfs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pfs" / f"{name}.py").write_text(text)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "toy.yaml").write_text(STUDY)
    write_notebook(tmp_path / "notebooks/study/train_teacher.ipynb", TEACHER_PARAMETERS, CODE)
    write_notebook(
        tmp_path / "notebooks/study/distil_student.ipynb",
        STUDENT_PARAMETERS,
        CODE,
        picture="from pfs import figures",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def student(clone: Path) -> Path:
    """The notebook of a student."""
    return clone / "notebooks" / "study" / "distil_student.ipynb"


@pytest.fixture
def study(clone: Path) -> Study:
    return load_study("studies/toy.yaml")


# --- what a run depends on ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("losses", '"""Losses."""\n\n\ndef loss(x):\n    """The square."""\n    return (x * x)\n'),
        ("figures", "COLOUR = 2\n"),
        ("config/methods", "WEIGHT = 2\n"),
    ],
    ids=["prose", "pictures", "bookkeeping"],
)
def test_the_code_hash_leaves_out(clone: Path, student: Path, file: str, text: str) -> None:
    before = code_of(student)
    (clone / "pfs" / f"{file}.py").write_text(text)
    assert code_of(student) == before


def test_the_code_hash_leaves_out_prose_parameters_and_pictures_of_the_notebook(student: Path) -> None:
    before = code_of(student)
    commented = CODE.replace("\n\n", "\n%time\n# now train\n")
    write_notebook(student, STUDENT_PARAMETERS + "\nmore = 1", commented, picture="1 + 1", prose="Other words")
    assert code_of(student) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [("training", TRAINING.replace("loss(x)", "loss(2 * x)")), ("losses", LOSSES.replace("x * x", "abs(x)"))],
    ids=["imported", "imported by an imported one"],
)
def test_the_code_hash_sees_the_modules(clone: Path, student: Path, file: str, text: str) -> None:
    before = code_of(student)
    (clone / "pfs" / f"{file}.py").write_text(text)
    assert code_of(student) != before


def test_the_code_hash_sees_the_cells(student: Path) -> None:
    before = code_of(student)
    write_notebook(student, STUDENT_PARAMETERS, CODE.replace("train(1)", "train(2)"))
    assert code_of(student) != before


def with_changes(study: Study, **changes: Any) -> Study:
    content = study.model_dump()
    for key, value in changes.items():
        content[key] = (content[key] or {}) | value if isinstance(value, dict) else value
    return Study.model_validate(content)


def test_other_methods_and_seeds_change_no_cell(study: Study) -> None:
    more = with_changes(study, methods={"pfs": {"pfs": {"weight": 4.0}}}, seeds=[2, 1, 0], reference="kd")
    for method, seed in runs_of(study):
        assert run_settings(more, method, seed) == run_settings(study, method, seed)


def test_a_cell_depends_on_its_own_part_of_the_study(study: Study) -> None:
    def changed(**changes: Any) -> set[str]:
        other = with_changes(study, **changes)
        runs = {"teacher": (None, None), "ce": ("ce", 0), "kd": ("kd", 0)}
        return {name for name, run in runs.items() if run_settings(study, *run) != run_settings(other, *run)}

    assert changed(data={"seed": 1}) == {"teacher", "ce", "kd"}
    assert changed(student={"steps": 3}) == {"ce", "kd"}
    assert changed(methods={"kd": {"kd": {"weight": 1.0}}}) == {"kd"}
    # A student without terms asks its teacher nothing.
    assert changed(teacher={"steps": 3}) == {"teacher", "kd"}
    assert changed(augmentation={"crop": [64, 64]}) == {"teacher", "ce", "kd"}
    assert changed(evaluation={"flip": True}) == {"teacher", "ce", "kd"}
    assert changed(cache_gib=1.0) == set()  # where the teacher's outputs come from changes no number


def test_settings_are_plain_json(study: Study) -> None:
    settings = run_settings(study, "kd", 1)
    assert json.loads(json.dumps(settings)) == settings
    assert run_settings(study, "kd", 0) != settings


@pytest.mark.parametrize("name", ["digits", "studies/digits.yaml"])
def test_a_study_is_named_by_its_file_or_its_bare_name(name: str) -> None:
    assert study_path(name) == "studies/digits.yaml"


# --- executing a notebook -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("metod", "kd", "unknown parameter metod; valid ones: study, .*method, seed"),
        ("seed", "0", "seed must be int, not '0'"),
        ("seed", True, "seed must be int, not True"),
        ("rate", "1e-4", "rate must be float, not '1e-4'"),
        ("method", 1, "method must be str, not 1"),
    ],
)
def test_a_wrong_parameter_is_refused(student: Path, name: str, value: str | int, words: str) -> None:
    with pytest.raises(NotebookError, match=f"distil_student.ipynb: {words}"):
        check_parameters(student, {name: value})


def test_a_whole_number_is_a_number(student: Path) -> None:
    check_parameters(student, {"rate": 1, "seed": 3})


def test_a_notebook_runs_in_the_clone_with_its_parameters_threads_and_stable_bytes(clone: Path) -> None:
    code = "import os\nprint(seed, os.environ['OMP_NUM_THREADS'], os.path.exists('Snakefile'))"
    notebook = write_notebook(clone / "toy.ipynb", "seed = 0\nthreads = 1", code)
    outputs = [clone / "out" / name for name in ("first.ipynb", "second.ipynb")]
    for output in outputs:
        run_notebook(notebook, output, {"seed": 5, "threads": 3})
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert "5 3 True" in outputs[0].read_text()
    assert os.environ.get("OMP_NUM_THREADS") != "3"
    nbformat.validate(nbformat.read(outputs[0], as_version=4))


def test_a_bar_leaves_nothing_in_the_notebook_that_a_study_executes(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom pfs.study.execution.progress.stage import StageBar\n"
        f"StageBar(Path({str(tmp_path)!r}), 'training', 4).show(4, 0.5)\nprint(6)"
    )
    output = tmp_path / "out.ipynb"
    run_notebook(write_notebook(tmp_path / "toy.ipynb", "seed = 0", code), output, {})
    (cell,) = [cell for cell in nbformat.read(output, as_version=4).cells if cell.source == code]
    assert [said.get("text") for said in cell.outputs] == ["6\n"]


def test_a_failed_notebook_is_kept_and_told_in_one_line(clone: Path) -> None:
    fails = "raise ValueError('NaN\\nin pfs')"
    notebook = write_notebook(clone / "toy.ipynb", "seed = 0", "print('so far')", fails)
    output = clone / "out" / "executed.ipynb"
    with pytest.raises(NotebookError) as caught:
        run_notebook(notebook, output, {"seed": 1})
    assert str(caught.value) == f"toy.ipynb: ValueError: NaN in pfs (executed notebook: {output})"
    assert "so far" in output.read_text()


@pytest.mark.parametrize(
    ("name", "advice"), [("SIGKILL", "memory"), ("SIGSEGV", "ONEDNN_MAX_CPU_ISA=AVX2"), ("SIGABRT", "fewer threads")]
)
def test_a_kernel_that_dies_of_a_signal_is_told_as_such(clone: Path, name: str, advice: str) -> None:
    dies = f"import os, signal\nos.kill(os.getpid(), signal.{name})\nimport time\ntime.sleep(60)"
    notebook = write_notebook(clone / "toy.ipynb", "seed = 0", dies)
    with pytest.raises(NotebookError, match=f"toy.ipynb: the kernel died of signal {name}; .*{advice}"):
        run_notebook(notebook, clone / "out.ipynb", {})


def test_a_kernel_that_ends_by_itself_is_told_with_its_status(clone: Path) -> None:
    notebook = write_notebook(clone / "toy.ipynb", "seed = 0", "import os\nos._exit(3)")
    with pytest.raises(NotebookError, match="the kernel died with status 3"):
        run_notebook(notebook, clone / "out.ipynb", {})


# --- runs ---------------------------------------------------------------------------------------------------

COUNTED = """
from pathlib import Path
import shutil

with Path("executions").open("a") as file:
    file.write("x")
"""
FINISHES = COUNTED + 'shutil.copytree("prepared", f"{results}/toy/runs/{method}/{seed}", dirs_exist_ok=True)'
ENDLESS = """
from pathlib import Path
import time

while True:
    Path("alive").touch()
    time.sleep(0.2)
"""


def prepare(clone: Path, method: str, seed: int, *, teacher: str | None = None) -> Record:
    """The record that the toy run then leaves: of the study, the code and the teacher of this moment."""
    study = load_study("studies/toy.yaml")
    record = make_record(method, seed)
    code = run_code(study, method)
    provenance = record.provenance.model_copy(update={"code": code, "teacher_checksum": teacher})
    settings = run_settings(study, method, seed)
    record = record.model_copy(update={"settings": settings, "provenance": provenance, "files": {}})
    write_record(record, clone / "prepared")
    return record


def run_student(method: str = "ce") -> Path:
    execute_run("studies/toy.yaml", method, 0, results="results", data="data", threads=1)
    return Path("results/toy/runs") / method / "0"


def executions(clone: Path) -> int:
    return len((clone / "executions").read_text()) if (clone / "executions").exists() else 0


def test_a_finished_cell_is_not_run_again(clone: Path, student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, FINISHES)
    prepare(clone, "ce", 0)
    folder = run_student()
    run_student()
    assert executions(clone) == 1
    assert (folder / "record.json").is_file()
    assert (folder / "executed.ipynb").is_file()


def test_a_cell_of_other_settings_is_run_again(clone: Path, student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, FINISHES)
    prepare(clone, "ce", 0)
    run_student()
    (clone / "studies" / "toy.yaml").write_text(STUDY.replace("width: 2", "width: 3"))
    run_student()
    assert executions(clone) == 2


def test_a_failed_cell_leaves_its_notebook_and_the_error(student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, "raise ValueError('NaN in the features')")
    with pytest.raises(NotebookError, match="NaN in the features"):
        run_student()
    folder = Path("results/toy/runs/ce/0")
    assert "NaN in the features" in (folder / "error.txt").read_text()
    assert "NaN in the features" in (folder / "executed.ipynb").read_text()


def test_a_cluster_tries_only_what_was_killed_again(clone: Path, student: Path) -> None:
    """What failed by itself would fail again; a kernel that was killed may have had too little memory."""
    write_notebook(student, STUDENT_PARAMETERS, FINISHES)
    prepare(clone, "ce", 0)
    folder = Path("results/toy/runs/ce/0")
    atomic_write(folder / "error.txt", "distil_student.ipynb: ValueError: NaN in the features\n")
    how = {"results": "results", "data": "data", "threads": 1}
    with pytest.raises(NotebookError, match=r"not tried again: .*NaN in the features"):
        execute_run("studies/toy.yaml", "ce", 0, **how, attempt=2)  # type: ignore[arg-type]
    assert executions(clone) == 0
    atomic_write(folder / "error.txt", f"distil_student.ipynb: {tell_end([-9])}\n")
    execute_run("studies/toy.yaml", "ce", 0, **how, attempt=2)  # type: ignore[arg-type]
    assert executions(clone) == 1
    (folder / "record.json").unlink()
    atomic_write(folder / "error.txt", f"DeviceError: the process of device 2 of 2 was ended by SIGKILL; {GO_ON}")
    execute_run("studies/toy.yaml", "ce", 0, **how, attempt=2)  # type: ignore[arg-type]
    assert executions(clone) == 2
    atomic_write(folder / "error.txt", "of an earlier start of the study")
    execute_run("studies/toy.yaml", "ce", 0, **how, attempt=1)  # type: ignore[arg-type]


def test_a_notebook_that_ends_without_a_record_has_failed(student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, "1 + 1")
    with pytest.raises(NotebookError, match=r"ended without writing .*record\.json"):
        run_student()


def test_a_picture_that_cannot_be_drawn_costs_no_run(clone: Path, student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, FINISHES, picture="raise ValueError('no such font')")
    record = prepare(clone, "ce", 0)
    folder = run_student()
    assert read_record(folder / "record.json") == record
    assert "no such font" in (folder / "executed.ipynb").read_text()
    assert not (folder / "error.txt").exists()


def test_a_run_that_was_asked_to_stop_has_not_failed(
    clone: Path, student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = "class RunStoppedError(RuntimeError): ...\nraise RunStoppedError('at 6')"
    write_notebook(student, STUDENT_PARAMETERS, stops)
    with pytest.raises(NotebookStoppedError, match="at 6"):
        run_student()
    assert not (clone / "results/toy/runs/ce/0/error.txt").exists()
    monkeypatch.setenv(STOP_FILE, str(student))  # a file that is there: asked before it has begun
    with pytest.raises(NotebookStoppedError, match="not started"):
        run_student()


@pytest.mark.parametrize("name", ["record.json", "checkpoint.pt", LIST, "outputs/logits.raw"])
@pytest.mark.parametrize("breaks", [lambda file: file.write_bytes(b"other"), lambda file: file.write_bytes(b"")])
def test_a_run_of_which_a_file_is_broken_is_stale_and_the_file_is_named(
    clone: Path, study: Study, name: str, breaks: Callable[[Path], None]
) -> None:
    folder = run_folder(study, study_folder(study, "results"), "ce", 0)
    (folder / "outputs").mkdir(parents=True)
    for file in ("checkpoint.pt", "outputs/logits.raw"):
        (folder / file).write_bytes(b"whole")
    write_checksums(folder / "outputs" / LIST, [folder / "outputs" / "logits.raw"])
    files = {"checkpoint": "checkpoint.pt", "outputs": "outputs"}
    write_record(prepare(clone, "ce", 0).model_copy(update={"files": files}), folder)
    assert ("ce", 0) not in stale_runs(study, study_folder(study, "results"))
    breaks(folder / name)
    assert str(folder / name) in stale_runs(study, study_folder(study, "results"))["ce", 0].reason


def test_an_edited_record_is_stale(clone: Path, study: Study) -> None:
    folder = run_folder(study, study_folder(study, "results"), "ce", 0)
    file = write_record(prepare(clone, "ce", 0), folder)
    file.write_text(file.read_text().replace("44.7", "94.7"))
    assert "record.json is not as it was written" in stale_runs(study, study_folder(study, "results"))["ce", 0].reason


def test_a_run_on_other_data_is_stale(clone: Path, study: Study) -> None:
    folder, data = study_folder(study, "results"), clone / "data"
    record = prepare(clone, "ce", 0)
    place = digit_scenes_folder(study.data, data)  # type: ignore[arg-type]  # the toy study's data are Digit Scenes
    atomic_write(place / "checksums.json", json.dumps({"sha256": {"train": "1", "val": "2", "test": "3"}}))
    provenance = record.provenance.model_copy(update={"data_checksum": current_checksum(study.data, data)})
    write_record(record.model_copy(update={"provenance": provenance}), run_folder(study, folder, "ce", 0))
    assert ("ce", 0) not in stale_runs(study, folder, data)
    atomic_write(place / "checksums.json", json.dumps({"sha256": {"train": "1", "val": "2", "test": "4"}}))
    assert "made with other data" in stale_runs(study, folder, data)["ce", 0].reason


def test_a_file_of_weights_is_part_of_what_a_run_depends_on(clone: Path, study: Study) -> None:
    network = {"name": "segmentation_model", "architecture": "fpn", "encoder": "resnet18", "weights": "weights.pt"}
    content = study.model_dump()
    content["student"]["network"] = network
    own = Study.model_validate(content)
    (clone / "weights.pt").write_bytes(b"first")
    before = {method: run_settings(own, method, 0) for method in ("teacher", "ce", "kd")}
    (clone / "weights.pt").write_bytes(b"other")
    changed = {method for method in before if run_settings(own, method, 0) != before[method]}
    assert changed == {"ce", "kd"}


def test_a_cell_that_waited_takes_what_the_other_process_finished(clone: Path, student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, FINISHES)
    record = prepare(clone, "ce", 0)
    folder = clone / "results/toy/runs/ce/0"
    folder.mkdir(parents=True)
    with ThreadPoolExecutor() as pool, FileLock(folder / ".lock"):
        waiting = pool.submit(run_student)
        time.sleep(0.5)
        assert not waiting.done()
        write_record(record, folder)
    waiting.result(timeout=30)
    assert executions(clone) == 0


def test_an_unknown_method_runs_nothing(clone: Path) -> None:
    with pytest.raises(StudyError, match="valid choices: ce, kd"):
        run_student("kdd")
    assert not (clone / "results").exists()


@pytest.mark.parametrize(("method", "choices"), [("ce", "0, 1"), ("teacher", "0")])
def test_an_unknown_seed_runs_nothing(clone: Path, method: str, choices: str) -> None:
    with pytest.raises(StudyError, match=f"{method} has no seed 9; valid choices: {choices}"):
        execute_run("studies/toy.yaml", method, 9, results="results", data="data", threads=1)
    assert not (clone / "results").exists()


def test_devices_that_cannot_share_a_batch_are_refused_before_a_kernel_starts(
    clone: Path, student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pfs.study.execution.run.run_notebook", lambda *_: pytest.fail("a kernel has been started"))
    places = {"results": "results", "data": "data", "threads": 3}
    with pytest.raises(StudyError, match=r"^studies/toy\.yaml: student: a batch_size of \d+ cannot be shared .* by 3"):
        execute_run("studies/toy.yaml", "ce", 0, **places, devices=3)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=r"^studies/toy\.yaml: teacher: a batch_size"):
        execute_run("studies/toy.yaml", "teacher", 0, **places, devices=3)  # type: ignore[arg-type]
    assert not (clone / "results").exists()


def test_a_cell_whose_files_are_gone_is_not_done(clone: Path, study: Study) -> None:
    record = prepare(clone, "ce", 0).model_copy(update={"files": {"checkpoint": "checkpoint.pt"}})
    folder = run_folder(study, study_folder(study, "results"), "ce", 0)
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"weights")
    write_record(record, folder)
    assert ("ce", 0) in finished_runs(study, study_folder(study, "results"))
    (folder / "checkpoint.pt").unlink()
    assert ("ce", 0) not in finished_runs(study, study_folder(study, "results"))


def test_a_new_teacher_makes_only_those_stale_that_learn_from_it(clone: Path, study: Study) -> None:
    folder = study_folder(study, "results")
    for method, seed in runs_of(study):
        checksum = None if method == "ce" else "first"
        write_record(prepare(clone, method, seed, teacher=checksum), run_folder(study, folder, method, seed))
    assert finished_runs(study, folder) == set(runs_of(study))
    write_record(prepare(clone, "teacher", 0, teacher="second"), run_folder(study, folder, "teacher", 0))
    assert finished_runs(study, folder) == {("teacher", 0), ("ce", 0), ("ce", 1)}


# --- the command line ---------------------------------------------------------------------------------------


def start_run(*arguments: str) -> subprocess.Popen[bytes]:
    # -P: the toy `pfs` of the test's clone is there to be hashed, not to be imported.
    return subprocess.Popen([sys.executable, "-P", "-m", "pfs", "run", "toy", "ce", "0", *arguments])


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_killed_cell_leaves_no_kernel_behind(clone: Path, student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, ENDLESS)
    process = start_run()
    alive = clone / "alive"
    wait_until(alive.exists)
    process.kill()
    process.wait()
    wait_until(lambda: time.time() - alive.stat().st_mtime > 2, seconds=10)


def test_a_cell_stops_when_the_process_that_started_it_has_ended(student: Path) -> None:
    write_notebook(student, STUDENT_PARAMETERS, ENDLESS)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert start_run("--parent", str(ended.pid)).wait(timeout=30) == 1


def test_a_mistake_is_one_line_and_a_status(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "toi"]) == 1
    assert capsys.readouterr().err == "studies/toi.yaml: no such study; did you mean studies/toy.yaml? " + (
        "valid choices: studies/toy.yaml\n"
    )


def test_collecting_nothing_is_a_mistake(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "toy"]) == 1
    assert "no records yet" in capsys.readouterr().err


def test_the_command_line_never_imports_torch() -> None:
    code = "import sys, pfs.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_tuning_study_has_no_pages(tmp_path: Path) -> None:
    file = tmp_path / "search.yaml"
    file.write_text(STUDY.replace("name: toy", "name: search\ntuning: true"))
    with pytest.raises(StudyError, match="a tuning study has no tables and pages"):
        draw_pages(str(file), results=str(tmp_path / "results"))

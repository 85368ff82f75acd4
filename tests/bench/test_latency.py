"""The benchmark of latency: what it measures, what it adds of the runs, and its figure; never how fast anything was."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfs.__main__ import main
from pfs.bench import latency
from pfs.bench.figures import pareto_figure
from pfs.bench.latency import STUDENT, latency_table, with_scores
from pfs.config.load import load_study
from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.config.study import Study
from pfs.models import build_network, count_macs
from pfs.report.statistics import read_runs
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import TEACHER, notebook_path
from pfs.study.records import commit

ROOT = Path(__file__).parents[2]
ENGINES = ["torch", "ONNX Runtime", "ONNX Runtime, int8"]


@pytest.fixture(scope="module")
def study() -> Study:
    quick = load_study(ROOT / "studies" / "quick.yaml")
    small = {
        "teacher": quick.teacher.model_copy(update={"network": DilatedResNetConfig(name="dilated_resnet", width=4)}),
        "student": quick.student.model_copy(update={"network": DilatedResNetConfig(name="dilated_resnet", width=2)}),
    }
    return quick.model_copy(update=small)


@pytest.fixture(scope="module")
def table(study: Study, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("latency")
    return latency_table(study, 11, (16, 24), folder, batches=[1, 2], repeats=2, threads=1, compiled=False)


def test_both_networks_are_measured_in_every_engine_with_every_batch(table: pd.DataFrame) -> None:
    keys = list(table[["batch", "network", "engine"]].itertuples(index=False, name=None))
    assert keys == [(b, role, engine) for b in (1, 2) for role in (TEACHER, STUDENT) for engine in ENGINES]
    assert (table["milliseconds"] > 0).all() and np.isfinite(table["speedup"]).all()


def test_the_teacher_is_as_fast_as_itself(table: pd.DataFrame) -> None:
    teacher = table[table["network"] == TEACHER]
    assert (teacher["speedup"] == 1).all() and (teacher["macs_ratio"] == 1).all()


def test_arithmetic_and_files_are_those_of_the_networks(table: pd.DataFrame, study: Study) -> None:
    student = table[table["network"] == STUDENT].set_index(["engine", "batch"])
    assert student["macs"].unique() == count_macs(build_network(study.student.network, 11), (16, 24))
    assert (student["kib"] > 1).all()


def test_arithmetic_is_of_the_size_that_a_network_is_shown() -> None:
    spec = SegmentationModelConfig(name="segmentation_model", architecture="fpn", encoder="resnet18")
    network = build_network(spec, 3, pretrained=False)
    assert latency._padded((180, 240), network) == (192, 256)
    assert latency._padded((180, 240), build_network(DilatedResNetConfig(name="dilated_resnet", width=2), 3)) == (
        180,
        240,
    )


def test_a_student_has_two_scores_alone_and_of_the_method_that_is_best_on_val(
    table: pd.DataFrame, study: Study
) -> None:
    runs = read_runs(ROOT / "results" / "quick")
    scored = with_scores(table, runs, study)
    val = runs[(runs["split"] == "val") & ~runs["method"].isin([TEACHER, "ce"])].groupby("method")["miou"].mean()
    assert list(scored["method"].unique()) == [TEACHER, "ce", val.idxmax()]
    alone = runs[(runs["split"] == "test") & (runs["method"] == "ce")]["miou"].mean()
    assert scored.loc[scored["method"] == "ce", "miou"].unique() == pytest.approx(alone)


def test_the_figure_has_a_panel_a_study_and_explains_its_marks(table: pd.DataFrame, study: Study) -> None:
    scored = with_scores(table, read_runs(ROOT / "results" / "quick"), study)
    figure = pareto_figure(pd.concat([scored, scored.assign(study="other")]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["quick", "other"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["teacher", "student, best method on val", "student alone", *ENGINES]


def test_the_notebook_writes_table_summary_and_figure(tmp_path: Path) -> None:
    tiny: dict[str, str | int] = {"studies": "quick", "sizes": "16x24", "batches": "1", "repeats": 1, "compiled": False}
    tiny["results"] = str(tmp_path)
    (tmp_path / "quick").mkdir()
    shutil.copy(ROOT / "results" / "quick" / "runs.csv", tmp_path / "quick")
    run_notebook(notebook_path("latency"), tmp_path / "benchmark" / "latency.ipynb", tiny)
    table = pd.read_csv(tmp_path / "benchmark" / "latency.csv")
    assert len(table) == 3 * len(ENGINES) and set(table["commit"]) == {commit({"pfs"})[0]}
    assert "| quick | student | ce | ONNX Runtime, int8 | 1 |" in (tmp_path / "benchmark" / "latency.md").read_text()
    figures = tmp_path / "benchmark" / "figures"
    assert sorted(path.name for path in figures.iterdir()) == ["latency.pdf", "latency.png"]


def test_the_command_runs_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("pfs.commands.cost.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["latency", "--results", str(tmp_path), "--threads", "2"]) == 0
    parameters = {"results": str(tmp_path), "threads": 2}
    assert called == [(notebook_path("latency"), tmp_path / "benchmark" / "latency.ipynb", parameters)]

"""What is told before a study begins, so that nothing has been trained in vain."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.config.files import atomic_write
from pfs.config.load import load_study
from pfs.config.networks import Network, SegmentationModelConfig
from pfs.models import build_network
from pfs.study.execution.execute import bring_up_to_date
from pfs.study.execution.run import DONE

SCHEDULE = {"steps": 2, "learning_rate": 1.0e-3}
STUDY = {
    "name": "tiny",
    "data": {"name": "digit_scenes"},
    "teacher": {"network": {"name": "dilated_resnet", "width": 2}, **SCHEDULE},
    "student": {
        "network": {"name": "segmentation_model", "architecture": "fpn", "encoder": "resnet18", "weights": "imagenet"},
        **SCHEDULE,
    },
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(spec: Network, classes: int) -> nn.Module:
        if isinstance(spec, SegmentationModelConfig):
            raise StudyError("resnet18: no network; connect to it once")
        return build_network(spec, classes)

    monkeypatch.setattr("pfs.study.trial.network_check.build_network", offline)


def test_weights_of_the_student_that_cannot_be_had_are_told_before_the_teacher_trains(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("pfs.study.execution.execute._snakemake", lambda *arguments: started.append(arguments))
    assert main(["study", str(file), "--results", str(tmp_path / "results")]) == 1
    assert "study tiny: student.network: resnet18: no network; connect to it once" in capfd.readouterr().err
    assert not started


def test_devices_that_cannot_share_a_batch_are_told_before_anything_else(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also before the network is asked for weights, and before the cluster is."""
    arguments = ["--results", str(tmp_path / "results"), "--devices", "3", "--profile", "slrum"]
    assert main(["study", str(file), *arguments]) == 1
    assert capsys.readouterr().err.startswith(f"{file}: teacher: a batch_size of 16 cannot be shared equally by 3")
    assert not (tmp_path / "results").exists()


def test_the_mark_of_a_run_that_ends_while_the_study_starts_stays(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of an earlier start wrote it: on its node Snakemake looks for the mark, and without it the job fails."""
    study, results = load_study(file), tmp_path / "results"
    old, ended = results / "tiny" / "teacher" / DONE, results / "tiny" / "runs" / "ce" / "0" / DONE
    atomic_write(old, "")
    monkeypatch.setattr("pfs.study.execution.execute.preflight", lambda *_: atomic_write(ended, ""))
    monkeypatch.setattr("pfs.study.execution.execute._snakemake", lambda *_: True)
    assert bring_up_to_date(study, str(file), results=str(results), data=str(tmp_path))
    assert ended.is_file() and not old.is_file()


def test_a_finished_study_asks_for_no_weights(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(file)
    monkeypatch.setattr("pfs.study.execution.execute.stale_runs", lambda *_: {})
    monkeypatch.setattr("pfs.study.execution.execute._snakemake", lambda *_: True)
    assert bring_up_to_date(study, str(file), results=str(tmp_path / "results"), data="data")

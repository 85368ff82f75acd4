"""What is told before a study begins, so that nothing has been trained in vain."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.config.load import load_study
from pfs.config.networks import Network, SegmentationModelConfig
from pfs.models import build_network
from pfs.study.execution.execute import bring_up_to_date

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


def test_a_finished_study_asks_for_no_weights(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(file)
    monkeypatch.setattr("pfs.study.execution.execute.stale_runs", lambda *_: {})
    monkeypatch.setattr("pfs.study.execution.execute._snakemake", lambda *_: True)
    assert bring_up_to_date(study, str(file), results=str(tmp_path / "results"), data="data")

"""How fast a machine computes a study's networks, from a few steps of each."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pfs.__main__ import main
from pfs.bench import pace
from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.networks import DilatedResNetConfig
from pfs.config.study import Training
from pfs.models import build_network, count_macs
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path
from pfs.study.records import commit


def network(width: int) -> DilatedResNetConfig:
    return DilatedResNetConfig(name="dilated_resnet", width=width)


SPEC = Training(network=network(2), steps=9, batch_size=3, learning_rate=1.0e-3)


def test_the_arithmetic_is_that_of_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    measured = pace.pace(SPEC, classes=5, size=(16, 24), threads=1)
    step = 6 * count_macs(build_network(SPEC.network, 5), (16, 24)) * SPEC.batch_size
    assert measured["flop"] == pace.STEPS * step
    assert measured["seconds"] > 0


def test_a_network_without_threads_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "build_network", None)  # would be a TypeError
    assert pace.pace(SPEC, classes=5, size=(16, 24), threads=0) == {"flop": 0.0, "seconds": 0.0}


# --- the notebook -------------------------------------------------------------------------------------------


def field_study(folder: Path) -> Path:
    """A study of published data with tiny networks."""
    study = yaml.safe_load((repository() / "studies" / "voc2012.yaml").read_text())
    study["augmentation"]["crop"] = [24, 24]
    for role, width in (("teacher", 4), ("student", 2)):
        study[role] |= {"network": {"name": "dilated_resnet", "width": width}, "batch_size": 2}
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**study, "name": "tiny"}))
    return folder / "tiny.yaml"


def test_the_notebook_times_both_networks_and_says_where_it_comes_from(tmp_path: Path) -> None:
    tiny = {"results": str(tmp_path), "studies": str(field_study(tmp_path))}
    run_notebook(notebook_path("paces"), tmp_path / "paces.ipynb", tiny)
    table = pd.read_csv(tmp_path / "benchmark" / "paces.csv")
    assert list(table["network"]) == ["teacher", "student"] and set(table["size"]) == {"24 x 24"}
    flops = [6 * 2 * count_macs(build_network(network(width), 21), (24, 24)) for width in (4, 2)]
    assert list(table["gflop"]) == pytest.approx([flop / 1e9 for flop in flops], abs=1e-4)
    assert (table["milliseconds"] * table["steps"]).between(1000 * pace.SECONDS, 10_000 * pace.SECONDS).all()
    assert set(table["commit"]) == {commit({"pfs"})[0]}
    assert {"threads", "batch", "instruction_set", "precision", "device", "dirty", "torch"} <= set(table)
    assert (tmp_path / "benchmark" / "paces.md").read_text().count("| tiny |") == 2


def test_data_that_nobody_has_published_are_refused() -> None:
    with pytest.raises(StudyError, match="nobody has published digit_scenes"):
        pace.paces(["quick"], threads=1)


def test_the_command_runs_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("pfs.commands.cost.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["paces", "--results", str(tmp_path)]) == 0
    parameters = {"results": str(tmp_path), "threads": 1}
    assert called == [(notebook_path("paces"), tmp_path / "benchmark" / "paces.ipynb", parameters)]

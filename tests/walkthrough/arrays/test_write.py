"""`pfs walkthrough` makes the walkthroughs' data from finished runs, and refuses others.

The runs are tiny ones, as their weights come from a random start: nothing is trained.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pfs.__main__ import main
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.splits import normalize
from pfs.models import build_network
from pfs.study.places import TEACHER, run_folder
from pfs.study.records import Metrics, Record, write_npz, write_record
from pfs.training.checkpoint import snapshot_file, write_checkpoint
from pfs.walkthrough.arrays import WalkthroughError, load_walkthrough, write
from pfs.walkthrough.arrays.write import METHODS, RULE, SCENES, write_walkthrough

STUDY = """
name: tiny
data: {name: digit_scenes, train: 8, val: 4, test: 16, seed: 0}
teacher: {network: {name: dilated_resnet, width: 4}, steps: 2, batch_size: 4, learning_rate: 1.0e-3, seed: 7}
student:
  network: {name: dilated_resnet, width: 2}
  steps: 60
  batch_size: 4
  learning_rate: 1.0e-3
  snapshots: [0, 20, 60]
methods:
  ce: {}
  kd: {kd: {weight: 1.0}}
  pfs: {pfs: {weight: 1.0}}
  wsp: {wsp: {weight: 1.0}}
  pfs_wsp: {pfs: {weight: 1.0}, wsp: {weight: 1.0}}
reference: ce
seeds: [3, 4]
"""
CLASSES = ("background", *map(str, range(10)))


class Runs:
    """The study's file, its results, and the networks whose weights the runs have."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tiny.yaml"
        self.file.write_text(STUDY)
        self.study: Study = load_study(self.file)
        self.results = folder / "results"
        self.folder = self.results / "tiny"
        self.networks: dict[str, nn.Module] = {}
        for number, (name, seed) in enumerate({TEACHER: 7, **dict.fromkeys(METHODS, 3)}.items()):
            self.finish(name, seed, number)

    def finish(self, name: str, seed: int, number: int) -> None:
        """Leave what a finished run leaves."""
        torch.manual_seed(number)
        spec = (self.study.teacher if name == TEACHER else self.study.student).network
        own = run_folder(self.study, self.folder, name, seed)
        self.networks[name] = build_network(spec, len(CLASSES)).eval()
        write_checkpoint(self.networks[name], own / "checkpoint.pt")
        if name != TEACHER:
            for step in (0, 20, 30, 60):  # that of step 30 is of a curve, and is not shown
                write_checkpoint(build_network(spec, len(CLASSES)), own / snapshot_file(step))
        random = np.random.default_rng(0)
        images, labels = (
            random.integers(0, 256, (12, 32, 32, 3), np.uint8),
            random.integers(0, 11, (12, 32, 32), np.uint8),
        )
        write_npz(own / "examples.npz", {"image": images, "label": labels})
        score = Metrics(miou=30.0, pixel_accuracy=80.0, iou=dict.fromkeys(CLASSES, 30.0))
        files = {"checkpoint": "checkpoint.pt", "examples": "examples.npz"}
        record = {"study": "tiny", "method": name, "seed": seed, "metrics": {"test": score}, "files": files}
        write_record(Record(**record), own)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Finished runs of a tiny study."""
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def up_to_date(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], Any]:
    """Which runs are stale: none, until a test adds some."""
    stale: dict[tuple[str, int], Any] = {}
    monkeypatch.setattr(write, "stale_runs", lambda study, folder: stale)
    return stale


@pytest.mark.usefixtures("up_to_date")
def test_the_file_holds_what_the_networks_say(runs: Runs) -> None:
    made = load_walkthrough(write_walkthrough(runs.study, runs.folder))
    assert made.networks == (TEACHER, *METHODS) and made.classes == CLASSES and len(made.images) == SCENES
    assert (made.snapshots, made.record["steps"], made.record["scenes"]) == ((0, 20), 60, RULE)
    inputs = normalize(torch.from_numpy(made.images).permute(0, 3, 1, 2))
    for name, network in runs.networks.items():
        with torch.no_grad():
            expected = network(inputs)
        torch.testing.assert_close(made.logits(name), expected.logits, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(made.features(name), expected.features, rtol=2e-3, atol=2e-3)
    assert made.layers("pfs") == ("stage3", "stage4", "before_relu") and made.layers("pfs", 20) == ("stage4",)
    assert torch.equal(made.features("pfs"), made.features("pfs", layer="before_relu").relu())


@pytest.mark.usefixtures("up_to_date")
def test_the_weights_beside_it_are_those_of_the_runs(runs: Runs) -> None:
    made = load_walkthrough(write_walkthrough(runs.study, runs.folder))
    for name in (TEACHER, "ce", "pfs_wsp"):
        found, expected = made.weights(name), runs.networks[name].state_dict()
        assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)
    (made.file.parent / "walkthrough_weights" / "ce.safetensors").write_bytes(b"broken")
    with pytest.raises(WalkthroughError, match=r"ce.safetensors is missing or not as it was written"):
        made.weights("ce")


@pytest.mark.usefixtures("up_to_date")
def test_the_same_runs_give_the_same_bytes(runs: Runs) -> None:
    file = write_walkthrough(runs.study, runs.folder)
    first = file.read_bytes()
    assert write_walkthrough(runs.study, runs.folder).read_bytes() == first


def test_a_stale_run_is_refused_and_others_do_not_matter(runs: Runs, up_to_date: dict[tuple[str, int], Any]) -> None:
    up_to_date["pfs", 4] = "the second seed is not shown"
    write_walkthrough(runs.study, runs.folder)
    up_to_date["pfs", 3] = "runs/pfs/3: made with other settings (student.steps)"
    with pytest.raises(WalkthroughError, match=r"^runs/pfs/3: made with other .*: run pfs study tiny first$"):
        write_walkthrough(runs.study, runs.folder)


@pytest.mark.usefixtures("up_to_date")
def test_a_study_without_one_of_the_methods_is_refused(runs: Runs) -> None:
    methods = {name: method for name, method in runs.study.methods.items() if name != "kd"}
    with pytest.raises(WalkthroughError, match="tiny has no method kd; walkthroughs show ce, kd, pfs"):
        write_walkthrough(runs.study.model_copy(update={"methods": methods}), runs.folder)


def test_the_command_tells_what_must_run_first(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["walkthrough", str(runs.file), "--results", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("teacher: has not finished: run pfs study tiny first\n")


@pytest.mark.usefixtures("up_to_date")
def test_the_command_says_where_the_file_is(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["walkthrough", str(runs.file), "--results", str(runs.results)]) == 0
    assert capsys.readouterr().out.startswith(f"{runs.folder}/walkthrough.npz: ")

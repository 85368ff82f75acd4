"""`pfs run --devices`: a notebook's kernel shares its run among processes, and the record tells how many."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.study.records import read_record
from pfs.study.staleness import stale_runs

pytestmark = pytest.mark.trains

SCHEDULE = {"steps": 4, "batch_size": 4, "learning_rate": 1.0e-3, "network": {"name": "dilated_resnet", "width": 2}}
STUDY = {
    "name": "shared",
    "data": {"name": "digit_scenes", "train": 8, "val": 2, "test": 2},
    "teacher": SCHEDULE,
    "student": SCHEDULE,
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}


def test_a_run_on_two_devices_leaves_a_record_that_says_so_and_is_not_stale(tmp_path: Path, data: Path) -> None:
    file, results = tmp_path / "shared.yaml", tmp_path / "results"
    file.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    places = ["--results", str(results), "--data", str(data)]
    command = [sys.executable, "-m", "pfs", "run", str(file), "ce", "0", "--devices", "2", *places]
    done = subprocess.run(command, cwd=repository(), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    record = read_record(results / "shared" / "runs" / "ce" / "0" / "record.json")
    assert (record.provenance.devices, record.provenance.threads) == (2, 2)
    assert record.history[-1]["step"] == 4
    assert ("ce", 0) not in stale_runs(load_study(str(file)), results / "shared", data)


def test_devices_that_cannot_share_a_batch_are_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "shared.yaml"
    file.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    command = [sys.executable, "-m", "pfs", "study", str(file), "--devices", "3", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=repository(), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "batch_size of 4 cannot be shared equally by 3 devices: choose 1, 2, 4 devices" in done.stderr
    assert "Traceback" not in done.stderr

"""A tiny study in a folder of its own, run as a user runs it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pfs.config.files import repository

STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digit_scenes", "train": 24, "val": 6, "test": 8, "seed": 0},
    "teacher": {
        "network": {"name": "dilated_resnet", "width": 16},
        "steps": 6,
        "batch_size": 4,
        "learning_rate": 2.0e-3,
    },
    "student": {
        "network": {"name": "dilated_resnet", "width": 4},
        "steps": 60,
        "batch_size": 4,
        "learning_rate": 6.0e-3,
        "save_every": 10,
    },
    "methods": {"ce": {}, "pfs_wsp": {"pfs": {"weight": 16.0}, "wsp": {"weight": 1.0}}},
    "reference": "ce",
    "seeds": [0, 1],
}


# What two identical runs may differ in.
TIMING = ["seconds", "training_seconds", "peak_memory_mib"]


class Clone:
    """A study of its own in a folder of its own, with the data made once for all tests."""

    def __init__(self, folder: Path, data: Path, **changes: Any) -> None:
        self.file = folder / "tiny.yaml"
        self.results = folder / "results"
        self.data = data
        self.write(**changes)

    def write(self, **changes: Any) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump({**STUDY, **changes}, sort_keys=False))

    def command(self) -> list[str]:
        places = ["--results", str(self.results), "--data", str(self.data)]
        return [sys.executable, "-m", "pfs", "study", str(self.file), *places, "--cores", "2"]

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(), cwd=repository(), capture_output=True, text=True, timeout=500)

    def make(self, method: str, seed: int = 0) -> None:
        """Make one run of the study alone, whose teacher is there."""
        places = ["--results", str(self.results), "--data", str(self.data)]
        command = [sys.executable, "-m", "pfs", "run", str(self.file), method, str(seed), *places, "--threads", "1"]
        subprocess.run(command, cwd=repository(), check=True, timeout=200)

    def record(self, run: str) -> Path:
        return self.results / "tiny" / run / "record.json"

    def runs(self) -> pd.DataFrame:
        return pd.read_csv(self.results / "tiny" / "runs.csv").drop(columns=TIMING)


def wait_for(condition: Any, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)

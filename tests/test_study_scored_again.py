"""A change of the code that scores networks scores their weights again, and trains none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pfs.config.files import repository
from pfs.study.records import read_record, run_table
from tests.whole_study import STUDY, Clone

OTHERS = ["commit", "dirty", "code_hash"]  # columns of runs.csv that are of the code
SCORED = "miou=float(iou.nanmean())"


class CloneOfTheCode(Clone):
    """A tiny study in a copy of this repository's code, which a test may change."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.code = folder / "code"
        for name in ("pfs", "notebooks", "profiles", "studies"):
            skipped = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(repository() / name, self.code / name, ignore=skipped)
        for name in ("Snakefile", "pyproject.toml"):
            shutil.copy(repository() / name, self.code)
        student = {**STUDY["student"], "steps": 20}
        super().__init__(folder, data, student=student, seeds=[0])

    def run_each(self, teachers_threads: int) -> pd.DataFrame:
        """Make the teacher and a student of it, and return the table of their records."""
        for method, threads in (("teacher", teachers_threads), ("pfs_wsp", 1)):
            places = ["--results", str(self.results), "--data", str(self.data), "--threads", str(threads)]
            command = [sys.executable, "-m", "pfs", "run", str(self.file), method, "0", *places]
            environment = {**os.environ, "PYTHONPATH": str(self.code)}
            subprocess.run(command, cwd=self.code, env=environment, check=True, timeout=200)
        return run_table([read_record(self.record(run)) for run in ("teacher", "runs/pfs_wsp/0")])

    def states(self) -> dict[Path, int]:
        """The files of all saved states and caches, and when each was written: training writes new ones."""
        folders = [*self.results.rglob("state"), *self.results.rglob("outputs-*")]
        files = [file for folder in folders for file in folder.rglob("*") if file.suffix != ".read"]
        return {file: file.stat().st_mtime_ns for file in files}

    def weights(self) -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in self.results.rglob("checkpoint.pt")}


def test_a_change_of_scoring_scores_kept_weights_again_without_training(tmp_path: Path, data: Path) -> None:
    """With another number of threads than the teacher was trained with, too."""
    clone = CloneOfTheCode(tmp_path, data)
    before = clone.run_each(teachers_threads=2)
    states, weights = clone.states(), clone.weights()
    file = clone.code / "pfs/training/evaluation.py"
    assert SCORED in file.read_text()
    file.write_text(file.read_text().replace(SCORED, f"{SCORED} / 2"))
    after = clone.run_each(teachers_threads=1)
    assert after["miou"].to_numpy() == pytest.approx(before["miou"].to_numpy() / 2)
    same = before.columns.difference(["miou", *OTHERS])
    pd.testing.assert_frame_equal(after[same], before[same])
    assert len(weights) == 2
    assert clone.weights() == weights
    assert clone.states() == states

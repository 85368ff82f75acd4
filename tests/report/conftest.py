"""The study that the small `runs.csv` of `tests.report.runs_table` belongs to."""

from pathlib import Path

import pytest

from pfs.config.load import load_study
from pfs.config.study import Study
from tests.report.runs_table import FULL

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study() -> Study:
    """The default study with the six methods of `FULL`: seeds 0 to 2, reference ce."""
    default = load_study(ROOT / "studies" / "digits.yaml")
    return default.model_copy(update={"methods": {name: default.methods[name] for name in FULL if name != "teacher"}})

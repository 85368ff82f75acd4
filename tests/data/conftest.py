"""Fixtures of the tests of data."""

import shutil
from pathlib import Path

import pytest

from pfs.data.sets.digit_scenes import DigitScenes, generate
from tests.data.digits import SPEC
from tests.data.trees import COUNTS


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets have as many images as their miniatures."""
    for kind, counts in COUNTS.items():
        monkeypatch.setattr(kind, "counts", counts)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the data set of SPEC, generated once; not to be changed."""
    root = tmp_path_factory.mktemp("data")
    generate(SPEC, root)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "data"))


@pytest.fixture
def train(root: Path) -> DigitScenes:
    return DigitScenes(root, "train", SPEC)

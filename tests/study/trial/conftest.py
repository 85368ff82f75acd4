"""The data of the small study."""

from pathlib import Path

import pytest

from pfs.data.build import PLACED
from pfs.data.install.place import place
from pfs.study.trial import miniatures


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets that holds one: six images for training and two for val, upright and lying."""
    root = tmp_path_factory.mktemp("data")
    own = miniatures.own_folder(root / "source" / "own", train=6, val=2, sizes=((20, 30), (40, 26)))
    place(PLACED["folder"], root, source=own)
    return root

"""Every test computes with one thread, unless threads are what it tests.

Two threads of a small convolution, on cores that other processes use too, wait for each other up to 300 times as long
as the work takes.
"""

import os

import pytest

for pool in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes that tests start, too
    os.environ[pool] = "1"

from pfs.training.machine import prepare  # noqa: E402  # numpy and torch read these when they are imported

prepare(threads=1)

LONGEST = "test_study"  # files of whole studies, begun first: nobody waits for one alone at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the tests of a file share fixtures, and run in one process."""
    items.sort(key=lambda item: not item.path.stem.startswith(LONGEST))

"""Every test computes with one thread, unless threads are what it tests.

Two threads of a small convolution, on cores that other processes use too, wait for each other up to 300 times as long
as the work takes.
"""

import os

import pytest

for pool in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes that tests start, too
    os.environ[pool] = "1"

from pfs.machine import prepare  # noqa: E402  # numpy and torch read these when they are imported

prepare(threads=1)

LONGEST = "test_study_end_to_end.py"  # begun first, so that nobody waits for it alone at the end


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, where they share fixtures; whole studies run beside each other.

    Of the tests of whole studies those that share the finished one are a group, and each of the others is its own.
    """
    for item in items:
        shared = LONGEST not in item.nodeid or "finished" in item.fixturenames  # type: ignore[attr-defined]
        item.add_marker(pytest.mark.xdist_group(item.path.stem if shared else item.name))
    items.sort(key=lambda item: LONGEST not in item.nodeid)

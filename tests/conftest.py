"""Every test computes with one thread, unless threads are what it tests, and on the processor.

Two threads of a small convolution, on cores that other processes use too, wait for each other up to 300 times as long
as the work takes. NVIDIA's GPUs are hidden, so that the tests are the same on every machine: several processes on one
machine would need a GPU each. `make test-gpu` repeats those that train with the GPU in sight.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

for pool in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes that tests start, too
    os.environ[pool] = "1"
if "TEST_ON_GPU" not in os.environ:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

from accelerate.state import AcceleratorState  # noqa: E402

from pfs.training.machine import prepare  # noqa: E402  # numpy and torch read these when they are imported

prepare(threads=1)

LONGEST = "test_study"  # files of whole studies, begun first: nobody waits for one alone at the end
BROWSER = "tests/walkthrough/browser"  # begun next: its tests start servers and a browser, which they share


class FileOrBrowser(LoadFileScheduling):  # type: ignore[misc]
    """The tests of a file run in one process; so do those of all files in a browser, for they share the servers."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return BROWSER if scope.startswith(BROWSER) else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """How xdist shares the tests among its processes; `--dist=loadfile` alone would start the servers once a file."""
    return FileOrBrowser(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the tests of a file share fixtures, and run in one process."""
    items.sort(key=lambda item: (not item.path.stem.startswith(LONGEST), not item.nodeid.startswith(BROWSER)))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all data sets; what a test generates there, later ones find."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _a_precision_of_its_own() -> Iterator[None]:
    """Accelerate keeps the precision of a process's first training for all later ones; each test chooses its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)

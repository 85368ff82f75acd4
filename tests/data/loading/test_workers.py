"""Worker processes need no shared memory and no short temporary folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from pfs.data.loading.workers import read_ahead


class Numbered(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Images of 1 MiB and more, each filled with the number of its row."""

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((3, 640, 640), row, dtype=torch.uint8), torch.full((640, 640), row, dtype=torch.uint8)


def read_in_a_process(*before: str, **environment: str) -> str:
    """What a fresh process prints that reads four rows; it has 60 seconds, because the fault is to wait for ever."""
    command = [*before, sys.executable, __file__]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_rows_come_in_the_order_that_is_asked_for_and_leave_torch_s_random_state_alone() -> None:
    before = torch.get_rng_state()
    batches = list(read_ahead(Numbered(), [[2, 0], [1]]))
    assert [images[:, 0, 0, 0].tolist() for images, _ in batches] == [[2, 0], [1]]
    assert [tuple(labels.shape) for _, labels in batches] == [(2, 640, 640), (1, 640, 640)]
    assert {pixels.dtype for batch in batches for pixels in batch} == {torch.uint8}
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_need_no_short_temporary_folder(tmp_path: Path) -> None:
    """A socket's path has at most 107 characters."""
    folder = tmp_path / ("long" * 38)
    folder.mkdir()
    assert read_in_a_process(TMPDIR=str(folder)) == "[[0, 1], [3, 2]]\n"


def test_workers_need_no_shared_memory() -> None:
    small = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m none /dev/shm && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*small, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a small /dev/shm can be mounted by root alone, on Linux")
    assert read_in_a_process(*small) == "[[0, 1], [3, 2]]\n"


if __name__ == "__main__":
    print([[int(image[0, 0, 0]) for image in images] for images, _ in read_ahead(Numbered(), [[0, 1], [3, 2]])])

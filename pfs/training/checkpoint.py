"""A network's weights as a file, the checksum by which they are known, and the weights that a run keeps on its way."""

import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from pfs.config.checksums import BrokenFileError, check_files, write_checksums
from pfs.config.files import atomic_write


def write_checkpoint(network: nn.Module, file: Path) -> str:
    """Write a network's weights, whole; returns their checksum."""
    buffer = io.BytesIO()
    torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, buffer)
    atomic_write(file, buffer.getvalue())
    return weights_checksum(network)


def weights_checksum(network: nn.Module) -> str:
    """The sha256 of a network's state, parameter by parameter."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def snapshot_file(step: int) -> str:
    """Where a run keeps its weights after a step, from the run's folder."""
    return f"snapshots/step-{step:06d}.pt"


class Snapshots:
    """The weights of one run after some of its steps: `snapshots/step-000040.pt` in its folder, each written whole.

    Beside each lies a list with its checksum, named after the run's key, so that a damaged file, or one of an earlier
    run in the same folder, is never taken for this run's.

    Args:
        folder: the run's own folder.
        key: what the run depends on, as a hash.
        steps: after which steps the weights are kept; 0 is before the first step.
    """

    def __init__(self, folder: Path, key: str, steps: Sequence[int]) -> None:
        self.folder = folder
        self.key = key[:16]
        self.steps = sorted(steps)

    def write(self, network: nn.Module, step: int) -> None:
        """Keep a network's weights if this is one of the steps and they are not there yet."""
        if step not in self.steps or self._is_whole(step):
            return
        file = self.folder / snapshot_file(step)
        write_checkpoint(network, file)
        write_checksums(self._list(step), [file])

    def first_missing(self) -> int | None:
        """The first step whose weights are not there whole: no later state of the run could give them any more."""
        return next((step for step in self.steps if not self._is_whole(step)), None)

    def begin(self, network: nn.Module, step: int) -> None:
        """Delete the weights of other runs and steps from the folder; keep the first weights if the run begins here."""
        wanted = {self.folder / snapshot_file(step) for step in self.steps if self._is_whole(step)}
        wanted |= {self._list(step) for step in self.steps}
        for file in (self.folder / "snapshots").glob("*"):
            if file not in wanted:
                file.unlink()
        if not self.steps:
            shutil.rmtree(self.folder / "snapshots", ignore_errors=True)
        self.write(network, step)

    def _list(self, step: int) -> Path:
        return self.folder / f"{snapshot_file(step)}.{self.key}.json"

    def _is_whole(self, step: int) -> bool:
        try:
            check_files(self._list(step))
        except BrokenFileError:
            return False
        return True

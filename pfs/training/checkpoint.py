"""A network's weights as a file, and the states of a training on disk, from which a run that was cut goes on."""

import hashlib
import io
import shutil
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from pfs.config.checksums import LIST, BrokenFileError, check_files, files_under, write_checksums
from pfs.config.files import atomic_write

KEPT = 2  # the latest state, and the one before it should the latest break


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


class SavedStates:
    """The states of one run: folders `<key>-<step>`, each written whole, with the checksums of its files.

    Args:
        folder: the run's folder of states.
        key: what the run depends on, as a hash; states of another key are never taken up.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key[:16]

    def save(self, accelerator: Accelerator, step: int) -> None:
        """Keep the state of a step, then delete all but the latest two states of this run.

        Where several processes train, all of them call this: each adds the state of its random numbers.
        """
        unfinished = self.folder / "unfinished"
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(unfinished))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            self._finish(unfinished, step)

    def _finish(self, unfinished: Path, step: int) -> None:
        """Give a state that is whole its name, and delete the older ones."""
        write_checksums(unfinished / LIST, files_under(unfinished))
        finished = self.folder / f"{self.key}-{step:08d}"
        shutil.rmtree(finished, ignore_errors=True)
        unfinished.rename(finished)
        kept = self._states()[:KEPT]
        for other in self.folder.iterdir():
            if other not in kept:
                shutil.rmtree(other)

    def restore(self, accelerator: Accelerator) -> None:
        """Load the latest state that is whole; without any, the training begins at its first step."""
        state = self.latest()
        if state is not None:
            accelerator.load_state(str(state))

    def is_finished(self, steps: int) -> bool:
        """Whether the latest state that is whole is that of the last step."""
        state = self.latest()
        return state is not None and state.name.endswith(f"-{steps:08d}")

    def latest(self) -> Path | None:
        """The folder of the latest state that is whole; a broken one is told in one line, and deleted."""
        for state in self._states():
            try:
                check_files(state / LIST)
            except BrokenFileError as error:
                print(f"{error}: this saved state is deleted; an earlier one is taken, or the beginning")
                shutil.rmtree(state)
                continue
            return state
        return None

    def _states(self) -> list[Path]:
        """The latest first."""
        return sorted(self.folder.glob(f"{self.key}-*"), reverse=True)

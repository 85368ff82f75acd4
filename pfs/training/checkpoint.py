"""A network's weights as a file, the weights that a run keeps on its way, and its states, from which it goes on."""

import hashlib
import io
import shutil
from collections.abc import Sequence
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

    def restore(self, accelerator: Accelerator, *, before: int | None = None) -> None:
        """Load the latest state that is whole; without any, the training begins at its first step.

        Args:
            accelerator: what the state is loaded into.
            before: the first step whose snapshot is missing, see `latest`.
        """
        state = self.latest(before)
        if state is not None:
            accelerator.load_state(str(state))

    def is_finished(self, steps: int) -> bool:
        """Whether the latest state that is whole is that of the last step."""
        state = self.latest()
        return state is not None and state.name.endswith(f"-{steps:08d}")

    def latest(self, before: int | None = None) -> Path | None:
        """The folder of the latest state that is whole; a broken one is told in one line, and deleted.

        Args:
            before: the first step whose snapshot is missing. A state of this step or a later one cannot give that
                snapshot any more, and is deleted too. None: none is missing.
        """
        for state in self._states():
            try:
                if before is not None and int(state.name.rsplit("-", 1)[1]) >= before:
                    raise BrokenFileError(f"{self.folder.parent}: the snapshot of step {before} is missing or damaged")
                check_files(state / LIST)
            except BrokenFileError as error:
                print(f"{error}: the saved state {state.name} is deleted; an earlier one is taken, or the beginning")
                shutil.rmtree(state, ignore_errors=True)  # another process of the run may delete it too
                continue
            return state
        return None

    def _states(self) -> list[Path]:
        """The latest first."""
        return sorted(self.folder.glob(f"{self.key}-*"), reverse=True)

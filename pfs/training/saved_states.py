"""The states of a training on disk, from which a run that was cut goes on."""

import shutil
from pathlib import Path

from accelerate import Accelerator

from pfs.config.checksums import LIST, BrokenFileError, check_files, files_under, write_checksums

KEPT = 2  # the latest state, and the one before it should the latest break


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
        """Keep the state of a step, then delete all but the latest two states of this run."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.save_state(str(unfinished))
        write_checksums(unfinished / LIST, files_under(unfinished))
        finished = self.folder / f"{self.key}-{step:08d}"
        shutil.rmtree(finished, ignore_errors=True)
        unfinished.rename(finished)
        kept = self._states()[:KEPT]
        for other in self.folder.iterdir():
            if other not in kept:
                shutil.rmtree(other)

    def restore(self, accelerator: Accelerator, *, before: int | None = None) -> None:
        """Load the latest state that is whole; a broken one is told in one line, and deleted.

        Without any, the training begins at its first step.

        Args:
            accelerator: what the state is loaded into.
            before: the first step whose snapshot is missing. A state of this step or a later one cannot give that
                snapshot any more, and is deleted, which is told too. None: none is missing.
        """
        for state in self._states():
            try:
                if before is not None and int(state.name.rsplit("-", 1)[1]) >= before:
                    raise BrokenFileError(f"{state.parent.parent}: the snapshot of step {before} is missing or damaged")
                check_files(state / LIST)
            except BrokenFileError as error:
                print(f"{error}: the saved state {state.name} is deleted; an earlier one is taken, or the beginning")
                shutil.rmtree(state)
                continue
            accelerator.load_state(str(state))
            return

    def _states(self) -> list[Path]:
        """The latest first."""
        return sorted(self.folder.glob(f"{self.key}-*"), reverse=True)

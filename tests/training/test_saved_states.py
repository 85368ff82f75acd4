"""A run's states on disk: the two latest are there, whole, and those of another run are never taken."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from pfs.config.checksums import LIST
from pfs.training.checkpoint import SavedStates


def network_of(accelerator: Accelerator, value: float) -> nn.Linear:
    """A network with one weight, which the accelerator saves and restores."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    prepared: nn.Linear = accelerator.prepare(network)
    return prepared


def saved(folder: Path, key: str, *steps: int) -> None:
    """Save the state of some steps of a run; the weight is the number of the step."""
    accelerator = Accelerator(cpu=True)
    network = network_of(accelerator, 0.0)
    for step in steps:
        with torch.no_grad():
            network.weight.fill_(step)
        SavedStates(folder, key).save(accelerator, step)


def restored(folder: Path, key: str) -> float:
    """The weight after what can be restored has been, from a network that begins with -1."""
    accelerator = Accelerator(cpu=True)
    network = network_of(accelerator, -1.0)
    SavedStates(folder, key).restore(accelerator)
    return float(network.weight.detach())


def test_the_latest_two_states_are_there_with_checksums(tmp_path: Path) -> None:
    saved(tmp_path, "key", 4, 8, 12)
    assert sorted(state.name for state in tmp_path.iterdir()) == ["key-00000008", "key-00000012"]
    assert all((state / LIST).is_file() for state in tmp_path.iterdir())
    assert restored(tmp_path, "key") == 12


def test_steps_are_compared_as_numbers(tmp_path: Path) -> None:
    saved(tmp_path, "key", 999, 1000)
    assert restored(tmp_path, "key") == 1000


def test_a_broken_state_is_told_and_deleted_and_the_one_before_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, "key", 4, 8)
    (tmp_path / "key-00000008" / "model.safetensors").write_bytes(b"")
    assert restored(tmp_path, "key") == 4
    assert "key-00000008/model.safetensors" in capsys.readouterr().out
    assert not (tmp_path / "key-00000008").exists()


def test_without_a_state_of_the_same_key_nothing_is_restored(tmp_path: Path) -> None:
    assert restored(tmp_path / "nothing", "key") == -1
    saved(tmp_path, "old", 4)
    assert restored(tmp_path, "new") == -1
    saved(tmp_path, "new", 2)
    assert [state.name for state in tmp_path.iterdir()] == ["new-00000002"]


def test_what_a_killed_process_left_unfinished_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "model.safetensors").write_bytes(b"half")
    assert restored(tmp_path, "key") == -1
    saved(tmp_path, "key", 4)
    assert [state.name for state in tmp_path.iterdir()] == ["key-00000004"]

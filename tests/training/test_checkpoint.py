"""A network's weights as a file: read without running code, known by a checksum, and kept after some steps of a run."""

from pathlib import Path

import torch
from torch import nn

from pfs.training.checkpoint import Snapshots, snapshot_file, weights_checksum, write_checkpoint


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_weights_are_read_back_bit_for_bit_without_running_code(tmp_path: Path) -> None:
    written = network()
    checksum = write_checkpoint(written, tmp_path / "deep" / "checkpoint.pt")
    read = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    read.load_state_dict(torch.load(tmp_path / "deep" / "checkpoint.pt", weights_only=True))
    assert weights_checksum(read) == checksum == weights_checksum(network())


def test_the_checksum_sees_every_weight_and_buffer_and_not_the_order_of_memory() -> None:
    expected = weights_checksum(network())
    assert weights_checksum(network().to(memory_format=torch.channels_last)) == expected
    for name in network().state_dict():
        changed = network()
        changed.state_dict()[name].view(-1)[0] += 1
        assert weights_checksum(changed) != expected, name


def kept(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "snapshots").glob("*.pt"))


def test_snapshots_are_kept_at_their_steps_alone_and_read_back(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, "key", [40, 0])
    snapshots.begin(network(), 0)
    for step in (39, 40, 41):
        snapshots.write(network(), step)
    assert kept(tmp_path) == ["step-000000.pt", "step-000040.pt"]
    read = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    read.load_state_dict(torch.load(tmp_path / snapshot_file(40), weights_only=True))
    assert weights_checksum(read) == weights_checksum(network())


def test_a_snapshot_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    Snapshots(tmp_path, "key", [4]).write(network(), 4)
    before = (tmp_path / snapshot_file(4)).stat()
    Snapshots(tmp_path, "key", [4]).write(network(), 4)
    after = (tmp_path / snapshot_file(4)).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_the_first_missing_snapshot_is_one_that_is_gone_damaged_or_of_another_run(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, "key", [2, 4, 8])
    assert snapshots.first_missing() == 2
    for step in (2, 4, 8):
        snapshots.write(network(), step)
    assert snapshots.first_missing() is None
    assert Snapshots(tmp_path, "other", [4]).first_missing() == 4
    (tmp_path / snapshot_file(8)).write_bytes(b"")
    assert snapshots.first_missing() == 8
    (tmp_path / snapshot_file(4)).unlink()
    assert snapshots.first_missing() == 4


def test_snapshots_of_another_run_or_step_do_not_stay(tmp_path: Path) -> None:
    for step in (2, 4):
        Snapshots(tmp_path, "key", [2, 4]).write(network(), step)
    Snapshots(tmp_path, "key", [4, 8]).begin(network(), 4)
    assert kept(tmp_path) == ["step-000004.pt"]
    Snapshots(tmp_path, "new", [0, 4]).begin(network(), 0)
    assert kept(tmp_path) == ["step-000000.pt"]
    Snapshots(tmp_path, "new", []).begin(network(), 0)
    assert not (tmp_path / "snapshots").exists()

"""A network's weights as a file: read without running code, and known by a checksum."""

from pathlib import Path

import torch
from torch import nn

from pfs.training.checkpoint import weights_checksum, write_checkpoint


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

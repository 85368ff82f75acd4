"""A network's weights as a file, and the checksum by which they are known."""

import hashlib
import io
from pathlib import Path

import torch
from torch import nn

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

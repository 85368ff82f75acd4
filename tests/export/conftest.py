"""A small network with random weights, exported once for all tests of this folder."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from pfs.config.checksums import sha256
from pfs.config.networks import DilatedResNetConfig
from pfs.data.dataset import SegmentationDataset
from pfs.export.description import Description, write_description
from pfs.export.folder import ONNX, WEIGHTS
from pfs.export.onnx_file import write_onnx
from pfs.export.weights import normalisation, write_weights
from pfs.models import build_network

NETWORK = DilatedResNetConfig(name="dilated_resnet", width=2)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """With statistics of batch norm that are not those that it begins with."""
    return _network()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it is exported to. Tests that change files copy it."""
    return _exported(tmp_path_factory.getbasetemp())


@cache  # for the tests of other folders, which import the fixtures and so have others of their own
def _network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(NETWORK, classes=3).train()
        with torch.no_grad():
            for _ in range(20):
                network(torch.randn(4, 3, 32, 32))
    return network.eval()


@cache
def _exported(base: Path) -> Path:
    folder, network = base / "exported", _network()
    buffers = write_weights(network, folder / WEIGHTS)
    write_onnx(network, folder / ONNX)
    description = Description(
        study="tiny",
        method="ce",
        seed=0,
        commit="abc",
        network=NETWORK,
        classes=["ground", "tree", "sky"],
        palette=SegmentationDataset.palette[:3].tolist(),
        ignore_index=255,
        normalisation=normalisation(network),
        buffers=buffers,
        data_checksum="d",
        miou={"val": 1.0, "test": 2.0},
        sha256={name: sha256(folder / name) for name in (WEIGHTS, ONNX)},
    )
    write_description(folder, description, {})
    return folder


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system lets no file grow beyond so many bytes, as it does on a full disk: with another number alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

"""`pfs.load` gives the network back, bit for bit, and segmentation-models-pytorch loads its own from the folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pfs
from pfs.config.networks import SegmentationModelConfig
from pfs.export.folder import BLOCK, CONFIG, WEIGHTS, ExportError
from pfs.export.onnx_file import Deployable
from pfs.export.weights import library_config, normalisation, torch_engine, write_weights
from pfs.models import build_network
from pfs.models.segmentation_model import SegmentationModel


def test_the_network_comes_back_in_one_line(network: nn.Module, exported: Path) -> None:
    loaded = pfs.load(exported)
    assert not loaded.training
    images = torch.randn(2, 3, 20, 30)
    with torch.no_grad():
        assert torch.equal(loaded(images).logits, network(images).logits)


def test_damaged_weights_are_not_loaded(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ExportError, match=r"model\.safetensors is not as it was written"):
        pfs.load(folder)


@pytest.mark.parametrize(("key", "value"), [("width", 3), ("buffers", {"x": [1.0]})])
def test_a_config_that_describes_another_network_is_told(exported: Path, tmp_path: Path, key: str, value: Any) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    content = json.loads((folder / CONFIG).read_text())
    block = content[BLOCK]
    (block if key in block else block["network"])[key] = value
    (folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(ExportError, match=r"config\.json: describes another network than model\.safe.*export again"):
        pfs.load(folder)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import pfs, sys; assert pfs.load; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_predicts_as_the_onnx_file_does(network: nn.Module, exported: Path) -> None:
    images = torch.randint(0, 256, (1, 21, 34, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = Deployable(network)(images).numpy()
    assert (torch_engine(exported, threads=1)(images.numpy()) == expected).all()


def library_network(architecture: str) -> SegmentationModel:
    spec = SegmentationModelConfig(name="segmentation_model", architecture=architecture, encoder="resnet18")
    network = build_network(spec, classes=3).eval()
    assert isinstance(network, SegmentationModel)
    network.scale.copy_(torch.tensor([1.0, 1.1, 1.2]).view(1, 3, 1, 1))
    network.shift.fill_(0.25)
    return network


@pytest.mark.parametrize("architecture", ["unet", "deeplabv3plus"])
def test_the_library_loads_the_folder_with_its_own_function(architecture: str, tmp_path: Path) -> None:
    import segmentation_models_pytorch as smp

    network = library_network(architecture)
    buffers = write_weights(network, tmp_path / WEIGHTS)
    assert set(buffers) == {"scale", "shift"}
    config, why_not = library_config(network, tmp_path / WEIGHTS)
    assert why_not == ""
    (tmp_path / CONFIG).write_text(json.dumps({**config, "_pfs": {"classes": ["a"]}}))
    theirs = smp.from_pretrained(str(tmp_path)).eval()
    colours = torch.randint(0, 256, (1, 3, 64, 96)).float()
    told = normalisation(network)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (told.mean, told.deviation))
    with torch.no_grad():
        features = theirs.encoder((colours - mean) / deviation)
        found = theirs.segmentation_head[0](theirs.decoder(features))
        expected = network((colours - 127.5) / 63.75).logits
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_network_whose_layers_differ_from_the_librarys_is_not_passed_off_as_it(tmp_path: Path) -> None:
    """PSPNet is that of its paper: the layer that fuses the pyramid has another shape."""
    network = library_network("pspnet")
    write_weights(network, tmp_path / WEIGHTS)
    config, why_not = library_config(network, tmp_path / WEIGHTS)
    assert config == {}
    assert "its layers differ" in why_not


def test_a_network_that_computes_otherwise_than_the_librarys_is_not_passed_off_as_it(tmp_path: Path) -> None:
    """The shapes of all tensors are the same here, and a constant that is no tensor is not."""
    network = library_network("unet")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
    write_weights(network, tmp_path / WEIGHTS)
    config, why_not = library_config(network, tmp_path / WEIGHTS)
    assert config == {}
    assert "otherwise" in why_not

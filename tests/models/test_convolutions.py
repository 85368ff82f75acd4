"""Convolutions that torch computes wrongly on some processors: the same function, by another way."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from pfs.config.networks import SegmentationModelConfig
from pfs.models import build_network, convolutions, count_macs
from pfs.models.convolutions import StridedPointwiseConv2d, is_narrow_strided_pointwise, mend_convolutions
from pfs.models.dilated_resnet import DilatedResNet
from tests.models.small_networks import named

pytestmark = pytest.mark.trains

# A plain AVX2 processor, or what oneDNN and torch take for one: both decide when they are loaded.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "1"}
BACKWARD_PASSES = """
import torch
from pfs.models.dilated_resnet import DilatedResNet
torch.manual_seed(0)
network = DilatedResNet(4, 11).to(memory_format=torch.channels_last)
images = torch.randn(4, 3, 32, 32).to(memory_format=torch.channels_last)
gradients = []
for _ in range(100):
    network.zero_grad()
    network(images).logits.square().mean().backward()
    gradients.append(network.stages[1][0].shortcut[0].weight.grad.clone())
assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
"""


def gradients(module: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Of the input and of all parameters, for the sum of squares of the output."""
    images = images.detach().requires_grad_(True)
    loss = module(images).square().sum()
    return list(torch.autograd.grad(loss, [images, *module.parameters()]))


@pytest.mark.parametrize(("stride", "bias"), [(2, False), ((3, 2), True)])
def test_a_strided_pointwise_convolution_is_torch_s_in_double_precision(stride: Any, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 8, 1, stride=stride, bias=bias)
    ours = StridedPointwiseConv2d(4, 8, 1, stride=stride, bias=bias)
    ours.load_state_dict(plain.state_dict())  # names and shapes are the same
    images = torch.randn(2, 4, 9, 8).to(memory_format=torch.channels_last)
    exact = plain.double()
    torch.testing.assert_close(ours(images).double(), exact(images.double()), rtol=1e-5, atol=1e-5)
    for gradient, expected in zip(gradients(ours, images), gradients(exact, images.double()), strict=True):
        torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-5)
    assert count_macs(StridedPointwiseConv2d(3, 8, 1, stride=2), (9, 8)) == 3 * 8 * 5 * 4


def test_mending_changes_neither_names_nor_values_of_a_state() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 8, 1, stride=2), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    mend_convolutions(network)
    assert [type(module).__name__ for module in network] == ["StridedPointwiseConv2d", "DepthwiseConv2d", "Conv2d"]
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("width", [2, 4, 12])
def test_a_narrow_network_has_no_plain_strided_pointwise_convolution(width: int) -> None:
    assert isinstance(DilatedResNet(width, 11).stages[1][0].shortcut[0], StridedPointwiseConv2d)  # type: ignore[index]
    assert_mended(DilatedResNet(width, 11))


def test_wide_shortcuts_are_torch_s_own() -> None:
    assert type(DilatedResNet(48, 11).stages[1][0].shortcut[0]) is nn.Conv2d  # type: ignore[index]


def test_the_library_s_networks_are_mended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder that we know has a layer as narrow, so 64 channels count as few here: those of ResNet-18's."""
    monkeypatch.setattr(convolutions, "NARROW", 64)
    spec = SegmentationModelConfig(name="segmentation_model", architecture="fpn", encoder="resnet18")
    network = build_network(spec, 3)
    assert sum(isinstance(module, StridedPointwiseConv2d) for module in network.modules()) == 1
    assert_mended(network)


def assert_mended(network: nn.Module) -> None:
    for name, module in network.named_modules():
        assert not (type(module) is nn.Conv2d and is_narrow_strided_pointwise(module)), name


def test_a_narrow_network_trains_on_a_processor_with_avx2_alone() -> None:
    """Unmended, it ends in a segmentation fault or "corrupted double-linked list" within 100 backward passes."""
    environment = {**os.environ, **AVX2}
    done = subprocess.run(
        [sys.executable, "-c", BACKWARD_PASSES], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_depthwise_convolutions_stay_in_full_precision_on_a_processor() -> None:
    """In bf16 the gradient of a dilated one's weights reads memory that nobody has written."""
    network = named("deeplabv3plus", "mobilenet_v2")
    depthwise = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert len(depthwise) > 17  # those of the encoder, and the decoder's
    outputs: list[torch.Tensor] = []
    for module in depthwise:
        module.register_forward_hook(lambda module, given, answer: outputs.append(answer))
    images = torch.rand(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        network(images).logits.float().square().mean().backward()
    assert {answer.dtype for answer in outputs} == {torch.float32}
    assert all(m.weight.grad is not None and m.weight.grad.isfinite().all() for m in depthwise)

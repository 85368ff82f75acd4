"""Teachers and students by name. Every network returns a `Prediction`."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pfs.config import networks as config
from pfs.models.dilated_resnet import DilatedResNet
from pfs.models.pretrained import check_weights
from pfs.models.segmentation_model import NetworkError, SegmentationModel, _does_not_work, check_names


def build_network(spec: config.Network, classes: int, *, pretrained: bool = True) -> nn.Module:
    """The network that a study names, with weights from torch's global random state (or as the spec says).

    Args:
        spec: the network.
        classes: channels of its logits.
        pretrained: False: no pre-trained weights, whatever the spec says, because a checkpoint's will replace them.

    Raises:
        NetworkError: an unknown architecture or encoder.
        WeightsError: pre-trained weights that cannot be had, or do not fit.
    """
    match spec:
        case config.DilatedResNetConfig():
            return DilatedResNet(spec.width, classes, spec.feature_layer)
        case config.SegmentationModelConfig():
            return SegmentationModel(spec if pretrained else _from_scratch(spec), classes)


def check_network(spec: config.Network, sizes: Sequence[tuple[int, int]]) -> None:
    """Raise what speaks against a network, or against images of some sizes, in a moment: nothing is fetched.

    Two images of each size pass through the network in training mode, on the meta device: it has the shapes alone.
    Some layers need numbers, too, and fail there: a pass with numbers then decides.

    Args:
        spec: the network.
        sizes: height and width of the images that it is shown, such as the crop that it is trained on.

    Raises:
        NetworkError: it cannot be built, or an image of one of the sizes cannot pass.
        WeightsError: pre-trained weights that are not there, or unknown to the library.
    """
    if isinstance(spec, config.DilatedResNetConfig):
        return  # takes any size
    check_names(spec)
    check_weights(spec)
    try:
        _pass_through(_from_scratch(spec), sizes, "meta")
    except Exception:
        _pass_through(_from_scratch(spec), sizes, "cpu")


def _from_scratch(spec: config.SegmentationModelConfig) -> config.SegmentationModelConfig:
    return spec.model_copy(update={"weights": None})


@torch.no_grad()
def _pass_through(spec: config.SegmentationModelConfig, sizes: Sequence[tuple[int, int]], device: str) -> None:
    """Build a network on a device, and show it two black images of each size."""
    with torch.device(device):
        network = build_network(spec, classes=2).train()
        for height, width in sizes:
            try:
                network(torch.zeros(2, 3, height, width))
            except NetworkError:
                raise
            except Exception as error:
                raise _does_not_work(spec, f"images of {height} x {width} cannot pass", error) from None


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_macs(network: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-accumulates of one forward pass of one image of `size` = (height, width), by torch's count."""
    training = network.training
    counter = FlopCounterMode(display=False)
    parameter = next(network.parameters())
    with torch.no_grad(), counter:
        network.eval()(torch.zeros(1, 3, *size, dtype=parameter.dtype, device=parameter.device))
    network.train(training)
    return int(counter.get_total_flops()) // 2

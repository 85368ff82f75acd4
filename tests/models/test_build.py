"""Networks are built by name and seed, their cost is counted, and what cannot be built is told."""

import re
from typing import Any

import pytest
import torch

from pfs.config.networks import DilatedResNetConfig
from pfs.models import check_network, count_macs, segmentation_model
from pfs.models.segmentation_model import WORKING, NetworkError
from tests.models.small_networks import named, noise, small, spec


def test_macs_of_a_convolution_are_counted_by_hand() -> None:
    class OneConvolution(torch.nn.Conv2d):
        pass

    network = OneConvolution(3, 5, 3, padding=1, bias=False)
    assert count_macs(network, (8, 6)) == 3 * 5 * 3 * 3 * 8 * 6
    assert network.training  # left as it was


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(NetworkError, match="unknown encoder 'resnet81'; did you mean resnet18"):
        named("fpn", "resnet81")
    with pytest.raises(NetworkError, match=r"unknown architecture 'fnp'.*valid choices: .*fpn"):
        named("fnp", "resnet18")
    with pytest.raises(NetworkError, match="unknown architecture 'dpt'"):
        named("dpt", "resnet18")
    with pytest.raises(NetworkError, match=r"fpn on tu-resnet81: it cannot be built \(Unknown model"):
        named("fpn", "tu-resnet81")
    with pytest.raises(NetworkError, match=r"pspnet on vgg11: .*do not support dilated mode"):
        named("pspnet", "vgg11")


def test_a_crop_that_does_not_fit_is_told_with_one_that_does() -> None:
    words = r"fpn on resnet18: a crop or image of 360 x 480 does not fit, .* multiples of 32: 384 x 480 would"
    with pytest.raises(NetworkError, match=words):
        check_network(spec("fpn", "resnet18"), [(384, 480), (360, 480)])
    with pytest.raises(NetworkError, match=r"65 x 65 does not fit.*96 x 96 would"):
        named("fpn", "resnet18")(noise(65, 65))
    check_network(spec("fpn", "resnet18"), [(384, 480)])
    check_network(spec("deeplabv3", "resnet18", weights="imagenet"), [(513, 513)])  # nothing is fetched
    check_network(DilatedResNetConfig(name="dilated_resnet", width=8), [(513, 513)])


# Of the library's reasons, a word each: errors of many types, some of them without a word.
FAILING = {
    "tu-selecsls42": "it cannot be built .*unexpected keyword argument 'output_stride'",  # TypeError
    "tu-ghostnet_050": "it cannot be built .*dilation not supported",  # AssertionError
    "tu-vgg11": r"it cannot be built \(AssertionError\)",
    "tu-vit_base_mci_224": "it cannot be built .*downsampling pattern",
    "tu-halonet26t": r"images of 96 x 64 cannot pass \(AssertionError\)",
}


@pytest.mark.parametrize("encoder", FAILING)
def test_whatever_an_encoder_fails_of_is_one_line_with_encoders_that_work(encoder: str) -> None:
    with pytest.raises(NetworkError) as told:
        check_network(spec("deeplabv3plus", encoder), [(96, 64)])
    message = str(told.value)
    assert re.fullmatch(rf"deeplabv3plus on {encoder}: {FAILING[encoder]}.*: {', '.join(WORKING)}", message)


@pytest.mark.parametrize("architecture", ["unetplusplus", "segformer"])
@pytest.mark.parametrize("encoder", WORKING)
def test_the_encoders_that_are_advised_work(architecture: str, encoder: str) -> None:
    check_network(spec(architecture, encoder), [(64, 64)])


def test_a_layer_that_needs_numbers_is_tried_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device there are none, and that it fails there says nothing of the network."""
    forward = segmentation_model.SegmentationModel.forward

    def asks(self: segmentation_model.SegmentationModel, images: torch.Tensor) -> Any:
        assert images.sum().item() == 0
        return forward(self, images)

    monkeypatch.setattr(segmentation_model.SegmentationModel, "forward", asks)
    check_network(spec("fpn", "resnet18"), [(64, 64)])


def test_the_seed_sets_the_weights() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(small().state_dict()["classifier.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])

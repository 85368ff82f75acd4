"""Networks by name: shapes, sizes, and clear words for what cannot be built."""

import pytest
import torch
import torch.nn.functional as F

from pfs.networks import NetworkError, build_network, count_macs, count_parameters
from pfs.prediction import upsample
from pfs.study import DilatedResNet, SegmentationModel


def small(width: int = 8) -> torch.nn.Module:
    return build_network(DilatedResNet(name="dilated_resnet", width=width), 11)


def named(architecture: str, encoder: str, weights: str | None = None) -> torch.nn.Module:
    spec = SegmentationModel(name="segmentation_model", architecture=architecture, encoder=encoder, weights=weights)
    return build_network(spec, 11)


def test_dilated_resnet_has_the_calibrated_size() -> None:
    assert count_parameters(small(48)) == pytest.approx(2.9e6, rel=0.01)
    assert count_parameters(small(16)) == pytest.approx(0.32e6, rel=0.02)


def test_dilated_resnet_answers_at_a_quarter_of_the_resolution() -> None:
    logits, features, _ = small()(torch.zeros(2, 3, 64, 48))
    assert logits.shape == (2, 11, 16, 12)
    assert features.shape == (2, 32, 16, 12)
    assert features.min() >= 0  # after the last ReLU


def test_the_tap_changes_the_features_and_nothing_else() -> None:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    taps = {}
    for tap in ("stage4", "before_relu", "stage3"):
        torch.manual_seed(0)
        taps[tap] = build_network(DilatedResNet(name="dilated_resnet", width=8, tap=tap), 11).eval()(images)
        assert torch.equal(taps[tap].logits, taps["stage4"].logits)
    assert taps["before_relu"].features.min() < 0
    assert torch.equal(taps["before_relu"].features.relu(), taps["stage4"].features)
    assert taps["stage3"].features.shape == taps["stage4"].features.shape
    assert not torch.equal(taps["stage3"].features, taps["stage4"].features)


def test_macs_of_a_convolution_are_counted_by_hand() -> None:
    class OneConvolution(torch.nn.Conv2d):
        pass

    network = OneConvolution(3, 5, 3, padding=1, bias=False)
    assert count_macs(network, (8, 6)) == 3 * 5 * 3 * 3 * 8 * 6
    assert network.training  # left as it was


@pytest.mark.parametrize("architecture", ["deeplabv3plus", "fpn", "unet"])
def test_segmentation_models_answer_with_features_on_the_logits_grid(architecture: str) -> None:
    prediction = named(architecture, "resnet18").eval()(torch.zeros(1, 3, 64, 64))
    assert prediction.logits.shape[1] == 11
    assert prediction.features.shape[-2:] == prediction.logits.shape[-2:]


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(NetworkError, match="unknown encoder 'resnet81'; did you mean resnet18"):
        named("fpn", "resnet81")
    with pytest.raises(NetworkError, match=r"unknown architecture 'fnp'.*valid choices: .*fpn"):
        named("fnp", "resnet18")
    with pytest.raises(NetworkError, match="unknown architecture 'dpt'"):
        named("dpt", "resnet18")
    with pytest.raises(NetworkError, match="pretrained weights `imagenot`"):
        named("fpn", "resnet18", weights="imagenot")


def test_weights_that_cannot_be_fetched_say_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import segmentation_models_pytorch

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(segmentation_models_pytorch, "create_model", unreachable)
    with pytest.raises(NetworkError, match=r"'imagenet' weights cannot be fetched.*weights: null"):
        named("fpn", "resnet18", weights="imagenet")


def test_the_seed_sets_the_weights() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(small().state_dict()["classifier.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_upsampling_first_seen_without_gradients_can_have_them_later() -> None:
    coarse = torch.randn(1, 2, 3, 3, requires_grad=True)
    with torch.inference_mode():
        upsample(coarse, (11, 13))
    upsample(coarse, (11, 13)).sum().backward()  # type: ignore[no-untyped-call]
    assert coarse.grad is not None


def test_upsample_is_bilinear_interpolation() -> None:
    coarse = torch.randn(2, 3, 5, 7)
    expected = F.interpolate(coarse, size=(20, 33), mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(coarse, (20, 33)), expected)
    assert upsample(coarse, (5, 7)) is coarse

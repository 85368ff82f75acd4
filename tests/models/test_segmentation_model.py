"""Networks by name: shapes, sizes, and clear words for what cannot be built."""

import pytest
import torch
import torch.nn.functional as F

from pfs.losses import pfs_loss
from pfs.losses.prediction import upsample
from pfs.models import count_parameters
from pfs.models.segmentation_model import WORKING, NetworkError
from tests.models.small_networks import named, noise

pytestmark = pytest.mark.trains


@pytest.mark.parametrize("architecture", ["deeplabv3plus", "fpn", "unet"])
def test_segmentation_models_answer_with_features_on_the_logits_grid(architecture: str) -> None:
    prediction = named(architecture, "resnet18").eval()(torch.zeros(1, 3, 64, 64))
    assert prediction.logits.shape[1] == 11
    assert prediction.features.shape[-2:] == prediction.logits.shape[-2:]


# What the paper's studies are made of.
ENCODERS = list(WORKING)
DILATED = [("deeplabv3", 8), ("deeplabv3", 16), ("deeplabv3plus", 8), ("deeplabv3plus", 16), ("pspnet", 8)]


@pytest.mark.parametrize(
    ("architecture", "stride", "encoder"),
    [*((*named, "resnet18") for named in DILATED), *(("deeplabv3plus", 8, encoder) for encoder in ENCODERS[1:])],
)
def test_the_encoder_has_the_output_stride_that_is_named(architecture: str, stride: int, encoder: str) -> None:
    network = named(architecture, encoder, output_stride=stride, feature_layer="encoder")
    logits, features = network.eval()(noise(32, 48))
    assert features.shape == (1, network.channels, 32 // stride, 48 // stride)
    of_logits = 4 if architecture == "deeplabv3plus" else stride
    assert logits.shape == (1, 11, 32 // of_logits, 48 // of_logits)


@pytest.mark.parametrize(("architecture", "stride"), [("deeplabv3", 8), ("deeplabv3plus", 16), ("pspnet", 8)])
def test_output_strides_are_the_papers_where_the_study_names_none(architecture: str, stride: int) -> None:
    features = named(architecture, "resnet18", feature_layer="encoder").eval()(noise(64, 64)).features
    assert features.shape[-1] == 64 // stride


@pytest.mark.parametrize("architecture", ["deeplabv3", "deeplabv3plus", "pspnet", "fpn", "unet"])
def test_the_decoder_s_features_are_what_the_classifier_reads(architecture: str) -> None:
    decoder, encoder = (
        named(architecture, "resnet18", feature_layer=feature_layer).eval() for feature_layer in ("decoder", "encoder")
    )
    logits, features = decoder(noise(32, 32))
    assert features.shape[1] == decoder.channels
    assert torch.equal(decoder.model.segmentation_head[0](features), logits)
    assert torch.equal(encoder(noise(32, 32)).logits, logits)  # a tap changes nothing else
    assert torch.equal(encoder(noise(32, 32)).features, encoder.model.encoder(noise(32, 32))[-1])


@pytest.mark.parametrize("architecture", ["fpn", "pspnet"])
def test_no_feature_is_dropped_in_training(architecture: str) -> None:
    network = named(architecture, "resnet18").train()
    features = network(noise(64, 64).expand(2, -1, -1, -1)).features
    assert (features.flatten(2) != 0).any(2).all()
    assert network.dropout.p > 0  # the classifier still has it


@pytest.mark.parametrize("feature_layer", ["decoder", "encoder"])
def test_networks_that_differ_in_all_can_be_distilled(feature_layer: str) -> None:
    teacher, student = (
        named(*names, feature_layer=feature_layer).eval()
        for names in (("pspnet", "resnet50"), ("deeplabv3plus", "mobilenet_v2"))
    )
    with torch.no_grad():
        target = teacher(noise(65, 65)).features
    loss = pfs_loss(student(noise(65, 65)).features, target)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss > 0
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)


@pytest.mark.parametrize("encoder", [*ENCODERS, "timm-tf_efficientnet_lite0", "efficientnet-b0"])
def test_every_parameter_that_is_counted_takes_part(encoder: str) -> None:
    network = named("pspnet", encoder).eval()
    network(noise(32, 32)).logits.sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert count_parameters(network) == sum(p.numel() for p in network.parameters())


def test_pspnet_s_parts_have_the_sizes_of_its_paper() -> None:
    network = named("pspnet", "resnet101")
    pyramid = 4 * 2048 * 512 + 3 * 2 * 512 + 512  # four 1 x 1 convolutions, normalised but for the mean of all, a bias
    fusion = (2048 + 4 * 512) * 512 * 9 + 2 * 512  # 3 x 3
    classifier = 512 * 11 + 11
    encoder = count_parameters(network.model.encoder)
    assert encoder == 42_500_160  # ResNet-101 without its classifier
    assert count_parameters(network) == encoder + pyramid + fusion + classifier


def test_deeplab_s_atrous_rates_follow_the_output_stride() -> None:
    for stride, rates in ((16, [6, 12, 18]), (8, [12, 24, 36])):
        aspp = named("deeplabv3", "resnet18", output_stride=stride).model.decoder.aspp
        assert [branch[0].dilation[0] for branch in aspp.convs[1:4]] == rates


@pytest.mark.parametrize(("architecture", "stride"), DILATED)
def test_sizes_that_are_a_stride_and_a_pixel_work(architecture: str, stride: int) -> None:
    network = named(architecture, "resnet18", output_stride=stride).eval()
    logits, features = network(noise(65, 97))
    step = 4 if architecture == "deeplabv3plus" else stride
    assert logits.shape[-2:] == features.shape[-2:] == (64 // step + 1, 96 // step + 1)
    assert upsample(logits, (65, 97)).shape == (1, 11, 65, 97)


@pytest.mark.parametrize("stride", [8, 16])
def test_deeplabv3plus_is_the_library_s_own_where_that_works(stride: int) -> None:
    network = named("deeplabv3plus", "resnet18", output_stride=stride).eval()
    stages = network.model.encoder(noise(64, 96))
    expected = network.model.segmentation_head[0](network.model.decoder(stages))
    torch.testing.assert_close(network(noise(64, 96)).logits, expected)


def test_an_enlarged_image_is_answered_as_many_times_finer() -> None:
    plain, twice = (named("fpn", "resnet18", input_scale=input_scale).eval() for input_scale in (None, 2))
    twice.load_state_dict(plain.state_dict())
    image = noise(96, 112)
    larger = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    logits, features = twice(image)
    assert logits.shape[-2:] == features.shape[-2:] == (48, 56)
    for ours, expected in zip((logits, features), plain(larger), strict=True):
        torch.testing.assert_close(ours, expected)
    assert (plain.multiple, twice.multiple) == (32, 16)
    with pytest.raises(NetworkError, match=r"65 x 65 does not fit.* multiples of 16: 80 x 80 would"):
        twice(noise(65, 65))

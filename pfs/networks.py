"""Teachers and students by name. Every network returns a `Prediction`."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pfs import study
from pfs.prediction import Prediction
from pfs.strict import StudyError, choices


class NetworkError(StudyError):
    """A network that a study names cannot be built."""


def build_network(spec: study.Network, classes: int) -> nn.Module:
    """The network that a study names, with weights from torch's global random state (or as the spec says).

    Raises:
        NetworkError: an unknown architecture or encoder, or weights that cannot be had.
    """
    match spec:
        case study.DilatedResNet():
            return DilatedResNet(spec.width, classes, spec.tap)
        case study.SegmentationModel():
            return SegmentationModel(spec, classes)


class DilatedResNet(nn.Module):
    """A small residual network for small images: output stride 4, the last stages dilated instead of strided.

    A 64 x 64 image gives a 16 x 16 map of 4 * width features.

    Args:
        width: channels of the first stage; the others have 2, 4 and 4 times as many. Its square sets the cost.
        classes: channels of the logits.
        tap: which features to distil: "stage4", those that the classifier reads, after the last ReLU; "before_relu",
            the same before it; "stage3", those of the stage before.
    """

    def __init__(self, width: int, classes: int, tap: str = "stage4") -> None:
        super().__init__()
        self.tap = tap
        self.channels = 4 * width
        self.multiple = 1  # any size will do
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential()
        source = width
        for channels, stride, dilation in ((width, 1, 1), (2 * width, 2, 1), (4 * width, 1, 2), (4 * width, 1, 4)):
            first, second = _Block(source, channels, stride, dilation), _Block(channels, channels, 1, dilation)
            self.stages.append(nn.Sequential(first, second))
            source = channels
        self.classifier = nn.Conv2d(source, classes, 1)

    def forward(self, images: Tensor) -> Prediction:
        """Images (B, 3, H, W) to logits (B, classes, H/4, W/4) and features (B, 4 * width, H/4, W/4)."""
        stage3 = self.stages[:3](self.stem(images))
        before_relu = self.stages[3](stage3)
        features = F.relu(before_relu)
        match self.tap:
            case "stage3":
                tapped = F.relu(stage3)
            case "before_relu":
                tapped = before_relu
            case _:
                tapped = features
        return Prediction(self.classifier(features), tapped)


class _Block(nn.Module):
    """The basic residual block (He et al. 2015, arXiv 1512.03385), its 3 x 3 convolutions dilated.

    The ReLU that ends a block stands at the beginning of the next, so that features can be taken before it.
    """

    def __init__(self, source: int, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(source, channels, 3, stride, dilation, dilation, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or source != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(source, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        residual = F.relu(self.norm1(self.conv1(x)), inplace=True)
        total: Tensor = self.norm2(self.conv2(residual)) + self.shortcut(x)
        return total


class SegmentationModel(nn.Module):
    """An architecture and encoder of segmentation-models-pytorch, asked for its features too.

    The features are the decoder's output, which the classifier reads; the logits stay at the decoder's
    resolution.

    Args:
        spec: the names of the architecture, the encoder and its pre-trained weights.
        classes: channels of the logits.

    Raises:
        NetworkError: a name that the library does not know, or weights that cannot be loaded.
    """

    def __init__(self, spec: study.SegmentationModel, classes: int) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp  # heavy: only where a study names one of its networks

        check_names(spec)
        try:
            self.model: Any = smp.create_model(
                spec.architecture, spec.encoder, encoder_weights=spec.weights, classes=classes
            )
        except (KeyError, RuntimeError) as error:  # unknown weights; an encoder that timm does not have
            raise NetworkError(f"{spec.architecture} on {spec.encoder}: {error.args[0]}") from None
        except OSError as error:
            raise NetworkError(
                f"{spec.encoder}: its {spec.weights!r} weights cannot be fetched ({error}); "
                "connect to the network once, or say `weights: null` to train from scratch"
            ) from error

    @property
    def channels(self) -> int:
        """Of the features."""
        return int(self.model.segmentation_head[0].in_channels)

    @property
    def multiple(self) -> int:
        """What height and width of the images must be multiples of."""
        return int(self.model.encoder.output_stride) if self.model.requires_divisible_input_shape else 1

    def forward(self, images: Tensor) -> Prediction:
        """Images (B, 3, H, W), normalised, to logits and features at the decoder's resolution."""
        self.model.check_input_shape(images)
        features = self.model.decoder(self.model.encoder(images))
        return Prediction(self.model.segmentation_head[0](features), features)


def check_names(spec: study.SegmentationModel) -> None:
    """Raise a NetworkError with the valid names unless the library knows the architecture and the encoder."""
    import segmentation_models_pytorch as smp

    # Its DPT has an encoder that answers with more than features.
    architectures = [name for name in smp.MODEL_ARCHITECTURES_MAPPING if name != "dpt"]
    encoders = smp.encoders.get_encoder_names()
    if spec.architecture not in architectures:
        raise NetworkError(f"unknown architecture {spec.architecture!r}{choices(spec.architecture, architectures)}")
    if spec.encoder not in encoders and not spec.encoder.startswith("tu-"):  # tu-: any of timm's
        raise NetworkError(f"unknown encoder {spec.encoder!r}{choices(spec.encoder, encoders)}")


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

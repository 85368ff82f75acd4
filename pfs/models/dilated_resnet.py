"""The network for small images that studies on a processor train."""

import torch.nn.functional as F
from torch import Tensor, nn

from pfs.losses import Prediction
from pfs.models.convolutions import mend_convolutions


class DilatedResNet(nn.Module):
    """A small residual network for small images: output stride 4, the last stages dilated instead of strided.

    A 64 x 64 image gives a 16 x 16 map of 4 * width features.

    Args:
        width: channels of the first stage; the others have 2, 4 and 4 times as many. Its square sets the cost.
        classes: channels of the logits.
        feature_layer: which features to distil: "stage4", those that the classifier reads, after the last ReLU;
            "before_relu", the same before it; "stage3", those of the stage before.
    """

    def __init__(self, width: int, classes: int, feature_layer: str = "stage4") -> None:
        super().__init__()
        self.feature_layer = feature_layer
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
        mend_convolutions(self)

    def forward(self, images: Tensor) -> Prediction:
        """Images (B, 3, H, W) to logits (B, classes, H/4, W/4) and features (B, 4 * width, H/4, W/4)."""
        stage3 = self.stages[:3](self.stem(images))
        before_relu = self.stages[3](stage3)
        features = F.relu(before_relu)
        match self.feature_layer:
            case "stage3":
                chosen = F.relu(stage3)
            case "before_relu":
                chosen = before_relu
            case _:
                chosen = features
        return Prediction(self.classifier(features), chosen)


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

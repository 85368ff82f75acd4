"""A network whose predictions and features are known beforehand."""

import torch
from torch import Tensor, nn

from pfs.losses import Prediction


class Painter(nn.Module):
    """Predicts the class that the image's first channel names; its features are the image."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Prediction:
        classes = torch.arange(4.0).view(1, 4, 1, 1)
        return Prediction(-(images[:, :1] * 63.75 + 127.5 - classes).abs(), images)

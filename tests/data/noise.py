"""Images of noise, and a small teacher for them."""

import torch
from torch import nn

from pfs.models.dilated_resnet import DilatedResNet


def images(scenes: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (scenes, 3, 16, 16), generator=generator, dtype=torch.uint8)


def small_teacher() -> nn.Module:
    torch.manual_seed(0)
    return DilatedResNet(4, 11).eval()

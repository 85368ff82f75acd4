"""Networks that are small enough for tests."""

from typing import Any

import torch

from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.models import build_network


def small(width: int = 8) -> torch.nn.Module:
    return build_network(DilatedResNetConfig(name="dilated_resnet", width=width), 11)


def spec(architecture: str, encoder: str, **options: Any) -> SegmentationModelConfig:
    return SegmentationModelConfig(name="segmentation_model", architecture=architecture, encoder=encoder, **options)


def named(architecture: str, encoder: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return build_network(spec(architecture, encoder, **options), 11)


def noise(*size: int) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))

"""A few Digit Scenes with the outputs of a random teacher."""

import pytest
import torch

from pfs.models.dilated_resnet import DilatedResNet
from pfs.walkthrough.lessons.runs.scenes import Scenes, draw_scenes


@pytest.fixture(scope="session")
def teacher() -> DilatedResNet:
    """A random teacher in eval mode."""
    torch.manual_seed(7)
    network = DilatedResNet(4, 11)
    network.eval()
    return network


@pytest.fixture(scope="session")
def scenes(teacher: DilatedResNet) -> Scenes:
    """Eight scenes to learn from and three to score."""
    return draw_scenes(8, teacher, test=3)

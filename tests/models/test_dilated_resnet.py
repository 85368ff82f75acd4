"""The small dilated network: its size, its grid, and where its features are taken."""

import pytest
import torch

from pfs.config.networks import DilatedResNetConfig
from pfs.models import build_network, count_parameters
from tests.models.small_networks import small


def test_dilated_resnet_has_the_calibrated_size() -> None:
    assert count_parameters(small(48)) == pytest.approx(2.9e6, rel=0.01)
    assert count_parameters(small(16)) == pytest.approx(0.32e6, rel=0.02)


def test_dilated_resnet_answers_at_a_quarter_of_the_resolution() -> None:
    logits, features = small()(torch.zeros(2, 3, 64, 48))
    assert logits.shape == (2, 11, 16, 12)
    assert features.shape == (2, 32, 16, 12)
    assert features.min() >= 0  # after the last ReLU


def test_the_tap_changes_the_features_and_nothing_else() -> None:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    feature_layers = {}
    for feature_layer in ("stage4", "before_relu", "stage3"):
        torch.manual_seed(0)
        feature_layers[feature_layer] = build_network(
            DilatedResNetConfig(name="dilated_resnet", width=8, feature_layer=feature_layer), 11
        ).eval()(images)
        assert torch.equal(feature_layers[feature_layer].logits, feature_layers["stage4"].logits)
    assert feature_layers["before_relu"].features.min() < 0
    assert torch.equal(feature_layers["before_relu"].features.relu(), feature_layers["stage4"].features)
    assert feature_layers["stage3"].features.shape == feature_layers["stage4"].features.shape
    assert not torch.equal(feature_layers["stage3"].features, feature_layers["stage4"].features)

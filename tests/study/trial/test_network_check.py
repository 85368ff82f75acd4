"""A network is tried at the sizes that it will see, and what it cannot do is told in one line."""

import pytest
import torch
from torch import Tensor, nn

from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.losses import Prediction
from pfs.models.segmentation_model import NetworkError
from pfs.study.trial import network_check
from pfs.study.trial.data_check import StudyImages
from pfs.study.trial.network_check import check_forward
from tests.study.trial.small_study import COUNTS

NETWORK = DilatedResNetConfig(name="dilated_resnet", width=1)


def test_features_of_one_pixel_are_enough_for_batch_normalisation_in_a_batch() -> None:
    check_forward(NETWORK, StudyImages(3, (4, 4), ((4, 4),), COUNTS), None)


class Broken(nn.Module):
    """A network whose outputs, or whose error, a test sets."""

    channels, multiple = 2, 1

    def __init__(self, logits: Tensor, features: Tensor | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.outputs = Prediction(logits, torch.zeros(2, 2, 4, 4) if features is None else features)
        self.error = error

    def forward(self, _: Tensor) -> Prediction:
        if self.error:
            raise self.error
        return self.outputs


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Broken(torch.zeros(2, 4, 4, 4)), r"logits are \(2, 4, 4, 4\) and should be \(2, 3, height, width\)"),
        (Broken(torch.zeros(2, 3, 4, 4), torch.zeros(2, 9, 4, 4)), r"features are \(2, 9, 4, 4\) and should"),
        (Broken(torch.zeros(2, 3, 4, 4), torch.zeros(2, 2)), r"features are \(2, 2\) and should"),
        (Broken(torch.full((2, 3, 4, 4), torch.nan)), "logits of noise are not finite"),
        (Broken(torch.zeros(2, 3, 4, 4), error=IndexError("tuple\nindex")), "IndexError: tuple index"),
        (Broken(torch.zeros(2, 3, 4, 4), error=AssertionError()), "AssertionError"),
    ],
)
def test_outputs_that_no_loss_can_take_are_told_in_one_line(
    network: nn.Module, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_check, "build_network", lambda *_: network)
    spec = SegmentationModelConfig(name="segmentation_model", architecture="deeplabv3plus", encoder="tu-any")
    with pytest.raises(NetworkError, match=words) as caught:
        check_forward(spec, StudyImages(3, (8, 8), ((8, 8),), COUNTS), None)
    assert str(caught.value).startswith("deeplabv3plus on tu-any: in training, images of 8 x 8 fail (")
    assert len(str(caught.value).splitlines()) == 1

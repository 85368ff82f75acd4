"""What the data and the networks of a study do not allow is told before its first run starts."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pfs.config.data import Evaluation
from pfs.losses import Prediction
from pfs.models.segmentation_model import NetworkError
from pfs.study.places import runs_of
from pfs.study.trial import network_check
from pfs.study.trial.data_check import StudyImages
from pfs.study.trial.network_check import check_forward
from pfs.study.trial.preflight import preflight
from tests.study.trial.small_study import COUNTS, DIGITS, STUDY, study


def test_networks_are_shown_the_crop_and_the_smallest_and_largest_image(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, ...]] = []

    class Watched(nn.Module):
        channels, multiple = 4, 16

        def forward(self, images: Tensor) -> Prediction:
            shown.append((self.training, *images.shape))
            return Prediction(torch.zeros(len(images), 3, 4, 4), torch.zeros(len(images), 4, 4, 4))

    monkeypatch.setattr(network_check, "build_network", lambda *_: Watched())
    spec = study(tmp_path, evaluation={"scales": [0.5, 2.0], "window": [48, 64]})
    preflight(spec, {("ce", 0)}, data)
    # 20 x 30 at scale 0.5, and 40 x 26 at scale 2 as far as the window reaches; in multiples of 16.
    assert shown == [(True, 2, 3, 16, 24), (False, 1, 3, 16, 16), (False, 1, 3, 48, 64)]


@pytest.mark.parametrize(
    ("stale", "built"),
    [([], []), ([("ce", 0)], [1]), ([("teacher", 0)], [2]), ([("teacher", 0), ("ce", 0)], [2, 1])],
)
def test_only_networks_that_will_be_trained_are_tried(
    tmp_path: Path, data: Path, stale: list[tuple[str, int]], built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(network_check, "check_forward", lambda spec, *_: tried.append(spec.width))
    preflight(study(tmp_path), stale, data if stale else tmp_path / "none")
    assert tried == built


def test_a_network_that_cannot_take_whole_images_is_told_as_the_student_s(tmp_path: Path, data: Path) -> None:
    network = {"name": "segmentation_model", "architecture": "linknet", "encoder": "resnet18"}
    spec = study(
        tmp_path,
        student={**STUDY["student"], "network": network},
        data=DIGITS,
        augmentation={"crop": [32, 32]},
        evaluation=None,
    )
    preflight(spec, runs_of(spec), data)  # 64 x 64 will do
    images = StudyImages(11, (32, 32), ((60, 60),), COUNTS)
    with pytest.raises(NetworkError, match=r"image of 60 x 60 does not fit.*multiples of 32: 64 x 64 would"):
        check_forward(spec.student.network, images, None)
    check_forward(spec.student.network, images, Evaluation())  # which pads

"""What the data and the networks of a study do not allow is told before its first run starts."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from pfs.config.base import StudyError
from pfs.config.data import Evaluation
from pfs.config.load import load_study
from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.config.study import Study
from pfs.data.build import PLACED
from pfs.data.install.place import place
from pfs.data.sets.digit_drawing import SIZE
from pfs.losses import Prediction
from pfs.models.segmentation_model import NetworkError
from pfs.study.places import runs_of
from pfs.study.trial import miniatures, network_check
from pfs.study.trial.data_check import StudyImages, check_data
from pfs.study.trial.network_check import check_forward
from pfs.study.trial.preflight import preflight

SCHEDULE = {"steps": 2, "batch_size": 2, "learning_rate": 1.0e-3}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "folder", "folder": "own", "holdout": 2},
    "augmentation": {"crop": [16, 24]},
    "evaluation": {},
    "teacher": {"network": {"name": "dilated_resnet", "width": 2}, **SCHEDULE},
    "student": {"network": {"name": "dilated_resnet", "width": 1}, **SCHEDULE},
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}
DIGITS = {"name": "digit_scenes", "train": 9}
NETWORK = DilatedResNetConfig(name="dilated_resnet", width=1)


def study(folder: Path, **changes: Any) -> Study:
    """The study above with other blocks; None takes a block away."""
    content = {key: value for key, value in {**STUDY, **changes}.items() if value is not None}
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_study(file)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets that holds one: six images for training and two for val, upright and lying."""
    root = tmp_path_factory.mktemp("data")
    own = miniatures.own_folder(root / "source" / "own", train=6, val=2, sizes=((20, 30), (40, 26)))
    place(PLACED["folder"], root, source=own)
    return root


# --- data -----------------------------------------------------------------------------------------------------


def test_sizes_and_classes_are_those_of_the_data(tmp_path: Path, data: Path) -> None:
    assert check_data(study(tmp_path), data) == StudyImages(3, (16, 24), ((20, 30), (40, 26)))


def test_digit_scenes_are_not_drawn_only_to_be_looked_at(tmp_path: Path) -> None:
    digits = study(tmp_path, data=DIGITS, augmentation=None, evaluation=None)
    assert check_data(digits, tmp_path / "none") == StudyImages(11, (SIZE, SIZE), ((SIZE, SIZE),))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"name": "folder", "folder": "other"}}, "data: .*folder-other has not been verified.*run pfs data"),
        ({"data": {"name": "folder", "folder": "own"}}, "data: there is no test split, only train, val: say .*holdout"),
        ({"data": {"name": "folder", "folder": "own", "holdout": 6}}, "data: .*holdout: 6 leaves none to learn from"),
        ({"student": {**STUDY["student"], "batch_size": 5}}, r"student.batch_size: 5 is more than the 4 images"),
        ({"teacher": {**STUDY["teacher"], "batch_size": 9}}, r"teacher.batch_size: 9 is more than the 4 images"),
        (
            {"augmentation": None},
            r"augmentation: images of train are of 2 sizes, from 20 x 30 to 40 x 26: say in augmentation a crop",
        ),
        ({"evaluation": None}, r"evaluation: images of val and test are of 2 sizes, from 20 x 30 to 40 x 26: say"),
    ],
)
def test_data_that_do_not_fit_the_study_are_told_before_a_network_is_built(
    tmp_path: Path, data: Path, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_check, "build_network", None)  # would be a TypeError
    spec = study(tmp_path, **changes)
    with pytest.raises(StudyError, match=f"^study tiny: {words}") as caught:
        preflight(spec, runs_of(spec), data)
    assert len(str(caught.value).splitlines()) == 1


def test_an_image_that_is_gone_or_no_image_is_named(tmp_path: Path, data: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root, symlinks=False)
    file = next((root / "folder-own" / "images" / "val").iterdir())
    file.write_bytes(b"no image")
    with pytest.raises(StudyError, match=f"data: {file} cannot be read as an image"):
        check_data(study(tmp_path), root)


# --- networks ---------------------------------------------------------------------------------------------------


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
    images = StudyImages(11, (32, 32), ((60, 60),))
    with pytest.raises(NetworkError, match=r"image of 60 x 60 does not fit.*multiples of 32: 64 x 64 would"):
        check_forward(spec.student.network, images, None)
    check_forward(spec.student.network, images, Evaluation())  # which pads


def test_features_of_one_pixel_are_enough_for_batch_normalisation_in_a_batch() -> None:
    check_forward(NETWORK, StudyImages(3, (4, 4), ((4, 4),)), None)


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
        check_forward(spec, StudyImages(3, (8, 8), ((8, 8),)), None)
    assert str(caught.value).startswith("deeplabv3plus on tu-any: in training, images of 8 x 8 fail (")
    assert len(str(caught.value).splitlines()) == 1

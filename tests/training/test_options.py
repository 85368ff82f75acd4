"""Every option of a schedule, of augmentation, of scoring and of the small network changes numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor

from pfs.config import data as config
from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.config.study import AdamWConfig, OneCycle, Poly, SgdConfig, Training
from pfs.data.augmentation import AugmentedViews
from pfs.data.dataset import SegmentationDataset
from pfs.models import build_network
from pfs.models.inference import class_probabilities, predict
from pfs.training.loop import build_optimizer

SCHEDULE = {"network": {"name": "dilated_resnet", "width": 2}, "steps": 6, "learning_rate": 0.1}
SGD, POLY = {"name": "sgd"}, {"name": "poly"}
VIEWS: dict[str, Any] = {"crop": [6, 8], "count": 2}
NETWORK = {"name": "dilated_resnet", "width": 2}


def trained(**said: Any) -> Tensor:
    """Two weights after the steps of a schedule, from gradients that do not depend on it."""
    spec = Training.model_validate({**SCHEDULE, **said})
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer, scheduler = build_optimizer(spec, [weights])
    for step in range(spec.steps):
        weights.grad = torch.tensor([1.0, 0.5 - step])
        optimizer.step()
        scheduler.step()
    return weights.detach()


def drawn(**said: Any) -> Tensor:
    """All views of one image, as the network is shown them."""
    spec = config.AugmentationConfig.model_validate({**VIEWS, **said})
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    read = (Image.fromarray(pixels), Image.fromarray(pixels[..., 0] % 3))
    views = AugmentedViews(_OneImage(*read), spec)
    return torch.cat([views[view][0].flatten() for view in range(spec.count)])


class _OneImage(SegmentationDataset):
    """A split of one image, without a folder."""

    def __init__(self, image: Image.Image, mask: Image.Image) -> None:
        self.image, self.mask = image, mask

    def __len__(self) -> int:
        return 1

    def __getitem__(self, row: int) -> tuple[Image.Image, Image.Image]:
        return self.image, self.mask


def scored(**said: Any) -> Tensor:
    """The class probabilities of one image."""
    image = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    return class_probabilities(_network(), image, config.Evaluation.model_validate(said))


@cache
def _network(feature_layer: str = "stage4", width: int = 2) -> torch.nn.Module:
    torch.manual_seed(0)
    spec = DilatedResNetConfig.model_validate({**NETWORK, "feature_layer": feature_layer, "width": width})
    return build_network(spec, 3).eval()


def features(**said: Any) -> Tensor:
    """What a student or a teacher gives to the losses of features."""
    image = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answer: Tensor = _network(**said)(image).features
    return answer


EFFECTS: list[tuple[Callable[..., Tensor], dict[str, Any], dict[str, Any]]] = [
    (trained, {}, {"steps": 5}),
    (trained, {}, {"learning_rate": 0.2}),
    (trained, {}, {"weight_decay": 0.1}),
    (trained, {}, {"optimizer": SGD}),
    (trained, {"optimizer": SGD}, {"weight_decay": 0.1}),
    (trained, {}, {"schedule": POLY}),
    (trained, {"optimizer": SGD}, {"schedule": POLY}),
    (trained, {"optimizer": SGD, "schedule": POLY}, {"optimizer": {**SGD, "momentum": 0.0}}),
    (trained, {"schedule": POLY}, {"schedule": {**POLY, "power": 2.0}}),
    (drawn, {}, {"count": 3}),
    (drawn, {}, {"crop": [6, 6]}),
    (drawn, {}, {"scale": [0.5, 2.0]}),
    (drawn, {}, {"flip": False}),
    (drawn, {}, {"color": 0.3}),
    (drawn, {}, {"seed": 1}),
    (scored, {}, {"window": [9, 12]}),
    (scored, {}, {"scales": [0.5, 1.0]}),
    (scored, {}, {"flip": True}),
    (features, {}, {"feature_layer": "stage3"}),
    (features, {}, {"feature_layer": "before_relu"}),
    (features, {}, {"width": 3}),
]


@pytest.mark.parametrize(("numbers", "beside", "said"), EFFECTS, ids=[f"{f.__name__}-{b}-{s}" for f, b, s in EFFECTS])
def test_an_option_changes_numbers(numbers: Any, beside: dict[str, Any], said: dict[str, Any]) -> None:
    before, after = numbers(**beside), numbers(**{**beside, **said})
    assert before.shape != after.shape or not torch.allclose(before, after, rtol=1e-4)


# Options whose effect other tests show, or that need none.
ELSEWHERE = {
    "name": "picks the class",
    "network": "is the network itself, and so are its architecture and its encoder",
    "architecture": "",
    "encoder": "",
    "weights": "tests of pre-trained weights",
    "output_stride": "tests of segmentation models",
    "input_scale": "tests of segmentation models",
    "batch_size": "tests of the order of the batches",
    "class_weights": "tests of class weights",
    "save_every": "changes how much a killed run loses, and no number",
    "snapshots": "tests of checkpoints and of the loop",
    "val_every": "tests of checkpoints and of runs",
}


@pytest.mark.parametrize(
    "block",
    [
        Training,
        AdamWConfig,
        SgdConfig,
        OneCycle,
        Poly,
        config.AugmentationConfig,
        config.Evaluation,
        DilatedResNetConfig,
        SegmentationModelConfig,
    ],
)
def test_every_option_of_a_block_shows_its_effect(block: type[BaseModel]) -> None:
    shown = set(ELSEWHERE)
    for _, _, said in EFFECTS:
        shown |= said.keys() | {key for value in said.values() if isinstance(value, dict) for key in value}
    assert block.model_fields.keys() <= shown


# --- what is refused changes nothing ----------------------------------------------------------------------------------


def test_one_cycle_takes_no_momentum_from_the_optimizer() -> None:
    spec = Training.model_validate({**SCHEDULE, "optimizer": SGD})
    momenta = []
    for momentum in (0.0, 0.5):  # as a study could once say it
        other = spec.model_copy(update={"optimizer": SgdConfig.model_construct(name="sgd", momentum=momentum)})
        optimizer, _ = build_optimizer(other, [torch.nn.Parameter(torch.zeros(1))])
        momenta.append(optimizer.param_groups[0]["momentum"])
    assert momenta == [0.95, 0.95]


def test_an_image_that_is_shown_whole_is_predicted_alike_with_an_empty_evaluation() -> None:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    alike = [predict(_network(), images, (64, 64), how) for how in (None, config.Evaluation())]
    assert torch.equal(*alike)

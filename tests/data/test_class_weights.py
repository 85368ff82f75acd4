"""How much each class weighs in the cross-entropy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pfs.config.methods import Method
from pfs.data.class_weights import class_shares, class_weights
from pfs.losses import Prediction
from pfs.losses.prediction import upsample
from pfs.training.objective import Objective


class Masks:
    """Pictures of four classes: half of what is scored is 0, a quarter each 1 and 2, none is 3."""

    classes = ("sky", "road", "car", "tram")
    ignore_index = 255

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[Image.Image, Image.Image]:
        mask = np.full((4, 5 - index), 255, np.uint8)
        mask[:, :2] = 0
        mask[:2, 2], mask[2:, 2] = 1, 2
        mask[:2, 3], mask[2:, 3] = 2, 1
        return Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)), Image.fromarray(mask)


def test_shares_are_of_the_scored_pixels() -> None:
    assert class_shares(Masks()).tolist() == [0.5, 0.25, 0.25, 0]  # type: ignore[arg-type]


@given(st.floats(0.01, 1))
def test_a_pixel_weighs_one_on_average_and_a_rare_one_more(balance: float) -> None:
    weights = class_weights(Masks(), balance)  # type: ignore[arg-type]
    assert weights is not None and weights.dtype == torch.float32
    assert float(weights @ torch.tensor([0.5, 0.25, 0.25, 0])) == pytest.approx(1)
    assert float(weights[1] / weights[0]) == pytest.approx(2**balance)
    assert weights[1] == weights[2] and weights[3] == 0


def test_at_one_every_class_has_the_same_part() -> None:
    weights = class_weights(Masks(), 1.0)  # type: ignore[arg-type]
    assert weights is not None
    assert torch.allclose(weights[:3] * torch.tensor([0.5, 0.25, 0.25]), torch.tensor(1 / 3))


def test_without_balance_all_pixels_are_alike() -> None:
    assert class_weights(Masks(), None) is None  # type: ignore[arg-type]


def test_the_objective_s_cross_entropy_is_torch_s_with_these_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, 6, generator=generator, requires_grad=True)
    target = torch.randint(0, 4, (2, 10, 12), generator=generator)
    target[0, :3] = 255
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0])
    objective = Objective(Method(), ignore_index=255, class_weights=weights)
    ours = objective(Prediction(logits, logits), None, target)["total"]
    reference = F.cross_entropy(upsample(logits, (10, 12)), target, weight=weights, ignore_index=255)
    torch.testing.assert_close(ours, reference)
    torch.testing.assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(reference, logits))


def test_a_checkpoint_of_the_objective_says_nothing_of_weights_that_the_data_say() -> None:
    assert not Objective(Method(), ignore_index=255, class_weights=torch.ones(4)).state_dict()

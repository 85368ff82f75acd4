"""On a GPU, each loss and its gradient are those of the CPU.

`make test-gpu` runs these and all other tests that train, which compute on the GPU by themselves where one is in sight.
"""

import os

import pytest
import torch
from torch import Tensor

from pfs.config.methods import Method
from pfs.losses import Prediction
from pfs.training.objective import Objective
from tests.training.test_terms import TERMS, switches

GPU = "cuda" if torch.cuda.is_available() else "mps"
pytestmark = [
    pytest.mark.trains,
    pytest.mark.skipif("TEST_ON_GPU" not in os.environ, reason="tests leave GPUs alone, but for `make test-gpu`"),
]


def losses_and_gradients(device: str, method: Method) -> list[Tensor]:
    """What the objective says of a fixed batch, and the gradients of its total for the student's outputs."""
    random = torch.Generator().manual_seed(0)
    said = [torch.randn(2, channels, 9, 9, generator=random).to(device) for channels in (5, 6, 5, 12)]
    labels = torch.randint(0, 5, (2, 36, 36), generator=random).to(device)
    torch.manual_seed(0)  # of the hint's first weights
    objective = Objective(method, ignore_index=255, channels=(6, 12), class_weights=torch.arange(1.0, 6.0))
    student = Prediction(said[0].requires_grad_(), said[1].requires_grad_())
    losses = objective.to(torch.device(device))(student, Prediction(said[2], said[3]), labels)
    gradients = torch.autograd.grad(losses["total"], list(student), materialize_grads=True)
    return [x.detach().cpu() for x in (*losses.values(), *gradients)]


@pytest.mark.parametrize("term", TERMS)
def test_each_loss_and_its_gradient_are_those_of_the_cpu(term: str) -> None:
    switched = dict.fromkeys(switches(TERMS[term]), True)
    for options in {}, switched:
        method = Method.model_validate({term: {"weight": 1.0, **options}})
        on_gpu, on_cpu = (losses_and_gradients(device, method) for device in (GPU, "cpu"))
        for computed, expected in zip(on_gpu, on_cpu, strict=True):
            torch.testing.assert_close(computed, expected, rtol=1e-4, atol=1e-5)

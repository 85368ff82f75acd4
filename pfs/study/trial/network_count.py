"""What one network costs, counted without a training step.

Training is counted on torch's meta device, which has the shapes of tensors and no numbers, so that a large crop takes
no memory. Scoring is counted on one image with numbers. No weights are downloaded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pfs.config.data import Evaluation
from pfs.config.networks import Network
from pfs.losses.pfs import precompute_teacher_terms
from pfs.models.build import build_network, count_macs, count_parameters
from pfs.models.inference import predict
from pfs.study.cost import FLOP_PER_MAC, NetworkCost
from pfs.study.trial.data_check import Size, StudyImages

BATCH = 2  # of images that a network is counted with: some layers take no single one in training


def network_cost(spec: Network, images: StudyImages, how: Evaluation | None) -> NetworkCost:
    """Count one network on the images of a study.

    Args:
        spec: the network; its pre-trained weights are not fetched.
        images: how large the images are, and the number of classes.
        how: the study's `evaluation`.
    """
    try:
        return _count(spec, images, how, "meta")
    except RuntimeError:  # so the meta device says that a layer needs numbers
        return _count(spec, images, how, "cpu")


@contextmanager
def _saved_for_backward(network: nn.Module) -> Iterator[dict[int, int]]:
    """Collect the size in bytes of each tensor that autograd saves meanwhile; the network's weights are left out."""
    weights = {weight.untyped_storage()._cdata for weight in network.state_dict().values()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


def _count(spec: Network, images: StudyImages, how: Evaluation | None, device: str) -> NetworkCost:
    with torch.device(device):
        network = build_network(spec, images.classes, pretrained=False)
        macs = count_macs(network, images.trained_at)
        with _saved_for_backward(network) as sizes:
            outputs = network.train()(torch.zeros(BATCH, 3, *images.trained_at))
    # The rest sets autocast, which the meta device does not have; one image at a time takes little memory.
    numbers = build_network(spec, images.classes, pretrained=False)
    terms = precompute_teacher_terms(torch.zeros(1, *outputs.features.shape[1:]))
    return NetworkCost(
        macs=macs,
        scored_macs=fmean(_scored_macs(numbers, size, how) for size in images.scored_at),
        parameters=count_parameters(network),
        activation_bytes=sum(sizes.values()) // BATCH,
        output_bytes=2 * (outputs.logits[0].numel() + outputs.features[0].numel()) + terms[0].nbytes,  # cached in bf16
    )


@torch.no_grad()
def _scored_macs(network: nn.Module, size: Size, how: Evaluation | None) -> int:
    """Multiply-accumulates of scoring one image of a size, by torch's count."""
    counter = FlopCounterMode(display=False)
    with counter:
        predict(network.eval(), torch.zeros(1, 3, *size), size, how)
    return int(counter.get_total_flops()) // FLOP_PER_MAC

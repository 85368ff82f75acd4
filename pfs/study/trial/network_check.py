"""One forward pass of a network at each size that a study will show it, before anything trains."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pfs.config import data as data_config
from pfs.config import networks as networks_config
from pfs.config.base import StudyError
from pfs.models import build_network
from pfs.models.inference import predict
from pfs.models.segmentation_model import NetworkError
from pfs.study.trial.data_check import Size, StudyImages

BATCH = 2  # the smallest that a study may have


@torch.no_grad()
def check_forward(
    spec: networks_config.Network, images: StudyImages, evaluation: data_config.Evaluation | None
) -> None:
    """Build a network as a run does, and show it noise of the sizes that it is trained and scored at.

    Args:
        spec: the network; its pre-trained weights are fetched, if it has any.
        images: the sizes, and the number of classes.
        evaluation: how the study scores, if it says so.

    Raises:
        NetworkError: the network cannot be built, fails at one of the sizes, or its outputs are not finite or not of
            the shapes that the losses take. One line.
        WeightsError: pre-trained weights that cannot be had, or do not fit.
    """
    with _told(f"{_named(spec)}: its weights"):
        network = build_network(spec, images.classes)
    with _told(f"{_named(spec)}: in training, images of {_by(images.trained_at)}"):
        _check_training(network.train(), images)
    for size in _shown_when_scored(images, evaluation):
        with _told(f"{_named(spec)}: when scored, images of {_by(size)}"):
            whole = (
                None if evaluation is None else data_config.Evaluation()
            )  # pads what it shows, as every evaluation does
            predict(network.eval(), _noise(1, size), size, whole)


def _check_training(network: nn.Module, images: StudyImages) -> None:
    """Raise a ValueError unless logits and features of a batch are finite and of the shapes that they should be."""
    logits, features = network(_noise(BATCH, images.trained_at))
    for name, output, channels in (("logits", logits, images.classes), ("features", features, network.channels)):
        if output.dim() != 4 or output.shape[:2] != (BATCH, channels):
            raise ValueError(f"{name} are {tuple(output.shape)} and should be ({BATCH}, {channels}, height, width)")
        if not output.isfinite().all():
            raise ValueError(f"{name} of noise are not finite: are the weights?")


def _shown_when_scored(images: StudyImages, evaluation: data_config.Evaluation | None) -> list[Size]:
    """The smallest and the largest size that a network is shown when it is scored; once, where they are the same."""
    evaluation = evaluation or data_config.Evaluation()
    scaled = [
        (round(scale * height), round(scale * width))
        for scale, (height, width) in (
            (min(evaluation.scales), images.scored_at[0]),
            (max(evaluation.scales), images.scored_at[-1]),
        )
    ]
    window = evaluation.window or (max(height for height, _ in scaled), max(width for _, width in scaled))
    sizes = [(max(1, min(height, window[0])), max(1, min(width, window[1]))) for height, width in scaled]
    return list(dict.fromkeys(sizes))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell in one line what went wrong, whatever kind of error a library has for it."""
    try:
        yield
    except StudyError:
        raise  # says itself what to do
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split()).removeprefix("ValueError: ")
        raise NetworkError(f"{what} fail ({reason}); choose another size, encoder or architecture") from None


def _noise(count: int, size: Size) -> Tensor:
    """Images (count, 3, *size), as normalised ones are; always the same."""
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last
    )


def _named(spec: networks_config.Network) -> str:
    if isinstance(spec, networks_config.SegmentationModelConfig):
        return f"{spec.architecture} on {spec.encoder}"
    return f"{spec.name} of width {spec.width}"


def _by(size: Size) -> str:
    return f"{size[0]} x {size[1]}"

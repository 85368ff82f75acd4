"""What a network says of the first images of the split that it is reported on, kept for the figures."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pfs.data.dataset import SegmentationDataset
from pfs.data.splits import normalize
from pfs.losses.pfs import similarity_rows
from pfs.models.inference import predict
from pfs.study.places import TEACHER, run_folder
from pfs.training.evaluation import ScoredSplit
from pfs.training.run import Run, write_arrays

EXAMPLES = 12  # the first images of the split, kept for the figures: not chosen
SHOWN = 6  # of them in a notebook's pictures


@torch.no_grad()
def save_examples(
    run: Run, network: nn.Module, dataset: SegmentationDataset, split: ScoredSplit
) -> dict[str, np.ndarray]:
    """What a network says of the first images of a split, kept in the run's `examples.npz` for the figures.

    Returns:
        image (E, H, W, 3) uint8, label and prediction (E, H, W) uint8, probe (E, 2) row and column in image
        pixels, similarity (E, h, w) float16 of the probe's features to all others.
    """
    device = next(network.parameters()).device
    images, labels = split.read(range(min(EXAMPLES, len(split))))
    pixels = probes(labels, ignore_index=dataset.ignore_index)
    predictions, similarities = [], []
    for image, pixel in zip(images[:, None], pixels[:, None], strict=True):  # at full size, all at once are too many
        inputs = normalize(image.to(device))
        predictions.append(predict(network, inputs, split.size, run.study.evaluation))
        similarities.append(similarity_at(network, inputs, pixel))
    arrays = {
        "image": images.permute(0, 2, 3, 1),
        "label": labels,
        "probe": pixels.to(torch.int16),
        "prediction": torch.cat(predictions).to(torch.uint8),
        "similarity": torch.cat(similarities).to(torch.float16),
    }
    return write_arrays(run.folder / "examples.npz", arrays)


def examples_beside_teacher(run: Run, examples: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """A run's examples beside the teacher's, if any, as the figures take them; and whose they are."""
    shown = {name: examples[name][:SHOWN] for name in ("image", "label", "probe")}
    by_method = {run.method: examples}
    teacher = run_folder(run.study, run.results / run.study.name, TEACHER, run.study.teacher.seed) / "examples.npz"
    if teacher.is_file():
        by_method = {TEACHER: dict(np.load(teacher)), **by_method}
        if not np.array_equal(by_method[TEACHER]["image"], examples["image"]):  # those of a tuning study are of val
            del by_method[TEACHER]
    for method, said in by_method.items():
        shown |= {f"{name}/{method}": said[name][:SHOWN] for name in ("prediction", "similarity")}
    return shown, list(by_method)


def probes(labels: Tensor, *, ignore_index: int) -> Tensor:
    """Where to look at similarities: for each of B label maps a pixel inside an object, (B, 2) int64.

    It is the pixel of the map's most frequent class but 0 (the background) that lies nearest to that class's
    mean position; the middle of the image where there is no object.
    """
    return torch.stack([_probe(scene, ignore_index) for scene in labels])


def _probe(scene: Tensor, ignore_index: int) -> Tensor:
    objects = scene[(scene != 0) & (scene != ignore_index)]
    if not len(objects):
        return torch.tensor(scene.shape) // 2
    pixels = (scene == objects.mode().values).nonzero()  # (n, 2)
    distance = (pixels - pixels.double().mean(0)).square().sum(1)
    return pixels[distance.argmin()]


@torch.no_grad()
def similarity_at(network: nn.Module, images: Tensor, pixels: Tensor) -> Tensor:
    """The centred cosine similarity of the features at one pixel of each image to those at all other
    locations.

    Args:
        network: in eval mode.
        images: (B, 3, H, W), normalised.
        pixels: (B, 2) row and column, in image pixels.

    Returns:
        (B, h, w) in [-1, 1], on the features' own grid.
    """
    features = network(images).features.float()
    h, w = features.shape[-2:]
    rows, columns = pixels[:, 0] * h // images.shape[-2], pixels[:, 1] * w // images.shape[-1]
    directions = similarity_rows(features, similarity="cosine", center=True)  # (B, h w, C)
    probes = directions[torch.arange(len(features)), (rows * w + columns).to(features.device)]  # (B, C)
    return (directions @ probes[..., None]).view(-1, h, w)

"""What a network says of the first test images, kept for the figures."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from pfs.datasets import SegmentationDataset
from pfs.evaluation import Scored, predict, probes, similarity_at
from pfs.records import TEACHER, cell_folder
from pfs.runs import Run, write_arrays
from pfs.scenes import normalize

EXAMPLES = 12  # the first scenes of the test split, kept for the figures: not chosen
SHOWN = 6  # of them in a notebook's pictures


@torch.no_grad()
def keep_examples(run: Run, network: nn.Module, dataset: SegmentationDataset, scenes: Scored) -> dict[str, np.ndarray]:
    """What a network says of the first test scenes, kept in the run's `examples.npz` for the figures.

    Returns:
        image (E, H, W, 3) uint8, label and prediction (E, H, W) uint8, probe (E, 2) row and column in image
        pixels, similarity (E, h, w) float16 of the probe's features to all others.
    """
    device = next(network.parameters()).device
    images, labels = scenes.read(range(min(EXAMPLES, len(scenes))))
    pixels = probes(labels, ignore_index=dataset.ignore_index)
    predictions, similarities = [], []
    for image, pixel in zip(images[:, None], pixels[:, None], strict=True):  # at full size, all at once are too many
        inputs = normalize(image.to(device))
        predictions.append(predict(network, inputs, scenes.size, run.study.evaluation))
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
    teacher = cell_folder(run.study, run.results / run.study.name, TEACHER, run.study.teacher.seed) / "examples.npz"
    if teacher.is_file():
        by_method = {TEACHER: dict(np.load(teacher)), **by_method}
    for method, said in by_method.items():
        shown |= {f"{name}/{method}": said[name][:SHOWN] for name in ("prediction", "similarity")}
    return shown, list(by_method)

"""What the student of walkthrough 4 learns from: a few hundred Digit Scenes, and the teacher's outputs for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import torch
from IPython.display import display
from IPython.utils.capture import capture_output
from ipywidgets import IntProgress
from torch import Tensor, nn

from pfs.data.class_weights import class_weights
from pfs.data.dataset import SegmentationDataset
from pfs.data.sets.digit_drawing import draw_scene
from pfs.data.sets.digit_scenes import DigitScenes
from pfs.data.splits import ImageSplit
from pfs.losses import Prediction
from pfs.models.dilated_resnet import DilatedResNet
from pfs.walkthrough.arrays import Walkthrough

TEST = 100  # images that no network of the walkthrough has seen
SEED, CLASS_WEIGHTS = 0, 0.5  # those of `quick`; the power of the weights, for digits cover little of an image


class AskedOnce:
    """A teacher that is asked about each of N images once: when the image is first in a batch.

    Attributes:
        asked: (N,), about which images it has been asked.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        """Nothing is computed yet; `network` is in eval mode, and `count` is N."""
        self.network, self.asked = network, torch.zeros(count, dtype=torch.bool)
        self._outputs: Prediction | None = None

    @property
    def channels(self) -> int:
        """How many channels the features have; known from the first batch on."""
        assert self._outputs is not None
        return self._outputs.features.shape[1]

    def outputs(self, rows: Tensor, images: Tensor) -> Prediction:
        """Those for the rows (B,) of a batch, whose normalised images are (B, 3, H, W)."""
        new = ~self.asked[rows]
        if new.any():
            self._remember(rows[new], images[new])
        assert self._outputs is not None
        return Prediction(*(part[rows] for part in self._outputs))

    @torch.no_grad()
    def _remember(self, rows: Tensor, images: Tensor) -> None:
        made = self.network(images)
        if self._outputs is None:
            self._outputs = Prediction(*(part.new_empty(len(self.asked), *part.shape[1:]) for part in made))
        for all_rows, part in zip(self._outputs, made, strict=True):
            all_rows[rows] = part
        self.asked[rows] = True


@dataclass(frozen=True)
class Scenes:
    """Digit Scenes in memory.

    Attributes:
        train: the images to learn from, with the teacher's outputs for them.
        test: `TEST` images of the test split, to look at and to score.
        class_weights: (classes,), for the cross-entropy.
        classes: their names.
        ignore_index: the label of pixels that count nowhere.
    """

    train: ImageSplit
    test: ImageSplit
    class_weights: Tensor
    classes: tuple[str, ...] = DigitScenes.classes
    ignore_index: int = DigitScenes.ignore_index


@dataclass(frozen=True)
class _Labels:
    """Labels (N, H, W) as `class_weights` reads those of a data set."""

    labels: Tensor
    classes: tuple[str, ...] = DigitScenes.classes

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[None, Tensor]:
        return None, self.labels[row]


def draw_scenes(count: int, teacher: nn.Module, test: int = TEST) -> Scenes:
    """Draw the images in memory, under a bar that tells how many there are; a second call has them at once.

    They are the first ones of the splits of `quick`: an image depends on the seed, the split and its place there alone.

    Args:
        count: how many to learn from.
        teacher: in eval mode.
        test: how many to look at and to score.
    """
    images, labels = drawn("train", count)
    with capture_output(stdout=False, stderr=False):  # a bar, which Voila shows as a widget that is not there any more
        weights = class_weights(cast(SegmentationDataset, _Labels(labels)), CLASS_WEIGHTS)
    assert weights is not None  # there is a power
    return Scenes(ImageSplit(images, labels, AskedOnce(teacher, count)), ImageSplit(*drawn("test", test)), weights)


@cache
def drawn(split: str, count: int) -> tuple[Tensor, Tensor]:
    """The first images of a split, (count, 3, 64, 64), and their labels, (count, 64, 64), both uint8."""
    scenes = [draw_scene(SEED, split, index) for index in _told(range(count), f"Images to {_USES[split]}")]
    images, labels = (torch.from_numpy(np.stack(parts)) for parts in zip(*scenes, strict=True))
    return images.permute(0, 3, 1, 2).contiguous(), labels


_USES = {"train": "learn from", "test": "score on"}


def _told(rows: range, what: str) -> Iterable[int]:
    """The rows one by one, under a bar that says how many are done, and then is gone."""
    bar = IntProgress(0, 0, len(rows), description=f"{what}: 0", style={"description_width": "12rem"})
    display(bar)
    for row in rows:
        yield row
        if row % 20 == 19 or row == rows[-1]:
            bar.value, bar.description = row + 1, f"{what}: {row + 1}"
    bar.layout.display = "none"  # closed, it would be told as missing


def finished_network(walkthrough: Walkthrough, name: str) -> DilatedResNet:
    """A trained network of the study that the walkthroughs are made from, in eval mode.

    Args:
        walkthrough: the data of the walkthroughs, which say where the weights lie.
        name: "teacher", or the method of a student.

    Raises:
        WalkthroughError: its weights are not kept, or their file is missing or broken.
    """
    weights = walkthrough.weights(name)
    classes, channels = weights["classifier.weight"].shape[:2]
    network = DilatedResNet(channels // 4, classes)
    network.load_state_dict(weights)
    return network.eval()

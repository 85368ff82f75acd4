"""What the student of walkthrough 4 learns from: a few hundred Digit Scenes, and the teacher's outputs for them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from IPython.utils.capture import capture_output
from torch import Tensor, nn

from pfs.config.data import DigitScenesConfig
from pfs.config.files import repository
from pfs.data.build import build
from pfs.data.class_weights import class_weights
from pfs.data.loading.cache import decoded
from pfs.data.splits import ImageSplit, normalize
from pfs.losses import Prediction
from pfs.models.dilated_resnet import DilatedResNet
from pfs.walkthrough.arrays import Walkthrough

TEST = 100  # scenes that no network of the walkthrough has seen
CLASS_WEIGHTS = 0.5  # the power of `quick`: digits cover little of a scene


@dataclass(frozen=True)
class TeacherInMemory:
    """A teacher's outputs for all N images of a split.

    Attributes:
        all_outputs: logits (N, classes, h, w) and features (N, C, h', w').
    """

    all_outputs: Prediction

    @property
    def channels(self) -> int:
        """How many channels the features have."""
        return self.all_outputs.features.shape[1]

    def outputs(self, rows: Tensor, images: Tensor) -> Prediction:
        """Those for the rows (B,) of a batch; the images themselves are not asked for."""
        return Prediction(*(part[rows] for part in self.all_outputs))


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
    classes: tuple[str, ...]
    ignore_index: int


def draw_scenes(count: int, teacher: nn.Module, data: str | Path = "data", test: int = TEST) -> Scenes:
    """Draw the scenes, unless they are there from an earlier time, and ask the teacher about each of them once.

    They are the first ones of the splits of `quick`: a scene depends on the seed, the split and its place there alone.

    Args:
        count: how many to learn from.
        teacher: in eval mode.
        data: the folder of all data sets, taken from the clone's root.
        test: how many to look at and to score.
    """
    spec = DigitScenesConfig(name="digit_scenes", train=count, val=1, test=test)
    with capture_output(stdout=False, stderr=False):  # bars, which Voila shows as widgets that are not there any more
        splits = build(spec, repository() / data)
        (images, labels), scored = decoded(splits["train"]), ImageSplit(*decoded(splits["test"]))
        weights = class_weights(splits["train"], CLASS_WEIGHTS)
    assert weights is not None  # there is a power
    taught = ImageSplit(images, labels, TeacherInMemory(ask(teacher, images)))
    return Scenes(taught, scored, weights, splits["train"].classes, splits["train"].ignore_index)


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


@torch.no_grad()
def ask(network: nn.Module, images: Tensor) -> Prediction:
    """A network's outputs for images (N, 3, H, W) in uint8, a few of them at a time."""
    outputs = [network(part) for part in torch.split(normalize(images), 50)]
    return Prediction(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))

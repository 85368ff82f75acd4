"""Fixed views: what augmentation makes of a training split, drawn alike whenever it is asked for.

So teacher and student see the same pixels, every method the same batches, and the teacher's outputs can be kept.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from tqdm.auto import tqdm

from pfs.config import data as config
from pfs.data.dataset import SegmentationDataset
from pfs.data.loading.cache import cached
from pfs.data.loading.workers import read_ahead
from pfs.data.splits import Batch, ImageSplit, Teacher, TrainingSplit, as_batch

CACHED_BYTES = 2**31  # views that take no more are drawn once, for all runs


class AugmentedViews(Dataset[tuple[Tensor, Tensor]]):
    """The fixed views of a split, drawn as they are asked for: each a function of (seed, image, view) alone.

    Args:
        dataset: the split; its images may differ in size.
        spec: how many views, and what is done to them.
    """

    def __init__(self, dataset: SegmentationDataset, spec: config.AugmentationConfig) -> None:
        self.dataset, self.spec = dataset, spec
        fill = {tv_tensors.Image: 127, tv_tensors.Mask: dataset.ignore_index}  # `normalize` makes 127 about zero
        jitter = [v2.ColorJitter(spec.color, spec.color, spec.color)] if spec.color else []
        self.augment = v2.Compose(
            [
                v2.RandomCrop(spec.crop, pad_if_needed=True, fill=fill),
                v2.RandomHorizontalFlip(0.5 if spec.flip else 0.0),
                *jitter,
            ]
        )

    def __len__(self) -> int:
        return self.spec.count * len(self.dataset)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        """Image (3, H, W) and label (H, W) of a row, uint8."""
        view, image = divmod(row, len(self.dataset))
        seed = np.random.SeedSequence((self.spec.seed, image, view)).generate_state(1)[0]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(seed))
            return self._draw(*self.dataset[image])

    @property
    def bytes(self) -> int:
        """What all views take."""
        return views_bytes(self.spec, len(self.dataset))

    @property
    def key(self) -> str:
        """A hash of all that the pixels depend on: the images, what is done to them, and by whose code."""
        data = self.dataset
        read_as = [data.classes, data.first, data.void]  # one mask may be read in two ways: Pascal Context's
        images = [data.checksums[data.split], data.names, read_as]
        code = [inspect.getsource(AugmentedViews), torchvision.__version__, PIL.__version__]
        return hashlib.sha256(json.dumps([images, self.spec.model_dump(), code]).encode()).hexdigest()

    def _draw(self, picture: Image.Image, mask: Image.Image) -> tuple[Tensor, Tensor]:
        factor = float(torch.empty(1).uniform_(*self.spec.scale))
        size = [max(1, round(factor * side)) for side in (picture.height, picture.width)]
        scaled = v2.functional.resize(tv_tensors.Image(picture), size)
        # Like the image's bilinear interpolation, this takes pixels by their centres; plain "nearest" takes them by
        # their corners, which moves the label by up to half a pixel against the image.
        scaled_mask = v2.functional.resize(tv_tensors.Mask(mask), size, v2.InterpolationMode.NEAREST_EXACT)
        image, label = self.augment(scaled, scaled_mask)
        return image.as_subclass(Tensor), label.as_subclass(Tensor)[0]


def views_bytes(spec: config.AugmentationConfig, images: int) -> int:
    """What all views of so many images take: three colours and a label a pixel."""
    height, width = spec.crop
    return spec.count * images * height * width * 4


def augmented_split(views: AugmentedViews) -> TrainingSplit:
    """The views of a training split: kept beside the data if they are few, else drawn anew by every run.

    Either way the pixels are the same. A kept one costs no decoding, no scaling, and lies in memory once for all runs.
    """
    if views.bytes > CACHED_BYTES:
        return AugmentedSplit(views)
    images, labels = cached(views.dataset, f"views-{views.dataset.split}-{views.key[:16]}", lambda: _draw_all(views))
    return ImageSplit(images, labels, views=views.spec.count)


def _draw_all(views: AugmentedViews) -> tuple[Tensor, Tensor]:
    drawn = read_ahead(views, [[row] for row in range(len(views))])
    hidden = "TQDM_DISABLE" in os.environ  # in a notebook that a study executes; tqdm's widget does not read it
    progress = tqdm(drawn, desc="drawing views", unit="view", total=len(views), leave=False, disable=hidden)
    images, labels = (torch.cat(pixels) for pixels in zip(*progress, strict=True))
    return images, labels


@dataclass(frozen=True)
class AugmentedSplit:
    """A training split of which every epoch shows another view, drawn by processes beside this one.

    Attributes:
        source: the views.
        teacher: who answers for them, where a method wants a teacher.
    """

    source: AugmentedViews
    teacher: Teacher | None = None

    @property
    def views(self) -> int:
        """How many views there are of each image."""
        return self.source.spec.count

    def __len__(self) -> int:
        return len(self.source.dataset)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a view."""
        height, width = self.source.spec.crop
        return height, width

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and labels (B, H, W), uint8."""
        images, labels = zip(*(self.source[row] for row in rows), strict=True)
        return torch.stack(images), torch.stack(labels)

    def batches(self, order: Sequence[Tensor] | Tensor, device: torch.device) -> Iterator[Batch]:
        """The rows of each step, (B,) each; as many processes draw them as this one has threads."""
        drawn = read_ahead(self.source, [rows.tolist() for rows in order])
        for rows, (images, labels) in zip(order, drawn, strict=True):
            yield as_batch(rows, images, labels, self.teacher, device)

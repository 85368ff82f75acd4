"""How much each class weighs in the cross-entropy: rare ones are small in an image's loss, and count alike in mIoU."""

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from pfs.data.dataset import SegmentationDataset


def class_weights(dataset: SegmentationDataset, power: float | None) -> Tensor | None:
    """w_c = f_c^-power of each class's share f_c of the split's scored pixels, over their mean at those pixels.

    So a pixel weighs 1 on average. At `power` 1 every class has the same part in the loss; at 1/2, half way there on
    a logarithmic scale, a class a hundred times as frequent as another has ten times its part.

    Args:
        dataset: the split that is learnt from.
        power: above 0, where all pixels would be alike, to 1.

    Returns:
        (classes,) in fp32, 0 for a class that no pixel has; None where `power` is.

    Raises:
        DatasetError: a mask cannot be read.
    """
    if power is None:
        return None
    share = class_shares(dataset)
    weights = share.where(share > 0, 1) ** -power * (share > 0)
    return (weights / (share * weights).sum()).float()


def class_shares(dataset: SegmentationDataset) -> Tensor:
    """Of each class, its share of the split's scored pixels: (classes,) in fp64, together 1."""
    counts = np.zeros(256, np.int64)
    for row in tqdm(range(len(dataset)), desc="counting labels", unit="image", leave=False):
        _, mask = dataset[row]
        counts += np.bincount(np.asarray(mask).ravel(), minlength=256)
    scored = torch.from_numpy(counts[: len(dataset.classes)]).double()
    return scored / scored.sum()

"""Worker processes that read or draw images beside the process that trains."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Pair = tuple[Tensor, Tensor]  # image (3, H, W) and label (H, W), uint8


def read_ahead(dataset: Dataset[Pair], batches: Sequence[list[int]]) -> Iterator[Pair]:
    """The rows of each batch, in order, read ahead by as many worker processes as this process has threads.

    Workers hand their batches over as NumPy arrays, which pass through a pipe. Tensors would need shared memory, of
    which a container often has 64 MiB or less, and a socket in the temporary folder, whose path must then be short.
    Where either is missing, torch waits for ever or ends in a bus error.

    Args:
        dataset: an image (3, H, W) and a label (H, W) a row, uint8; of one size within each batch.
        batches: the rows of each batch.

    Yields:
        Images (B, 3, H, W) and labels (B, H, W), uint8.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=[list(rows) for rows in batches],
        num_workers=torch.get_num_threads(),
        collate_fn=_as_arrays,
        generator=torch.Generator(),  # else the loader would draw from the generator that a run's state keeps
    )
    for images, labels in loader:
        yield torch.from_numpy(images), torch.from_numpy(labels)


def _as_arrays(pairs: Sequence[Pair]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    images, labels = (np.stack([pixels.numpy() for pixels in kind]) for kind in zip(*pairs, strict=True))
    return images, labels

"""The numbers of walkthrough 1: similarity maps, and what each pair of locations adds to the loss.

The maps and the loss come from `pfs.losses.pfs`; here are the terms of the loss before they are summed, and what can be
read from maps.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pfs.losses import pfs_loss
from pfs.losses.pfs import Distance, similarity_map, similarity_rows
from pfs.losses.pfs_kernels import Similarity
from pfs.losses.prediction import upsample
from pfs.walkthrough.arrays import Walkthrough


@dataclass(frozen=True)
class Reading:
    """One reading of PFS: the options of `pfs_loss` that the walkthrough switches. The defaults are the study's.

    Attributes:
        center: whether the mean feature is subtracted first.
        similarity: "cosine" or "dot".
        distance: "squared", or "kl": of each location's similarities as a softmax.
        temperature: the one of that softmax.
    """

    center: bool = True
    similarity: Similarity = "cosine"
    distance: Distance = "squared"
    temperature: float = 0.1

    @property
    def options(self) -> dict[str, Any]:
        """The reading as `pfs_loss` takes it."""
        return vars(self).copy()


def maps_of(features: Tensor, reading: Reading) -> Tensor:
    """The similarity maps P (N, N) of one image's features (C, h, w): row i is the map of location i, N = h w.

    Where the reading compares distributions, row i is the distribution softmax(P_i / temperature).
    """
    rows = similarity_rows(features[None], similarity=reading.similarity, center=reading.center)
    maps = similarity_map(rows)[0]  # (N, N)
    if reading.distance == "squared":
        return maps
    return (maps.double() / reading.temperature).softmax(1)  # fp64: the smallest probabilities are below fp32's range


def entries_of_loss(student: Tensor, teacher: Tensor, reading: Reading) -> Tensor:
    """What each pair (i, j) of locations adds to the loss, (N, N), for the maps (N, N) of `maps_of`.

    "squared": (P^S_ij - P^T_ij)^2, and the loss is the mean over all pairs. "kl": q^T_ij log(q^T_ij / q^S_ij) of the
    distributions q; the loss is the sum over j and the mean over i.
    """
    if reading.distance == "squared":
        return (student - teacher).square()
    smallest = torch.finfo(teacher.dtype).tiny
    return teacher * (teacher.clamp_min(smallest).log() - student.clamp_min(smallest).log())


def loss_of_rows(entries: Tensor, reading: Reading) -> Tensor:
    """The loss of each location's own map, (N,), from what its pairs (N, N) add; their mean is PFS."""
    return entries.mean(1) if reading.distance == "squared" else entries.sum(1)


def loss_of(student: Tensor, teacher: Tensor, reading: Reading) -> float:
    """PFS between one image's features (C, h, w) of a student and (C', h, w) of the teacher, by `pfs_loss` itself."""
    return float(pfs_loss(student[None], teacher[None], **reading.options))


def rows_of_losses(student: Tensor, teacher: Tensor, reading: Reading) -> Tensor:
    """The loss of each location's map as a picture (h, w), from one image's features (C, h, w) and (C', h, w)."""
    maps = [maps_of(features, reading) for features in (student, teacher)]
    return loss_of_rows(entries_of_loss(maps[0], maps[1], reading), reading).view(student.shape[1:])


def directions(maps: Tensor) -> float:
    """In how many directions the features spread whose similarity maps (..., N, N) these are: 1 over the mean of P².

    Where the locations fall into n groups of equal size, alike within a group (P = 1) and with nothing in common across
    groups (P = 0), the mean of P² is 1 / n, and so this is n.
    """
    return float(1 / maps.square().mean())


def share_of_means(student: Tensor, teacher: Tensor) -> float:
    """How much of the mean squared difference of maps (..., N, N) is due to their means: a share from 0 to 1.

    The mean of (P^S - P^T)² is (mean P^S - mean P^T)² plus the variance of P^S - P^T. The first part says nothing about
    which pairs of locations are more alike than others.
    """
    return float((student.mean() - teacher.mean()).square() / (student - teacher).square().mean())


def clearest_place(walkthrough: Walkthrough) -> tuple[int, int, int]:
    """Where the walkthrough begins: an image, from 0, and a row and a column of its pixels.

    Of the locations on an object that the teacher recognises, it is the one where the loss of the map is largest for
    the student alone, compared with that for the student with PFS. Without any, it is the middle of the first image.
    """
    teacher = walkthrough.features("teacher")
    labels = torch.as_tensor(walkthrough.labels)  # (S, H, W)
    step = labels.shape[1] // teacher.shape[2]
    size = (labels.shape[1], labels.shape[2])
    recognised = (labels > 0) & (upsample(walkthrough.logits("teacher"), size).argmax(1) == labels)
    recognised = recognised[:, step // 2 :: step, step // 2 :: step]  # (S, h, w), at the middle of each location
    alone, with_pfs = (
        torch.stack(
            [rows_of_losses(*both, Reading()) for both in zip(walkthrough.features(name), teacher, strict=True)]
        )
        for name in ("ce", "pfs")
    )
    ratio = (alone / with_pfs).where(recognised, 0)  # (S, h, w)
    if not ratio.any():
        return 0, size[0] // 2, size[1] // 2
    image, row, column = np.unravel_index(int(ratio.argmax()), ratio.shape)
    return int(image), int(row) * step + step // 2, int(column) * step + step // 2

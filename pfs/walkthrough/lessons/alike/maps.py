"""The numbers of walkthrough 1: similarity maps, and what each pair of locations adds to the loss.

Every number comes from `pfs.losses.pfs`; what is added here is only the sum before it is taken.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pfs.losses import pfs_loss
from pfs.losses.pfs import Distance, similarity_map, similarity_rows
from pfs.losses.pfs_kernels import Similarity


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

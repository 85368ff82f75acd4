"""The numbers of walkthrough 3: similarity maps of pooled nodes, and the products of channels that give the same loss.

N is the number of nodes or locations, C the student's channels and C' the teacher's. S (N, C) and T (N, C') are the
rows whose products are the similarities. Everything is computed in fp64, so that two ways to one number can be compared
digit by digit.
"""

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from pfs.losses import pfs_loss
from pfs.losses.baselines import skd_pairwise_loss
from pfs.losses.pfs import dense_is_cheaper, similarity_map, similarity_rows, to_common_grid
from pfs.losses.pfs_kernels import squared_norms
from pfs.walkthrough.arrays import Walkthrough

GRIDS = (2, 4, 8, 16)
BYTES = 4  # of a number in fp32


class Comparison(NamedTuple):
    """Teacher and student compared at the nodes of a grid, the maps' way and the channels' way.

    Attributes:
        student_map: SSᵀ, (N, N).
        teacher_map: TTᵀ, (N, N).
        SS: SᵀS, (C, C).
        ST: SᵀT, (C, C').
        TT: TᵀT, (C', C').
        library: what `pfs.losses` says: `skd_pairwise_loss`, and `pfs_loss` where each location is a node.
    """

    student_map: Tensor
    teacher_map: Tensor
    SS: Tensor
    ST: Tensor
    TT: Tensor
    library: float

    @property
    def nodes(self) -> int:
        """N."""
        return len(self.student_map)

    @property
    def norms(self) -> tuple[float, float, float]:
        """The squared norms of SᵀS, SᵀT and TᵀT."""
        first, second, third = (float(squared_norms(product[None])) for product in (self.SS, self.ST, self.TT))
        return first, second, third

    @property
    def from_maps(self) -> float:
        """The mean of (SSᵀ - TTᵀ)² over all pairs of nodes, from the two maps."""
        return float((self.student_map - self.teacher_map).square().mean())

    @property
    def from_channels(self) -> float:
        """The same loss from the three products of channels: (‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖²) / N²."""
        first, second, third = self.norms
        return (first - 2 * second + third) / self.nodes**2


def compare(student: Tensor, teacher: Tensor, grid: int, *, center: bool = True) -> Comparison:
    """Compare features (1, C, h, w) and (1, C', h', w') of one image at the nodes of a grid.

    Args:
        student: the student's features.
        teacher: the teacher's.
        grid: nodes a side. Where the coarser map has that side, each location is a node and nothing is pooled.
        center: subtract the nodes' mean feature first.
    """
    student, teacher = to_common_grid(student.double(), teacher.double())
    pooled = (F.adaptive_max_pool2d(features, grid) for features in (student, teacher))
    S, T = (similarity_rows(features, similarity="cosine", center=center) for features in pooled)
    every_location = student.shape[-2:] == (grid, grid)
    loss = (
        pfs_loss(student, teacher, center=center)
        if every_location
        else skd_pairwise_loss(student, teacher, grid=grid, center=center)
    )
    student_map, teacher_map = (similarity_map(rows)[0] for rows in (S, T))
    SS, ST, TT = ((a.mT @ b)[0] for a, b in ((S, S), (S, T), (T, T)))
    return Comparison(student_map, teacher_map, SS, ST, TT, float(loss))


def grids(walkthrough: Walkthrough) -> list[int]:
    """The grids of `GRIDS` that fit the features of all networks."""
    side = min(min(walkthrough.features(network).shape[-2:]) for network in walkthrough.networks)
    return [grid for grid in GRIDS if grid <= side]


def node_of(place: tuple[int, int], size: tuple[int, int], grid: int) -> int:
    """The index of the node that an image's pixel (row, column) lies in; the nodes are counted row by row."""
    row, column = (position * grid // side for position, side in zip(place, size, strict=True))
    return row * grid + column


def agreeing_digits(a: float, b: float) -> int:
    """How many leading digits of two numbers agree, at most 15."""
    if a == b:
        return 15
    return max(0, min(15, math.floor(-math.log10(abs(a - b) / max(abs(a), abs(b))))))


# --- what each way costs --------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """What one way to the loss of an image costs, forward and backward.

    Attributes:
        products: multiplications.
        held: the most numbers that it needs at once beside the features.
    """

    products: int
    held: int

    @property
    def mebibytes(self) -> float:
        """What the numbers take in fp32."""
        return self.held * BYTES / 2**20


def cost_of_maps(N: int, C: int, C_teacher: int) -> Cost:
    """SSᵀ, TTᵀ, and for the gradient (SSᵀ - TTᵀ) S; both maps are held."""
    return Cost(N * N * (2 * C + C_teacher), 2 * N * N)


def cost_of_channels(N: int, C: int, C_teacher: int) -> Cost:
    """SᵀS, SᵀT, TᵀT, and for the gradient S SᵀS and T TᵀS; the three products are held."""
    products = C * C + C * C_teacher + C_teacher * C_teacher
    return Cost(N * (products + C * C + C * C_teacher), products)


def crossover(C: int, C_teacher: int) -> int:
    """The fewest locations for which `pfs_loss` takes the products of channels."""
    return next(N for N in range(1, 4 * (C + C_teacher) + 4) if not dense_is_cheaper(N, C, C_teacher))

"""Pixel-wise feature similarity (PFS): the first idea of Shan 2019 (arXiv 1910.14226), in our reading.

For each location i of the high-level features, the map P_ij = cos(f_i, f_j) tells how similar it is to every
other location j. The student learns the teacher's maps. A similarity has no channels, so the two networks may
differ in width and no adapter is needed between them.

The N x N maps are never built: with the unit vectors of the N locations as the rows of S (N, C) and T (N,
C'), ‖SSᵀ - TTᵀ‖² = ‖SᵀS‖² - 2‖SᵀT‖² + ‖TᵀT‖², which takes C x C products only.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Vectors this much shorter than the root mean square of their map are rounding noise, not directions.
RELATIVE_FLOOR = 1e-4


def pfs_loss(student: Tensor, teacher: Tensor, *, center: bool = True) -> Tensor:
    """Mean squared difference of the two networks' similarity maps, over B images and N x N pairs of
    locations.

    Args:
        student: (B, C, H, W) features; gets the gradient.
        teacher: (B, C', H', W') features of the same images. The finer of the two maps is averaged to the
            coarser grid.
        center: subtract each map's mean feature first. After a ReLU all cosines are positive and the maps
            start nearly matched; centred, they tell locations apart (our reading: the abstract does not say).

    Returns:
        A scalar in fp32 (or fp64 for such features), in [0, 4], whatever precision the features come in.

    Raises:
        ValueError: the batches differ in size, or a map is not (B, C, H, W).
    """
    with torch.autocast(student.device.type, enabled=False):
        student, teacher = to_common_grid(student, teacher)
        S = unit_rows(student, center=center)  # (B, N, C)
        T = unit_rows(teacher, center=center).detach()  # (B, N, C')
        N = S.shape[1]
        if min(S.shape[2], T.shape[2]) > N:  # few locations: their N x N map is the smaller product
            return (similarity_map(S) - similarity_map(T)).square().mean()
        SS, ST, TT = (a.transpose(1, 2) @ b for a, b in ((S, S), (S, T), (T, T)))
        # fp64 sums: near the teacher the three terms cancel.
        squares = [gram.double().square().sum((1, 2)) for gram in (SS, ST, TT)]
        per_image = (squares[0] - 2 * squares[1] + squares[2]) / N**2  # (B,)
        return per_image.clamp_min(0).mean().to(S.dtype)


def similarity_map(rows: Tensor) -> Tensor:
    """The dense maps (B, N, N) of unit rows (B, N, C): P_ij = f_i · f_j. For pictures, and for small N."""
    return rows @ rows.transpose(1, 2)


def unit_rows(features: Tensor, *, center: bool) -> Tensor:
    """Features (B, C, H, W) as unit vectors, one row a location: (B, N, C), at least in fp32.

    A vector shorter than `RELATIVE_FLOOR` of its map's root mean square is left shorter than 1 (a zero vector
    stays zero), so that constant maps and dead locations give a finite loss and a finite gradient.
    """
    rows = features.flatten(2).transpose(1, 2)  # (B, N, C)
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    scale = rows.detach().square().sum(2, keepdim=True).mean(1, keepdim=True).sqrt()  # (B, 1, 1)
    if center:
        rows = rows - rows.mean(1, keepdim=True)
    floor = (RELATIVE_FLOOR * scale).clamp_min(torch.finfo(rows.dtype).tiny ** 0.5)
    length = torch.linalg.vector_norm(rows, dim=2, keepdim=True)
    return rows / torch.maximum(length, floor)


def to_common_grid(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average the finer of two feature maps to the grid of the coarser one."""
    if student.dim() != 4 or teacher.dim() != 4 or len(student) != len(teacher):
        raise ValueError(
            f"features must be (B, C, H, W) of the same B images, got student {tuple(student.shape)} "
            f"and teacher {tuple(teacher.shape)}"
        )
    grid = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    pooled = [x if x.shape[-2:] == grid else F.adaptive_avg_pool2d(x, grid) for x in (student, teacher)]
    return pooled[0], pooled[1]

"""Pixel-wise feature similarity (PFS): the first idea of Shan 2019 (arXiv 1910.14226), in our reading.

For each location i of the high-level features, the map P_ij = cos(f_i, f_j) tells how similar it is to every
other location j. The student learns the teacher's maps. A similarity has no channels, so the two networks may
differ in width, and no adapter is needed between them.

With the N locations as the rows of S (N, C) for the student and of T (N, C') for the teacher, P = SSᵀ and TTᵀ. Large
N x N maps are never kept: squared differences need products of channels only, and the divergence of the maps' rows
is taken a tile of rows at a time. Where locations are few and channels many, the small maps are the cheaper way.
"""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pfs.prediction import in_full_precision, sum_dtype

Match = Literal["squared", "kl"]
Similarity = Literal["cosine", "dot"]
Scope = Literal["image", "batch"]

# Vectors this much shorter than the root mean square of their map are rounding noise, not directions.
RELATIVE_FLOOR = 1e-4
# Entries of a map that are held at once where its rows are compared: 16 MiB in fp32, about a processor's cache.
TILE = 2**22


@in_full_precision
def pfs_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    match: Match = "squared",
    similarity: Similarity = "cosine",
    center: bool = True,
    scope: Scope = "image",
    tau: float = 0.1,
) -> Tensor:
    """How far the student's similarity maps are from the teacher's: exact, in memory that grows with N, not N².

    Args:
        student: (B, C, H, W) features; gets the gradient.
        teacher: (B, C', H', W') features of the same images. The finer of the two maps is averaged to the
            coarser grid.
        match: "squared": the mean over images and N x N pairs of (P_student - P_teacher)². "kl": each location's
            similarities become a distribution over the others, softmax(P_i / tau); the mean over locations of
            KL(teacher ‖ student).
        similarity: "cosine", or "dot": the product of features scaled to a mean squared length of 1 over the
            map, which tells long vectors from short ones.
        center: subtract the mean feature first. After a ReLU all cosines are positive and the maps start nearly
            matched; centred, they tell locations apart (our reading: the abstract does not say).
        scope: "image": each location against all of its image. "batch": against all of the batch (our extension).
        tau: the temperature of "kl"; above about 0.1 all rows are nearly uniform, and the loss vanishes.

    Returns:
        A scalar, at least in fp32, never negative.

    Raises:
        ValueError: the shapes do not fit, an option is unknown, or tau is not positive.
    """
    if match not in ("squared", "kl") or similarity not in ("cosine", "dot") or scope not in ("image", "batch"):
        raise ValueError(f"unknown option: match={match!r}, similarity={similarity!r}, scope={scope!r}")
    if tau <= 0:
        raise ValueError(f"tau must be positive, got {tau}")
    student, teacher = to_common_grid(student, teacher)
    S, T = (similarity_rows(x, similarity=similarity, center=center, scope=scope) for x in (student, teacher.detach()))
    if match == "kl":
        loss: Tensor = _RowDivergence.apply(S, T, tau)
    elif _dense_is_cheaper(S.shape[1], S.shape[2], T.shape[2]):
        loss = (similarity_map(S) - similarity_map(T)).square().mean()
    else:
        loss = _SquaredDifference.apply(S, T)
    return loss


def _dense_is_cheaper(N: int, C: int, C_teacher: int) -> bool:
    """Whether the N x N maps take fewer products than those of channels: few locations, many channels."""
    return N * (C + C_teacher) < C * C + C * C_teacher + C_teacher * C_teacher


class PFSLoss(nn.Module):
    """`pfs_loss` as a module, for those who configure losses as objects; takes its options by name."""

    def __init__(
        self,
        *,
        match: Match = "squared",
        similarity: Similarity = "cosine",
        center: bool = True,
        scope: Scope = "image",
        tau: float = 0.1,
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {
            "match": match,
            "similarity": similarity,
            "center": center,
            "scope": scope,
            "tau": tau,
        }

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of student's features (B, C, H, W) and teacher's (B, C', H', W')."""
        return pfs_loss(student, teacher, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


# --- from features to rows ----------------------------------------------------------------------------------


def similarity_rows(features: Tensor, *, similarity: Similarity, center: bool, scope: Scope = "image") -> Tensor:
    """Features (B, C, H, W) as rows whose products are the similarities: (B, N, C), or (1, B N, C) for a batch.

    At least in fp32. A vector shorter than `RELATIVE_FLOOR` of its map's root mean square counts as that long (a
    zero vector stays zero), so that constant maps and dead locations give a finite loss and gradient.
    """
    rows = features.flatten(2).transpose(1, 2)  # (B, N, C)
    if scope == "batch":
        rows = rows.reshape(1, -1, rows.shape[2])
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    floor = (RELATIVE_FLOOR * _root_mean_square(rows.detach())).clamp_min(torch.finfo(rows.dtype).tiny ** 0.5)
    if similarity == "cosine":
        directions: Tensor = _Directions.apply(rows, floor, center)
        return directions
    if center:
        rows = rows - rows.mean(1, keepdim=True)
    return rows / torch.maximum(_root_mean_square(rows), floor)


def _root_mean_square(rows: Tensor) -> Tensor:
    """(B, 1, 1): the root of the mean squared length of rows (B, N, C)."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2), keepdim=True)
    return length / math.sqrt(rows.shape[1])


class _Directions(Function):
    """Rows (B, N, C) less their mean, if `center`, each divided by its length or by the floor (B, 1, 1).

    With s = f / |f|, the gradient is (g - s (s·g)) / |f|; g / floor where the floor stands for the length. Autograd's
    own way to it passes over memory once for each operation above, and this is bound by memory.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, floor: Tensor, center: bool) -> Tensor:
        centred = rows - rows.mean(1, keepdim=True) if center else rows.clone()
        length = torch.linalg.vector_norm(centred, dim=2, keepdim=True)  # (B, N, 1)
        directions: Tensor = centred.div_(torch.maximum(length, floor))
        ctx.center = center
        ctx.save_for_backward(directions, length, floor)
        return directions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        directions, length, floor = ctx.saved_tensors
        along = (g * directions).sum(2, keepdim=True) * (length > floor)
        gradient = torch.addcmul(g, directions, along, value=-1).div_(torch.maximum(length, floor))
        if ctx.center:
            gradient -= gradient.mean(1, keepdim=True)
        return gradient, None, None


def similarity_map(rows: Tensor) -> Tensor:
    """The dense maps (B, N, N) of rows (B, N, C). For pictures, and for small N."""
    return rows @ rows.transpose(1, 2)


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


# --- the two exact kernels ----------------------------------------------------------------------------------


class _SquaredDifference(Function):
    """mean (SSᵀ - TTᵀ)² over (B, N, N) from products of channels alone.

    ‖SSᵀ - TTᵀ‖² = ‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖², and its gradient for S is 4 (S SᵀS - T TᵀS).
    """

    @staticmethod
    def forward(ctx: Any, S: Tensor, T: Tensor) -> Tensor:
        SS, ST, TT = (a.transpose(1, 2) @ b for a, b in ((S, S), (S, T), (T, T)))  # (B, C, C), (B, C, C'), ...
        ctx.save_for_backward(S, T, SS, ST)
        # Wide sums of the squares: near the teacher the three terms cancel.
        wide = sum_dtype(S.device)
        squares = [torch.linalg.vector_norm(gram, dim=(1, 2), dtype=wide).square() for gram in (SS, ST, TT)]
        per_image = squares[0] - 2 * squares[1] + squares[2]  # (B,)
        loss: Tensor = per_image.clamp_min(0).mean() / S.shape[1] ** 2
        return loss.to(S.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        S, T, SS, ST = ctx.saved_tensors
        with torch.autocast(S.device.type, enabled=False):
            gradient = torch.baddbmm(S @ SS, T, ST.transpose(1, 2), alpha=-1)  # (B, N, C)
        return gradient.mul_(4 * outer / (S.shape[0] * S.shape[1] ** 2)), None


class _RowDivergence(Function):
    """mean over the rows of KL(softmax(TTᵀ / tau) ‖ softmax(SSᵀ / tau)), a tile of rows at a time.

    With a and b a row's two distributions, the loss's gradient for the student's similarities is (b - a) / tau; they
    are symmetric in S, so each tile adds to its own rows and to all. It is taken in the forward pass, while the tile
    is there: nothing of size N x N outlives its tile.
    """

    @staticmethod
    def forward(ctx: Any, S: Tensor, T: Tensor, tau: float) -> Tensor:
        B, N, _ = S.shape
        gradient = torch.zeros_like(S) if ctx.needs_input_grad[0] else None
        loss = S.new_zeros((), dtype=sum_dtype(S.device))
        for image in range(B):
            s, t = S[image], T[image]  # (N, C), (N, C')
            for rows in torch.arange(N, device=S.device).split(max(1, TILE // N)):  # type: ignore[no-untyped-call]
                own = slice(int(rows[0]), int(rows[-1]) + 1)
                log_b = (s[own] @ s.T).div_(tau).log_softmax(1)  # (n, N): the student's rows
                log_a = (t[own] @ t.T).div_(tau).log_softmax(1)
                a = log_a.exp()
                loss += (log_a.sub_(log_b).mul_(a)).sum(dtype=loss.dtype)
                if gradient is not None:
                    difference = log_b.exp_().sub_(a)  # (n, N): b - a
                    gradient[image, own] += difference @ s
                    gradient[image] += difference.T @ s[own]
        if gradient is not None:
            ctx.save_for_backward(gradient.div_(tau * B * N))
        return (loss / (B * N)).clamp_min(0).to(S.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer, None, None

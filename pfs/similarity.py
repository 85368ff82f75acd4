"""Pixel-wise feature similarity (PFS): the first idea of Shan 2019 (arXiv 1910.14226), in our reading.

For each location i of the high-level features, the map P_ij = cos(f_i, f_j) tells how similar it is to every
other location j. The student learns the teacher's maps. A similarity has no channels, so the two networks may
differ in width, and no adapter is needed between them.

With the N locations as the rows of S (N, C) for the student and of T (N, C') for the teacher, P = SSᵀ and TTᵀ. Large
N x N maps are never kept: squared differences need products of channels only, and the divergence of the maps' rows
is taken a tile of rows at a time. Where locations are few and channels many, the small maps are the cheaper way.
"""

import math
from collections.abc import Iterator
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
# Numbers of the features that are centred, scaled and multiplied at once: 4 MiB in fp32.
STRIP = 2**20


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
    teacher_norm: Tensor | None = None,
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
        teacher_norm: (B,) `squared_norm` of the teacher's features with the same options, where it is known already:
            a constant that "squared" needs for its value, and not for its gradient. It is used where it saves work.

    Returns:
        A scalar, at least in fp32, never negative.

    Raises:
        ValueError: the shapes do not fit, an option is unknown, or tau is not positive.
    """
    if match not in ("squared", "kl") or similarity not in ("cosine", "dot") or scope not in ("image", "batch"):
        raise ValueError(f"unknown option: match={match!r}, similarity={similarity!r}, scope={scope!r}")
    if tau <= 0:
        raise ValueError(f"tau must be positive, got {tau}")
    if teacher_norm is not None and scope == "batch":
        raise ValueError("teacher_norm is of single images; with scope='batch' leave it out")
    grid = teacher.shape[-2:]
    student, teacher = to_common_grid(student, teacher.detach())
    N = student[0, 0].numel() * (len(student) if scope == "batch" else 1)
    if match == "squared" and not _dense_is_cheaper(N, student.shape[1], teacher.shape[1]):
        known = teacher_norm if teacher.shape[-2:] == grid else None  # an averaged map has another norm
        loss: Tensor = _SquaredDifference.apply(
            *(as_rows(x, scope) for x in (student, teacher)), similarity, center, known
        )
        return loss
    S, T = (similarity_rows(x, similarity=similarity, center=center, scope=scope) for x in (student, teacher))
    if match == "squared":
        return (similarity_map(S) - similarity_map(T)).square().mean()
    divergence: Tensor = _RowDivergence.apply(S, T, tau)
    return divergence


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


def as_rows(features: Tensor, scope: Scope = "image") -> Tensor:
    """Features (B, C, H, W) as rows (B, N, C), or (1, B N, C) for a batch; a view where the memory's order allows."""
    rows = features.flatten(2).transpose(1, 2)  # (B, N, C)
    return rows.reshape(1, -1, rows.shape[2]) if scope == "batch" else rows


def similarity_rows(features: Tensor, *, similarity: Similarity, center: bool, scope: Scope = "image") -> Tensor:
    """Features (B, C, H, W) as rows whose products are the similarities: (B, N, C), or (1, B N, C) for a batch.

    At least in fp32. A vector shorter than `RELATIVE_FLOOR` of its map's root mean square counts as that long (a
    zero vector stays zero), so that constant maps and dead locations give a finite loss and gradient.
    """
    scaled: Tensor = _ScaledRows.apply(as_rows(features, scope), similarity, center)
    return scaled


class _Rows:
    """Rows (B, N, C) less their mean, if `center`, over their length: any strip of them, and the gradient's way back.

    The length is a row's own for "cosine"; for "dot" the root mean square of its map. A strip is made anew each time it
    is asked for, which is cheaper than going through memory for it; only where one strip is all is it kept.
    """

    def __init__(self, rows: Tensor, similarity: Similarity, center: bool) -> None:
        self.rows = rows
        self.dtype = torch.promote_types(rows.dtype, torch.float32)
        self.mean = (
            rows.mean(1, keepdim=True, dtype=self.dtype) if center else torch.zeros_like(rows[:, :1], dtype=self.dtype)
        )
        self.floor = (RELATIVE_FLOOR * self._root_mean_square(rows)).clamp_min(torch.finfo(self.dtype).tiny ** 0.5)
        self.common = self._root_mean_square(rows - self.mean) if similarity == "dot" else None  # (B, 1, 1)
        self.all: tuple[Tensor, Tensor] | None = None

    def _root_mean_square(self, rows: Tensor) -> Tensor:
        """(B, 1, 1): the root of the mean squared length of rows (B, N, C)."""
        length: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2), keepdim=True, dtype=self.dtype)
        return length / math.sqrt(rows.shape[1])

    def strip(self, images: slice, rows: slice) -> tuple[Tensor, Tensor]:
        """The scaled rows (b, n, C) and what they were divided by, (b, n, 1) or (b, 1, 1); less than 0 if the floor."""
        if self.all is not None:
            return self.all
        scaled = self.rows[images, rows] - self.mean[images]  # in the order of memory that the features have
        length = scaled.square().sum(2, keepdim=True).sqrt_() if self.common is None else self.common[images]
        scaled /= torch.maximum(length, self.floor[images])
        if scaled.shape == self.rows.shape:
            self.all = scaled, length
        return scaled, length

    def gradient(self, images: slice, rows: slice, g: Tensor, along: Tensor | None = None) -> Tensor:
        """What a gradient g (b, n, C) for a strip of the scaled rows is for the rows less their mean; g is used up.

        With s = f / |f| it is (g - s (s·g)) / |f|, and g / floor where the floor stands for the length. Where all rows
        have one length, the mean of s·g over them takes the place of each: `along` (b, 1, 1).
        """
        scaled, length = self.strip(images, rows)
        if along is None:
            along = (g * scaled).sum(2, keepdim=True)
        floor = self.floor[images]
        g.addcmul_(scaled, along * (length > floor), value=-1)
        return g.div_(torch.maximum(length, floor))


class _ScaledRows(Function):
    """All of `_Rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, similarity: Similarity, center: bool) -> Tensor:
        walked = _Rows(rows, similarity, center)
        ctx.rows, ctx.center = walked, center
        return walked.strip(*_ALL)[0].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        along = None
        if ctx.rows.common is not None:
            along = (g * ctx.rows.strip(*_ALL)[0]).sum((1, 2), keepdim=True) / g.shape[1]
        gradient = ctx.rows.gradient(*_ALL, g.clone(), along)
        return gradient - gradient.mean(1, keepdim=True) if ctx.center else gradient, None, None


_ALL = slice(None), slice(None)


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
    """mean (SSᵀ - TTᵀ)² over (B, N, N) from products of channels alone, S and T the scaled rows.

    ‖SSᵀ - TTᵀ‖² = ‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖², and its gradient for S is 4 (S SᵀS - T TᵀS). Rows are scaled and
    multiplied a strip at a time, forward and again backward: no scaled copy of large features is ever held.
    """

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,  # (B, N, C)
        teacher: Tensor,  # (B, N, C')
        similarity: Similarity,
        center: bool,
        teacher_norm: Tensor | None,  # (B,)
    ) -> Tensor:
        S, T = (_Rows(rows, similarity, center) for rows in (student, teacher))
        SS, ST = _grams(S, S, T)
        if teacher_norm is None:
            teacher_norm = _squared_norm(*_grams(T, T))
        per_image = _squared_norm(SS) - 2 * _squared_norm(ST) + teacher_norm  # (B,): near the teacher they cancel
        ctx.rows, ctx.grams, ctx.center = (S, T), (SS, ST), center
        ctx.save_for_backward(student, teacher)  # so that torch notices if they are changed in between
        return (per_image.clamp_min(0).mean() / student.shape[1] ** 2).to(S.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        student, _ = ctx.saved_tensors
        (S, T), (SS, ST) = ctx.rows, ctx.grams
        B, N, _ = student.shape
        scale = 4 * outer / (B * N**2)
        along = None
        if S.common is not None:  # the mean of s·g, from Σ s·g = scale (‖SᵀS‖² - ‖SᵀT‖²)
            along = (scale / N * (_squared_norm(SS) - _squared_norm(ST))).to(S.dtype).view(B, 1, 1)
        gradient = torch.empty_like(student, dtype=S.dtype)
        total = torch.zeros_like(S.mean)  # (B, 1, C)
        with torch.autocast(student.device.type, enabled=False):
            for images, rows in _strips(S, T):
                s, t = S.strip(images, rows)[0], T.strip(images, rows)[0]
                g = _products(s, SS[images], t, ST[images]).mul_(scale)
                gradient[images, rows] = g = S.gradient(images, rows, g, along)
                total[images] += g.sum(1, keepdim=True)
        return gradient.sub_(total / N) if ctx.center else gradient, None, None, None, None


def _products(s: Tensor, SS: Tensor, t: Tensor, ST: Tensor) -> Tensor:
    """S SᵀS - T TᵀS of a strip, (b, n, C), in the order of memory that the strip has."""
    if s.is_contiguous():
        return torch.baddbmm(s @ SS, t, ST.mT, alpha=-1)
    return torch.baddbmm(SS @ s.mT, ST, t.mT, alpha=-1).mT


def squared_norm(features: Tensor, *, similarity: Similarity = "cosine", center: bool = True) -> Tensor:
    """‖P‖² of the similarity maps P (N x N) of features (B, C, H, W): (B,), in double precision where there is one."""
    rows = _Rows(as_rows(features), similarity, center)
    return _squared_norm(*_grams(rows, rows))


def _grams(first: _Rows, *others: _Rows) -> list[Tensor]:
    """The products of channels (B, C, C') of the first's scaled rows (B, N, C) with those of others (B, N, C')."""
    B, _, C = first.rows.shape
    grams = [first.mean.new_zeros(B, C, other.rows.shape[2], dtype=first.dtype) for other in others]
    for images, rows in _strips(first, *others):
        strips = {id(x): x.strip(images, rows)[0] for x in (first, *others)}
        for other, gram in zip(others, grams, strict=True):
            gram[images].baddbmm_(strips[id(first)].mT, strips[id(other)])
    return grams


def _squared_norm(gram: Tensor) -> Tensor:
    """‖G‖² of each of G (B, C, C'), (B,), summed widely."""
    norm: Tensor = torch.linalg.vector_norm(gram, dim=(1, 2), dtype=sum_dtype(gram.device))
    return norm.square()


def _strips(*walked: _Rows) -> Iterator[tuple[slice, slice]]:
    """Which images and which of their rows to take at once: several images, or a part of one."""
    B, N = walked[0].rows.shape[:2]
    C = max(x.rows.shape[2] for x in walked)
    images = max(1, STRIP // (N * C))
    rows = N if images > 1 else max(1, STRIP // C)
    for image in range(0, B, images):
        for row in range(0, N, rows):
            yield slice(image, image + images), slice(row, row + rows)


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

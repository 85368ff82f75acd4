"""The exact kernels of PFS: similarities of all pairs of locations, compared without the maps of all pairs.

B maps of N locations with C features each come as rows (B, N, C), in whatever order memory has them. They are centred,
scaled and multiplied a strip at a time, while it lies in the processor's cache.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pfs.prediction import sum_dtype

Similarity = Literal["cosine", "dot"]

# Vectors this much shorter than the root mean square of their map are rounding noise, not directions.
RELATIVE_FLOOR = 1e-4
# Entries of a map that are held at once where its rows are compared: 16 MiB in fp32, about a processor's cache.
TILE = 2**22
# Numbers of the features that are centred, scaled and multiplied at once: 4 MiB in fp32. A GPU wants more work a call.
STRIP = 2**20
GPU_STRIP = 2**26


ALL = slice(None), slice(None)  # images and rows


class Rows:
    """Rows (B, N, C) less their mean, if `center`, over their length: any strip of them, and the gradient's way back.

    The length is a row's own for "cosine"; for "dot" the root mean square of its map. A strip is made anew each time it
    is asked for, which is cheaper than going through memory for it; only where one strip is all is it kept.
    """

    def __init__(self, rows: Tensor, similarity: Similarity, center: bool) -> None:
        self.rows = rows
        self.dtype = torch.promote_types(rows.dtype, torch.float32)
        zeros = torch.zeros_like(rows[:, :1], dtype=self.dtype)
        self.mean = rows.mean(1, keepdim=True, dtype=self.dtype) if center else zeros  # (B, 1, C)
        self.floor = (RELATIVE_FLOOR * self._root_mean_square(rows)).clamp_min(torch.finfo(self.dtype).tiny ** 0.5)
        self.common = self._root_mean_square(rows - self.mean) if similarity == "dot" else None  # (B, 1, 1)
        self.all: tuple[Tensor, Tensor] | None = None

    def _root_mean_square(self, rows: Tensor) -> Tensor:
        """(B, 1, 1): the root of the mean squared length of rows (B, N, C)."""
        length: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2), keepdim=True, dtype=self.dtype)
        return length / math.sqrt(rows.shape[1])

    def strip(self, images: slice, rows: slice) -> tuple[Tensor, Tensor]:
        """The scaled rows (b, n, C), and the lengths (b, n, 1) or (b, 1, 1) that they had before."""
        if self.all is not None:
            return self.all
        scaled = self.rows[images, rows] - self.mean[images]  # in the order of memory that the features have
        length = scaled.square().sum(2, keepdim=True).sqrt_() if self.common is None else self.common[images]
        scaled /= torch.maximum(length, self.floor[images])
        if scaled.shape == self.rows.shape:
            self.all = scaled, length
        return scaled, length

    def grams(self, *others: "Rows") -> list[Tensor]:
        """The products of channels (B, C, C') of these scaled rows (B, N, C) with those of others (B, N, C')."""
        B, _, C = self.rows.shape
        grams = [self.mean.new_zeros(B, C, other.rows.shape[2]) for other in others]
        for images, rows in strips(self, *others):
            own, _ = self.strip(images, rows)
            for other, gram in zip(others, grams, strict=True):
                theirs = own if other is self else other.strip(images, rows)[0]
                gram[images].baddbmm_(own.mT, theirs)
        return grams

    def gradient(self, images: slice, rows: slice, g: Tensor, mean_along: Tensor | None) -> Tensor:
        """What a gradient g (b, n, C) for a strip of the scaled rows is for the rows less their mean; g is used up.

        With s = f / |f| it is (g - s (s·g)) / |f|, and g / floor where the floor stands for the length. Where all rows
        of an image have one length, the mean of s·g over them takes the place of each: `mean_along` (B, 1, 1).
        """
        scaled, length = self.strip(images, rows)
        along = (g * scaled).sum(2, keepdim=True) if mean_along is None else mean_along[images]
        floor = self.floor[images]
        g.addcmul_(scaled, along * (length > floor), value=-1)
        return g.div_(torch.maximum(length, floor))


class ScaledRows(Function):
    """All of `Rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, similarity: Similarity, center: bool) -> Tensor:
        walked = Rows(rows, similarity, center)
        ctx.rows, ctx.center = walked, center
        return walked.strip(*ALL)[0].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        mean_along = None
        if ctx.rows.common is not None:
            mean_along = (g * ctx.rows.strip(*ALL)[0]).sum((1, 2), keepdim=True) / g.shape[1]
        gradient = ctx.rows.gradient(*ALL, g.clone(), mean_along)
        return gradient - gradient.mean(1, keepdim=True) if ctx.center else gradient, None, None


class SquaredDifference(Function):
    """mean (SSᵀ - TTᵀ)² over (B, N, N) from products of channels alone, S and T the scaled rows.

    ‖SSᵀ - TTᵀ‖² = ‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖², and its gradient for S is 4 (S SᵀS - T TᵀS). Rows are scaled and
    multiplied a strip at a time, forward and again backward: no scaled copy of features beyond a strip is ever held.
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
        S, T = (Rows(rows, similarity, center) for rows in (student, teacher))
        SS, ST = S.grams(S, T)
        if teacher_norm is None:
            teacher_norm = squared_norms(T.grams(T)[0])
        per_image = squared_norms(SS) - 2 * squared_norms(ST) + teacher_norm  # (B,): near the teacher they cancel
        ctx.rows, ctx.grams, ctx.center = (S, T), (SS, ST), center
        ctx.save_for_backward(student)  # so that torch notices if it is changed in between
        return (per_image.clamp_min(0).mean() / student.shape[1] ** 2).to(S.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        (student,) = ctx.saved_tensors
        (S, T), (SS, ST) = ctx.rows, ctx.grams
        B, N, _ = student.shape
        scale = 4 * outer / (B * N**2)
        mean_along = None
        if S.common is not None:  # from Σ s·g = scale (‖SᵀS‖² - ‖SᵀT‖²)
            mean_along = (scale / N * (squared_norms(SS) - squared_norms(ST))).to(S.dtype).view(B, 1, 1)
        gradient = torch.empty_like(student, dtype=S.dtype)
        total = torch.zeros_like(S.mean)  # (B, 1, C)
        with torch.autocast(student.device.type, enabled=False):
            for images, rows in strips(S, T):
                s, t = S.strip(images, rows)[0], T.strip(images, rows)[0]
                g = products(s, SS[images], t, ST[images]).mul_(scale)
                gradient[images, rows] = g = S.gradient(images, rows, g, mean_along)
                total[images] += g.sum(1, keepdim=True)
        S.all = T.all = None  # whoever keeps the loss need not keep these
        return gradient.sub_(total / N) if ctx.center else gradient, None, None, None, None


class MapDifference(Function):
    """mean (SSᵀ - P)² over (B, N, N), S the scaled rows and P the teacher's maps, in whatever precision they are kept.

    Its gradient for S is 4 (SSᵀ - P) S: both maps are symmetric, so it is one product, where autograd would take two.
    """

    @staticmethod
    def forward(ctx: Any, S: Tensor, P: Tensor) -> Tensor:
        difference = (S @ S.mT).sub_(P)
        ctx.save_for_backward(S, difference)
        return (squared_norms(difference).sum() / difference.numel()).to(S.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        S, difference = ctx.saved_tensors
        with torch.autocast(S.device.type, enabled=False):
            return (difference @ S).mul_(4 * outer / difference.numel()), None


def products(s: Tensor, SS: Tensor, t: Tensor, ST: Tensor) -> Tensor:
    """S SᵀS - T TᵀS of a strip, (b, n, C), in the order of memory that the strip has."""
    if s.is_contiguous():
        return torch.baddbmm(s @ SS, t, ST.mT, alpha=-1)
    return torch.baddbmm(SS @ s.mT, ST, t.mT, alpha=-1).mT


def squared_norms(gram: Tensor) -> Tensor:
    """‖G‖² of each of G (B, C, C'), (B,), summed widely."""
    norm: Tensor = torch.linalg.vector_norm(gram, dim=(1, 2), dtype=sum_dtype(gram.device))
    return norm.square()


def strips(*walked: Rows) -> Iterator[tuple[slice, slice]]:
    """Which images and which of their rows to take at once: several images, or a part of one."""
    B, N = walked[0].rows.shape[:2]
    C = max(x.rows.shape[2] for x in walked)
    numbers = STRIP if walked[0].rows.device.type == "cpu" else GPU_STRIP
    images = max(1, numbers // (N * C))
    rows = N if images > 1 else max(1, numbers // C)
    for image in range(0, B, images):
        for row in range(0, N, rows):
            yield slice(image, image + images), slice(row, row + rows)


class RowDivergence(Function):
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

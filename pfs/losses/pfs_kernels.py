"""The exact kernels of PFS: similarities of all pairs of locations, compared without the maps of all pairs.

B maps of N locations with C features each come as rows (B, N, C), in whatever order memory has them. They are centred,
scaled and multiplied a strip at a time, while it lies in the processor's cache.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor
from torch.autograd import Function

from pfs.losses.derivatives import first_derivative
from pfs.losses.prediction import sum_dtype

Similarity = Literal["cosine", "dot"]

# A vector this much shorter than the root mean square of its map has no direction worth a gradient.
RELATIVE_FLOOR = 1e-4
# Subtracting the mean leaves rounding noise: a few units in the last place of the features before it was subtracted.
ROUNDING_UNITS = 32
# Entries of a map that are held at once where its rows are compared: 16 MiB in fp32, about a processor's cache.
TILE = 2**22
# Numbers of the features that are centred, scaled and multiplied at once: 4 MiB in fp32. A GPU wants more work a call.
STRIP = 2**20
GPU_STRIP = 2**26


class NormalisedRows(NamedTuple):
    """Features as rows (B, N, C) that are centred and scaled when they are needed, one strip at a time.

    The scaled rows are (rows - mean) / max(length, floor). A strip of them is made anew each time it is asked for,
    which is cheaper than going through memory for it; only where one strip is all of them are they kept. Every field is
    a tensor or None, so that autograd can save them between the forward and the backward pass.

    Attributes:
        rows: (B, N, C), in whatever order memory has them.
        mean: (B, 1, C), at least in fp32; 0 where the rows are not centred.
        length: (B, N, 1), what each centred row is divided by: its own length for "cosine", the root mean square of
            all lengths of its map for "dot"; NaN where it is beyond the largest number.
        floor: (B, 1, 1), the least number that a row is divided by.
        kept: all the scaled rows (B, N, C), or None where there is more than one strip.
    """

    rows: Tensor
    mean: Tensor
    length: Tensor
    floor: Tensor
    kept: Tensor | None

    @classmethod
    def measure(cls, rows: Tensor, similarity: Similarity, center: bool) -> Self:
        """Find the mean and the lengths of rows (B, N, C), in one walk over the strips."""
        dtype = torch.promote_types(rows.dtype, torch.float32)
        zeros = torch.zeros_like(rows[:, :1], dtype=dtype)
        mean = rows.mean(1, keepdim=True, dtype=dtype) if center else zeros  # (B, 1, C)
        # A GPU would wait for the answer whether squares are within the range of numbers, so it scales in any case.
        unit = torch.ones((), dtype=dtype) if rows.is_cpu else largest(rows, (1, 2)).to(dtype)
        squares, centred = _squared_lengths(rows, mean, unit)
        if rows.is_cpu and not _within_range(squares, mean):
            unit = largest(rows, (1, 2)).to(dtype)
            squares, centred = _squared_lengths(rows, mean, unit)
        mean_square = squares.mean(1, keepdim=True)  # (B, 1, 1)
        noise = ROUNDING_UNITS * torch.finfo(dtype).eps * (mean_square + _squared_norm(mean / unit)).sqrt_()
        floor = torch.maximum(RELATIVE_FLOOR * mean_square.sqrt(), noise).mul_(unit).clamp_min_(torch.finfo(dtype).tiny)
        length = (squares if similarity == "cosine" else mean_square).sqrt().mul_(unit)
        length = length.where(length.isfinite(), torch.nan).expand_as(squares)  # over infinity, rows would all be 0
        kept = None if centred is None else centred.div_(torch.maximum(length, floor))
        return cls(rows, mean, length, floor, kept)

    def strip(self, images: slice, rows: slice) -> Tensor:
        """The scaled rows of some images, (b, n, C), in the order of memory that the features have."""
        if self.kept is not None:
            return self.kept[images, rows]
        centred = self.rows[images, rows] - self.mean[images]
        return centred.div_(torch.maximum(self.length[images, rows], self.floor[images]))


def before_scaling(g: Tensor, scaled: Tensor, along: Tensor, length: Tensor, floor: Tensor) -> Tensor:
    """What a gradient g (b, n, C) for scaled rows is for the centred rows that they were made of; g is used up.

    With s = f / |f| it is (g - s (s·g)) / |f|, and g / floor where the floor stands for the length. `along` is s·g,
    (b, n, 1); where all rows of an image are divided by one length it is the mean of s·g over them, (b, 1, 1).
    """
    g.addcmul_(scaled, along * (length > floor), value=-1)
    return g.div_(torch.maximum(length, floor))


def _squared_lengths(rows: Tensor, mean: Tensor, unit: Tensor) -> tuple[Tensor, Tensor | None]:
    """The squared lengths (B, N, 1) of centred rows over `unit`, () or (B, 1, 1); and the rows, if a strip is all."""
    squares = mean.new_empty(*rows.shape[:2], 1)
    for images, part in strips(rows):
        centred = rows[images, part] - mean[images]
        scaled = centred / unit[images] if unit.dim() else centred
        squares[images, part] = _squared_norm(scaled)
    return squares, centred if centred.shape == rows.shape else None


def _squared_norm(vectors: Tensor) -> Tensor:
    """(B, N, 1) of vectors (B, N, C)."""
    return vectors.square().sum(2, keepdim=True)


def _within_range(squares: Tensor, mean: Tensor) -> bool:
    """Whether squared lengths (B, N, 1) of the rows less their mean are far from the ends of the numbers' range."""
    limits, mean_square = torch.finfo(squares.dtype), squares.mean(1, keepdim=True)
    far_from_zero = mean_square > limits.tiny / limits.eps**2
    return bool((far_from_zero & (mean_square + _squared_norm(mean) < limits.max * limits.eps)).all())


def largest(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The largest absolute value over some dimensions, which stay with size 1; never 0: one can divide by it."""
    ends = torch.maximum(x.amax(dims, keepdim=True), -x.amin(dims, keepdim=True))
    return ends.clamp_min_(torch.finfo(x.dtype).tiny)


def grams(*pairs: tuple[NormalisedRows, NormalisedRows]) -> list[Tensor]:
    """For each pair of scaled rows (B, N, C) and (B, N, C') their products of channels (B, C, C'), from one walk."""
    walked = {id(rows): rows for pair in pairs for rows in pair}
    products = [a.mean.new_zeros(len(a.rows), a.rows.shape[2], b.rows.shape[2]) for a, b in pairs]
    for images, part in strips(*(x.rows for x in walked.values())):
        scaled = {key: rows.strip(images, part) for key, rows in walked.items()}
        for (a, b), product in zip(pairs, products, strict=True):
            product[images].baddbmm_(scaled[id(a)].mT, scaled[id(b)])
    return products


class ScaledRows(Function):
    """All the scaled rows of `Rows`: (B, N, C)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, similarity: Similarity, center: bool) -> Tensor:
        measured = NormalisedRows.measure(rows, similarity, center)
        scaled = measured.strip(slice(None), slice(None))
        ctx.similarity, ctx.center = similarity, center
        ctx.save_for_backward(scaled, measured.length, measured.floor)
        return scaled

    @staticmethod
    @first_derivative
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        scaled, length, floor = ctx.saved_tensors
        along = (g * scaled).sum(2, keepdim=True)
        if ctx.similarity == "dot":
            along = along.mean(1, keepdim=True)
        gradient = before_scaling(g.clone(), scaled, along, length, floor)
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
        S, T = (NormalisedRows.measure(rows, similarity, center) for rows in (student, teacher))
        SS, ST, *TT = grams((S, S), (S, T), *([(T, T)] if teacher_norm is None else []))
        norm = squared_norms(TT[0]) if teacher_norm is None else teacher_norm
        per_image = squared_norms(SS) - 2 * squared_norms(ST) + norm  # (B,): near the teacher they cancel
        ctx.similarity, ctx.center = similarity, center
        ctx.save_for_backward(*S, *T, SS, ST)
        return (per_image.clamp_min(0).mean() / student.shape[1] ** 2).to(S.mean)

    @staticmethod
    @first_derivative
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        *fields, SS, ST = ctx.saved_tensors
        S, T = NormalisedRows(*fields[:5]), NormalisedRows(*fields[5:])
        B, N, _ = S.rows.shape
        scale = 4 * outer / (B * N**2)
        if ctx.similarity == "dot":  # the mean of s·g over a map, from Σ s·g = scale (‖SᵀS‖² - ‖SᵀT‖²)
            mean_projection = (scale / N * (squared_norms(SS) - squared_norms(ST))).to(S.mean).view(B, 1, 1)
        gradient = torch.empty_like(S.rows, dtype=S.mean.dtype)
        total = torch.zeros_like(S.mean)  # (B, 1, C)
        for images, rows in strips(S.rows, T.rows):
            s, t = S.strip(images, rows), T.strip(images, rows)
            g = products(s, SS[images], t, ST[images]).mul_(scale)
            along = (g * s).sum(2, keepdim=True) if ctx.similarity == "cosine" else mean_projection[images]
            g = before_scaling(g, s, along, S.length[images, rows], S.floor[images])
            gradient[images, rows] = g
            total[images] += g.sum(1, keepdim=True)
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
    @first_derivative
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        S, difference = ctx.saved_tensors
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


def strips(*walked: Tensor) -> Iterator[tuple[slice, slice]]:
    """Which images of rows (B, N, C), and which of their rows, to take at once: several images, or a part of one."""
    B, N = walked[0].shape[:2]
    C = max(rows.shape[2] for rows in walked)
    numbers = STRIP if walked[0].device.type == "cpu" else GPU_STRIP
    images = max(1, numbers // (N * C))
    rows = N if images > 1 else max(1, numbers // C)
    for image in range(0, B, images):
        for row in range(0, N, rows):
            yield slice(image, image + images), slice(row, row + rows)


class RowDivergence(Function):
    """mean over the rows of KL(softmax(TTᵀ / temperature) ‖ softmax(SSᵀ / temperature)), a tile of rows at a time.

    With a and b a row's two distributions, the loss's gradient for the student's similarities is (b - a) / temperature;
    they are symmetric in S, so each tile adds to its own rows and to all. It is taken in the forward pass, while the
    tile is there: nothing of size N x N outlives its tile.
    """

    @staticmethod
    def forward(ctx: Any, S: Tensor, T: Tensor, temperature: float) -> Tensor:
        B, N, _ = S.shape
        gradient = torch.zeros_like(S) if ctx.needs_input_grad[0] else None
        loss = S.new_zeros((), dtype=sum_dtype(S.device))
        for image in range(B):
            s, t = S[image], T[image]  # (N, C), (N, C')
            for rows in torch.arange(N, device=S.device).split(max(1, TILE // N)):  # type: ignore[no-untyped-call]
                own = slice(int(rows[0]), int(rows[-1]) + 1)
                log_b = (s[own] @ s.T).div_(temperature).log_softmax(1)  # (n, N): the student's rows
                log_a = (t[own] @ t.T).div_(temperature).log_softmax(1)
                a = log_a.exp()
                loss += (log_a.sub_(log_b).mul_(a)).sum(dtype=loss.dtype)
                if gradient is not None:
                    difference = log_b.exp_().sub_(a)  # (n, N): b - a
                    gradient[image, own] += difference @ s
                    gradient[image] += difference.T @ s[own]
        if gradient is not None:
            ctx.save_for_backward(gradient.div_(temperature * B * N))
        return (loss / (B * N)).clamp_min(0).to(S.dtype)

    @staticmethod
    @first_derivative
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer, None, None

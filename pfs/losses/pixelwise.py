"""Means over the labelled pixels of losses that compare logits, a strip of the image's rows at a time.

Logits are coarser than labels. Brought to the labels' resolution they are a step's largest tensors (21 classes of
513 x 513 pixels: 22 MB an image), and every operation on them would go through memory. So a strip of rows is
interpolated, compared and forgotten while it lies in the processor's cache, and the gradient is taken at once.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from pfs.losses.derivatives import first_derivative
from pfs.losses.prediction import in_full_precision, interpolation_matrix, sum_dtype

# Numbers of a strip: a megabyte in fp32. Smaller ones stay nearer to a core, and cost more calls than that saves.
STRIP = 2**18
# Columns of the fine map that are interpolated at once: each block from the few source columns that it lies between.
BLOCK = 64


class PixelSums(NamedTuple):
    """What a loss says of M rows of W pixels.

    Attributes:
        loss: the weighted sum over the pixels, a scalar.
        weight: what the sum over all strips is divided by, the sum of the weights: a scalar.
        gradient: (M, classes, W), of `loss` for the student's logits.
    """

    loss: Tensor
    weight: Tensor
    gradient: Tensor


class Probabilities:
    """The class probabilities of pixels at every temperature that a loss asks for, each computed once for all losses.

    Args:
        logits: (M, classes, ...) of any number of pixels.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._largest = logits.amax(1)
        self._softened: dict[float, Tensor] = {}

    def softmax(self, temperature: float = 1.0) -> Tensor:
        """softmax(logits / temperature), (M, classes, ...): shared by all who ask, so not to be written to."""
        if temperature not in self._softened:
            self._softened[temperature] = self._softmax(temperature)
        return self._softened[temperature]

    def _softmax(self, temperature: float) -> Tensor:
        # At half the temperature the exponentials are the squares, at twice the temperature the roots: both cheaper.
        if (hotter := self._softened.get(2 * temperature)) is not None:
            known = hotter.square()
        elif (colder := self._softened.get(temperature / 2)) is not None:
            known = colder.sqrt()
        else:
            return F.softmax(self.logits if temperature == 1 else self.logits / temperature, dim=1)
        return known.div_(known.sum(1, keepdim=True))

    def label_prob(self, label: Tensor) -> Tensor:
        """The probability (M, ...) of each pixel's label."""
        return self.softmax().gather(1, label[:, None])[:, 0]

    def label_log_prob(self, label: Tensor) -> Tensor:
        """Its logarithm, exact also where the probability itself is too small for a number."""
        # With z the largest logit: log p[y] = (logit[y] - z) + log p[z].
        own = self.logits.gather(1, label[:, None])[:, 0]
        return (own - self._largest).add_(self.softmax().amax(1).log_())

    def divergence(self, other: "Probabilities", temperature: float) -> Tensor:
        """KL(these ‖ other's) of each pixel, (M, ...), both softened.

        Rounding can leave a little less than 0. It stays, for it is as often above the true value as below, and means
        over pixels are right; 0 in its place would raise them.
        """
        # Σ p (z - z') / T - log(Z / Z'), with log Z = z[largest] / T - log p[largest]
        p, q = self.softmax(temperature), other.softmax(temperature)
        expected = (self.logits - other.logits).mul_(p).sum(1).div_(temperature)
        log_Z = (self._largest - other._largest).div_(temperature).sub_(p.amax(1).log_()).add_(q.amax(1).log_())
        return expected.sub_(log_Z)


# Called with labels (M, W), 0 where they are ignored; where they are valid (M, W), as numbers; and the probabilities of
# M x W pixels: the student's, then the teacher's where there is one.
PixelLoss = Callable[..., PixelSums]


@in_full_precision
def pixel_means(
    losses: Sequence[PixelLoss],
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    target: Tensor,
    *,
    ignore_index: int,
    add_up: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """The mean of each loss over the valid pixels, with its gradient for the student's logits.

    Args:
        losses: what is summed over the pixels of a strip.
        student_logits: (B, classes, h, w), interpolated to the labels' resolution as `upsample` does.
        teacher_logits: (B, classes, h', w'), or None where no loss asks for them.
        target: (B, H, W) labels, of any integer type.
        ignore_index: pixels with this label count nowhere; their logits must be finite all the same.
        add_up: where these images are a part of the batch: from the sums of losses and of weights over their pixels,
            (losses, 2), it makes those over the pixels of the whole batch. None: they are the batch.

    Returns:
        A scalar a loss, at least in fp32; differentiable once. Exactly 0, with a zero gradient, where no pixel has
        weight, or where all weights together are less than 1e-31 (fp32): such numbers have hardly a digit left.

    Raises:
        ValueError: the shapes do not fit; or, on a processor, a label is no class (a GPU says so by itself, later).
    """
    logits = [student_logits] if teacher_logits is None else [student_logits, teacher_logits.detach()]
    check_shapes(logits, target)
    target = target.long()
    if target.is_cpu:
        _check_labels(target, student_logits.shape[1], ignore_index)
    dtype = torch.promote_types(student_logits.dtype, torch.float32)
    means: tuple[Tensor, ...] = _PixelMeans.apply(losses, target, ignore_index, add_up, *(x.to(dtype) for x in logits))
    return means


def _check_labels(target: Tensor, classes: int, ignore_index: int) -> None:
    """Raise a ValueError unless every label (B, H, W) is a class or the one that is ignored."""
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if wrong.any():
        raise ValueError(f"a label is {int(target[wrong][0])}: neither a class (0 to {classes - 1}) nor {ignore_index}")


def check_shapes(logits: Sequence[Tensor], target: Tensor) -> None:
    """Raise a ValueError unless the networks' logits (B, classes, h, w) and labels (B, H, W) are of one batch."""
    fitting = all(x.dim() == 4 and x.shape[:2] == logits[0].shape[:2] and x.numel() for x in logits)
    if not fitting or not target.numel() or target.dim() != 3 or len(target) != len(logits[0]):
        shapes = [f"{name} {tuple(x.shape)}" for name, x in zip(("student", "teacher"), logits, strict=False)]
        raise ValueError(
            "logits must be (B, classes, h, w) and labels (B, H, W) of one batch, none of these 0, got "
            f"{', '.join(shapes)}, labels {tuple(target.shape)}"
        )


def cross_entropy_sums(label: Tensor, valid: Tensor, student: Probabilities, *_: Probabilities) -> PixelSums:
    """-log p[y], every valid pixel alike."""
    return weighted_cross_entropy(label, valid, student)


def class_weighted_cross_entropy_sums(
    label: Tensor, valid: Tensor, student: Probabilities, *_: Probabilities, class_weights: Tensor
) -> PixelSums:
    """-log p[y], a valid pixel weighing as its class does in `class_weights` (classes,)."""
    return weighted_cross_entropy(label, class_weights.to(valid)[label] * valid, student)


def weighted_cross_entropy(label: Tensor, weight: Tensor, student: Probabilities) -> PixelSums:
    """-log p[y] with weights (M, W), which count as constants."""
    loss = student.label_log_prob(label).mul_(weight).sum().neg_()
    gradient = student.softmax() * weight[:, None]  # w (p - onehot(y))
    gradient.scatter_add_(1, label[:, None], -weight[:, None])
    return PixelSums(loss, weight.sum(), gradient)


class _PixelMeans(Function):
    """Σ loss / Σ weight of every loss, from one walk over the strips."""

    @staticmethod
    def forward(
        ctx: Any,
        losses: Sequence[PixelLoss],
        target: Tensor,
        ignore_index: int,
        add_up: Callable[[Tensor], Tensor] | None,
        *logits: Tensor,
    ) -> tuple[Tensor, ...]:
        (B, C), (H, W) = logits[0].shape[:2], target.shape[1:]
        maps = [_Interpolated(x, (H, W)) for x in logits]
        labels = target.transpose(0, 1)  # (H, B, W): rows first, so that a strip is one piece
        gradients = [torch.zeros_like(maps[0].wide) for _ in losses]
        sums = torch.zeros(len(losses), 2, dtype=sum_dtype(target.device), device=target.device)
        height = max(1, STRIP // (B * C * W)) if target.device.type == "cpu" else H
        for top in range(0, H, height):
            rows = slice(top, min(H, top + height))
            valid = (labels[rows] != ignore_index).reshape(-1, W)  # (n B, W)
            label = labels[rows].reshape(-1, W).masked_fill(~valid, 0)
            said_by = [Probabilities(x.strip(rows)) for x in maps]  # of (n B, C, W) each
            for loss, total, gradient in zip(losses, sums, gradients, strict=True):
                said = loss(label, valid.to(maps[0].wide), *said_by)
                total += torch.stack([said.loss.to(total), said.weight.to(total)])
                maps[0].add_gradient(gradient, rows, said.gradient)
        sums = sums if add_up is None else add_up(sums)
        limits = torch.finfo(logits[0].dtype)
        has_weight = sums[:, 1] > limits.tiny / limits.eps
        weight = sums[:, 1].where(has_weight, torch.inf).to(logits[0].dtype)  # over infinity: exactly 0, also backward
        ctx.shape = maps[0].shape
        ctx.save_for_backward(weight, maps[0].columns, *gradients)
        return tuple(sums[:, 0].to(weight) / weight)

    @staticmethod
    @first_derivative
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        weight, columns, *gradients = ctx.saved_tensors
        scale = torch.stack(outer) / weight
        total = gradients[0] * scale[0]
        for gradient, factor in zip(gradients[1:], scale[1:], strict=True):
            total.addcmul_(gradient, factor)
        return None, None, None, None, coarse(total, columns, ctx.shape), *([None] * (len(ctx.needs_input_grad) - 5))


class _Interpolated:
    """Logits (B, C, h, w) interpolated to `size` = (H, W): all columns at once, and rows one strip at a time.

    Each column, or row, is made from the few source columns, or rows, that it lies between.
    """

    def __init__(self, logits: Tensor, size: tuple[int, int]) -> None:
        B, C, h, w = logits.shape
        self.shape, self.size = (h, B, C, w), size
        self.rows = interpolation_matrix(h, size[0]).to(logits)  # (H, h)
        self.columns = interpolation_matrix(w, size[1]).to(logits) if w != size[1] else None  # (W, w)
        wide = logits.permute(2, 0, 1, 3).reshape(-1, w)  # rows first: (h B C, w)
        if self.columns is not None:
            narrow, wide = wide, wide.new_empty(len(wide), size[1])
            for columns, source in column_blocks(self.columns):
                torch.mm(narrow[:, source], self.columns[columns, source].T, out=wide[:, columns])
        self.wide = wide.reshape(h, -1)  # (h, B C W)

    def strip(self, rows: slice) -> Tensor:
        """The rows of the fine map, (n B, C, W)."""
        weights, source = self._band(rows)
        fine = self.wide[source] if weights is None else weights @ self.wide[source]  # (n, B C W)
        return fine.view(-1, self.shape[2], self.size[1])

    def add_gradient(self, gradient: Tensor, rows: slice, fine: Tensor) -> None:
        """Add to a gradient (h, B C W) what that of a strip, (n B, C, W), means for it."""
        weights, source = self._band(rows)
        flat = fine.reshape(rows.stop - rows.start, -1)
        if weights is None:
            gradient[source] += flat
        else:
            gradient[source].addmm_(weights.T, flat)

    def _band(self, rows: slice) -> tuple[Tensor | None, slice]:
        """The source rows that fine rows lie between, and their weights (n, sources); None: they are the rows."""
        if self.shape[0] == self.size[0]:
            return None, rows
        source = sources(self.shape[0], self.size[0], rows.start, rows.stop)
        return self.rows[rows, source], source


def coarse(gradient: Tensor, columns: Tensor | None, shape: tuple[int, int, int, int]) -> Tensor:
    """From a gradient (h, B C W) of `_Interpolated.wide` that of the logits, (B, C, h, w); `shape` is (h, B, C, w)."""
    narrow = gradient
    if columns is not None:
        wide = gradient.view(-1, len(columns))  # (h B C, W)
        narrow = wide.new_zeros(len(wide), shape[3])
        for block, source in column_blocks(columns):
            narrow[:, source].addmm_(wide[:, block], columns[block, source])
    return narrow.view(shape).permute(1, 2, 0, 3)


def column_blocks(matrix: Tensor) -> Iterator[tuple[slice, slice]]:
    """Columns of a fine map, and the source columns that they lie between, by its interpolation matrix (W, w).

    A GPU takes all of them at once.
    """
    W, w = matrix.shape
    block = BLOCK if matrix.device.type == "cpu" else W
    for start in range(0, W, block):
        columns = slice(start, min(W, start + block))
        yield columns, sources(w, W, columns.start, columns.stop)


@lru_cache
def sources(source: int, target: int, start: int, stop: int) -> slice:
    """The rows (or columns) of `source` that rows `start` to `stop` of their interpolation to `target` lie between."""
    used = interpolation_matrix(source, target)[start:stop].any(0).nonzero()
    return slice(int(used[0]), int(used[-1]) + 1)

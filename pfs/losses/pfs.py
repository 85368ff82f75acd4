"""Pixel-wise feature similarity (PFS): the first idea of Shan 2019 (arXiv 1910.14226), in our reading.

For each location i of the high-level features, the map P_ij = cos(f_i, f_j) tells how similar it is to every
other location j. The student learns the teacher's maps. A similarity has no channels, so the two networks may
differ in width, and no adapter is needed between them.

With the N locations as the rows of S (N, C) for the student and of T (N, C') for the teacher, P = SSᵀ and TTᵀ. Large
N x N maps are never kept: squared differences need products of channels only, and the divergence of the maps' rows
is taken a tile of rows at a time. Where locations are few and channels many, the small maps are the cheaper way.

The loss is exact but for two limits. A vector is divided by at least `pfs.losses.pfs_kernels.RELATIVE_FLOOR` times the
root mean square length of its map, so a shorter one counts for less than its direction. And near the teacher the value
is a difference of nearly equal numbers, except where the maps are built (see `dense_is_cheaper`). In fp32, where the
features differ from the teacher's by 1 % of their size, the value has about 4 digits and the gradient 4 to 5; at 0.1 %
they have 1 to 3 and 3 to 4; at 0.01 % the value has none, and the gradient 2 to 3. fp64 looks closer.
"""

from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.losses.derivatives import product
from pfs.losses.pfs_kernels import (
    MapDifference,
    NormalisedRows,
    RowDivergence,
    ScaledRows,
    Similarity,
    SquaredDifference,
    grams,
    squared_norms,
)
from pfs.losses.prediction import at_least_single, in_full_precision

Distance = Literal["squared", "kl"]
Scope = Literal["image", "batch"]


@in_full_precision
def pfs_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    distance: Distance = "squared",
    similarity: Similarity = "cosine",
    center: bool = True,
    scope: Scope = "image",
    temperature: float = 0.1,
    teacher_terms: Tensor | None = None,
    location_weights: Tensor | None = None,
) -> Tensor:
    """How far the student's similarity maps are from the teacher's: all pairs, in memory that grows with N, not N².

    Args:
        student: (B, C, H, W) features; gets the gradient.
        teacher: (B, C', H', W') features of the same images. The finer of the two maps is averaged to the
            coarser grid, in fp32 or wider.
        distance: "squared": the mean over images and N x N pairs of (P_student - P_teacher)². "kl": each location's
            similarities become a distribution over all locations, softmax(P_i / temperature); the mean over locations
            of KL(teacher ‖ student).
        similarity: "cosine", or "dot": the product of features scaled to a mean squared length of 1 over the
            map, which tells long vectors from short ones.
        center: subtract the mean feature first. After a ReLU all cosines are positive and the maps start nearly
            matched; centred, they tell locations apart (our reading: the abstract does not say).
        scope: "image": each location against all of its image. "batch": against all of the batch (our extension).
        temperature: the one of "kl". On Digit Scenes rows are nearly uniform well above 0.1, and the loss vanishes.
        teacher_terms: what has been computed of the teacher's maps before, with the same options (other options give a
            wrong loss): their `squared_norm` (B,), which "squared" needs for its value, and not for its gradient; or
            the maps (B, N, N) themselves, which saves work where locations are few and channels many; the loss is then
            as exact as they are. Only "squared" uses it. It is ignored where the teacher's features are averaged to a
            coarser grid, and a norm also where the maps are built.
        location_weights: (B, N) of the coarser grid, `class_balance` for instance: a pair of locations counts as much
            as the product of their weights says. Only with "squared" and "image", and without `teacher_terms`.

    Returns:
        A scalar, at least in fp32, never negative. It does not depend on the scale of the features, be they 1e-37 or
        1e37 in fp32; it is NaN where lengths are beyond the largest number. Differentiable once: a backward pass with
        `create_graph=True` raises a RuntimeError, and so does one after features that it needs were changed in place.

    Raises:
        ValueError: the shapes do not fit or are empty, an option is unknown, temperature is not positive,
            `teacher_terms` are not of the teacher's maps, or `location_weights` go with none of these options.
    """
    _check_options(distance, similarity, scope, temperature)
    grid = teacher.shape[-2:]
    student, teacher = to_common_grid(*to_common_dtype(student, teacher.detach()))
    if teacher_terms is not None:
        _check_teacher_terms(teacher_terms, len(teacher), grid.numel(), scope)
    if teacher.shape[-2:] != grid:  # an averaged map is another one
        teacher_terms = None
    if location_weights is not None:
        _check_weighted(distance, scope, teacher_terms)
        rows = partial(similarity_rows, similarity=similarity, center=center)
        return _weighted(rows(student), rows(teacher), location_weights)
    if distance == "squared":
        return _squared(student, teacher, similarity, center, scope, teacher_terms)
    scaled = (similarity_rows(x, similarity=similarity, center=center, scope=scope) for x in (student, teacher))
    loss: Tensor = RowDivergence.apply(*scaled, temperature)
    return loss


def _squared(
    student: Tensor, teacher: Tensor, similarity: Similarity, center: bool, scope: Scope, teacher_terms: Tensor | None
) -> Tensor:
    """The mean of (P_student - P_teacher)², by the cheapest way to it; the arguments are those of `pfs_loss`."""
    scaled = partial(similarity_rows, similarity=similarity, center=center, scope=scope)
    N = student[0, 0].numel() * (len(student) if scope == "batch" else 1)
    loss: Tensor
    if teacher_terms is not None and teacher_terms.dim() == 3:
        loss = MapDifference.apply(scaled(student), teacher_terms)
    elif dense_is_cheaper(N, student.shape[1], teacher.shape[1]):
        loss = MapDifference.apply(scaled(student), similarity_map(scaled(teacher)))
    else:
        if teacher.is_inference():  # autograd cannot save such a tensor, nor notice when it is overwritten
            teacher = teacher.clone()
        rows = (as_rows(x, scope) for x in (student, teacher))
        loss = SquaredDifference.apply(*rows, similarity, center, teacher_terms)
    return loss


def _check_weighted(distance: Distance, scope: Scope, teacher_terms: Tensor | None) -> None:
    """Raise a ValueError unless weights of the locations can go with these arguments of `pfs_loss`."""
    if distance != "squared" or scope != "image" or teacher_terms is not None:
        raise ValueError("location_weights go with distance='squared' and scope='image', without teacher_terms")


def _weighted(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """The mean over pairs of w_i w_j (P_student - P_teacher)², of rows (B, N, C) and (B, N, C'), and weights (B, N)."""
    # w_i w_j (s_i · s_j - t_i · t_j)² is the plain difference of the rows √w_i s_i and √w_i t_i.
    s, t = (rows * weights.to(rows).sqrt()[..., None] for rows in (student, teacher))
    if dense_is_cheaper(s.shape[1], s.shape[2], t.shape[2]):
        loss: Tensor = MapDifference.apply(s, similarity_map(t))
        return loss
    # ‖SSᵀ - TTᵀ‖² = ‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖², from products of channels
    norms = [product(a.mT, b).square().sum((1, 2)) for a, b in ((s, s), (s, t), (t, t))]
    return ((norms[0] - 2 * norms[1] + norms[2]) / s.shape[1] ** 2).mean().clamp_min(0)


def class_balance(target: Tensor, grid: tuple[int, int], *, classes: int, ignore_index: int = 255) -> Tensor:
    """Weights (B, N) of the locations of a grid by which every class that an image has counts as much as every other.

    Each location has the nearest label of its image; one whose label is ignored has weight 0. The weights of an image
    have mean 1, and are all 0 where all its labels are ignored.

    Args:
        target: (B, H, W) labels.
        grid: height and width of the features, N locations.
        classes: how many there are.
        ignore_index: the label that counts nowhere.
    """
    label = F.interpolate(target[:, None].float(), size=grid, mode="nearest")[:, 0].long().flatten(1)  # (B, N)
    valid = label != ignore_index
    member = F.one_hot(label.masked_fill(~valid, 0), classes) * valid[..., None]  # (B, N, K)
    count = member.sum(1, keepdim=True)  # (B, 1, K)
    present = (count > 0).sum(2).clamp_min(1)  # (B, 1)
    # w_i = N / (classes present · locations of the class of i)
    return label.shape[1] * (member / count.clamp_min(1)).sum(2) / present


def _check_options(distance: Distance, similarity: Similarity, scope: Scope, temperature: float) -> None:
    """Raise a ValueError that names the option, its value and the valid choices."""
    chosen = (("distance", distance, Distance), ("similarity", similarity, Similarity), ("scope", scope, Scope))
    for name, value, choices in chosen:
        if value not in get_args(choices):
            raise ValueError(f"unknown {name} {value!r}; valid choices: {', '.join(get_args(choices))}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")


def dense_is_cheaper(N: int, C: int, C_teacher: int) -> bool:
    """Whether the N x N maps take fewer products than those of channels: few locations, many channels."""
    return N * (2 * C + C_teacher) < 2 * C * C + 2 * C * C_teacher + C_teacher * C_teacher


def _check_teacher_terms(teacher_terms: Tensor, B: int, N: int, scope: Scope) -> None:
    """Raise a ValueError unless this can be of the maps (B, N, N) of a teacher."""
    if scope == "batch":
        raise ValueError("what is known of the teacher's maps is of single images; with scope='batch' leave it out")
    if teacher_terms.shape not in ((B,), (B, N, N)):
        shapes = f"must be {(B,)}, a number an image, or {(B, N, N)}, its maps"
        raise ValueError(f"what is known of the teacher's maps {shapes}; got {tuple(teacher_terms.shape)}")


# --- from features to rows ----------------------------------------------------------------------------------


def as_rows(features: Tensor, scope: Scope = "image") -> Tensor:
    """Features (B, C, H, W) as rows (B, N, C), or (1, B N, C) for a batch; a view where the memory's order allows."""
    rows = features.flatten(2).transpose(1, 2)  # (B, N, C)
    return rows.reshape(1, -1, rows.shape[2]) if scope == "batch" else rows


def similarity_rows(features: Tensor, *, similarity: Similarity, center: bool, scope: Scope = "image") -> Tensor:
    """Features (B, C, H, W) as rows whose products are the similarities: (B, N, C), or (1, B N, C) for a batch.

    At least in fp32. A vector is divided by its length, but at least by `pfs.losses.pfs_kernels.RELATIVE_FLOOR` times
    the root mean square length of its map and by the rounding noise of centring, so that constant maps and dead
    locations give a finite loss and gradient (a zero vector stays zero).
    """
    scaled: Tensor = ScaledRows.apply(as_rows(features, scope), similarity, center)
    return scaled


def similarity_map(rows: Tensor) -> Tensor:
    """The dense maps (B, N, N) of rows (B, N, C). For pictures, and for small N."""
    return product(rows, rows.mT)


def to_common_grid(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average the finer of two feature maps (B, C, H, W) and (B, C', H', W') to the grid of the coarser one.

    A map that is averaged comes back at least in fp32, the other one as it is.

    Raises:
        ValueError: they are not maps of the same images, or there is nothing in them.
    """
    maps = (student, teacher)
    if any(x.dim() != 4 or not x.numel() for x in maps) or len(student) != len(teacher):
        raise ValueError(
            f"features must be (B, C, H, W) of the same B images, none of these 0, got student {tuple(student.shape)} "
            f"and teacher {tuple(teacher.shape)}"
        )
    grid = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    pooled = [x if x.shape[-2:] == grid else F.adaptive_avg_pool2d(at_least_single(x), grid) for x in maps]
    return pooled[0], pooled[1]


def to_common_dtype(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both in double precision where one of them is; else as they are."""
    if torch.float64 in (student.dtype, teacher.dtype):
        return student.double(), teacher.double()
    return student, teacher


@in_full_precision
def squared_norm(features: Tensor, *, similarity: Similarity = "cosine", center: bool = True) -> Tensor:
    """‖P‖² of the similarity maps P (N x N) of features (B, C, H, W): (B,), in double precision where there is one."""
    rows = NormalisedRows.measure(as_rows(features), similarity, center)
    return squared_norms(grams((rows, rows))[0])


@in_full_precision
def precompute_teacher_terms(features: Tensor) -> Tensor:
    """What to keep of a teacher's features (B, C, H, W), that default `pfs_loss` need not compute it again and again.

    The maps (B, N, N) where they are smaller than the features, in fp16: a similarity is at most 1, and is rounded by
    2⁻¹² at most, less than bf16 rounds the features. Else their `squared_norm` (B,).
    """
    if maps_are_smaller(features):
        return similarity_map(similarity_rows(features, similarity="cosine", center=True)).half()
    return squared_norm(features)


def maps_are_smaller(features: Tensor) -> bool:
    """Whether the N x N maps of features (B, C, H, W) are fewer numbers than they: N < C."""
    return features.shape[2:].numel() < features.shape[1]

"""PFS by its definition, for the tests."""

from typing import Any

import torch
from torch import Tensor


def naive_maps(features: Tensor, *, similarity: str, center: bool, scope: str) -> Tensor:
    """The similarity maps by their definition, location by location: (B, N, N), or (1, B N, B N)."""
    rows = features.double().flatten(2).transpose(1, 2)  # (B, N, C)
    if scope == "batch":
        rows = rows.reshape(1, -1, rows.shape[2])
    maps = torch.zeros(len(rows), rows.shape[1], rows.shape[1], dtype=torch.float64)
    for b, image in enumerate(rows):
        vectors = image - image.mean(0) if center else image
        mean_square = vectors.square().sum(1).mean()
        for i, first in enumerate(vectors):
            for j, second in enumerate(vectors):
                dot = first @ second
                maps[b, i, j] = dot / (first.norm() * second.norm()) if similarity == "cosine" else dot / mean_square
    return maps


def naive_pfs(student: Tensor, teacher: Tensor, *, distance: str, temperature: float, **options: Any) -> Tensor:
    """The definition from dense maps, in double precision."""
    S, T = (naive_maps(x, **options) for x in (student, teacher))
    if distance == "squared":
        return (S - T).square().mean()
    a, b = (T / temperature).softmax(2), (S / temperature).softmax(2)
    return (a * (a.log() - b.log())).sum(2).mean()


def dense_pfs(student: Tensor, teacher: Tensor, *, distance: str, temperature: float, **options: Any) -> Tensor:
    """The same in few operations, through which autograd takes the gradient."""
    S, T = (dense_map(x, **options) for x in (student, teacher))
    if distance == "squared":
        return (S - T).square().mean()
    a, b = (T / temperature).log_softmax(2), (S / temperature).log_softmax(2)
    return (a.exp() * (a - b)).sum(2).mean()


def dense_map(features: Tensor, *, similarity: str, center: bool, scope: str) -> Tensor:
    """`naive_maps` in few operations."""
    rows = features.double().flatten(2).mT  # (B, N, C)
    rows = rows.reshape(1, -1, rows.shape[2]) if scope == "batch" else rows
    vectors = rows - rows.mean(1, keepdim=True) if center else rows
    squares = vectors.square().sum(2, keepdim=True)
    vectors = vectors / (squares if similarity == "cosine" else squares.mean(1, keepdim=True)).sqrt()
    return vectors @ vectors.mT


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


READINGS: list[dict[str, Any]] = [
    {"distance": distance, "similarity": similarity, "center": center, "scope": scope, "temperature": 0.3}
    for distance in ("squared", "kl")
    for similarity in ("cosine", "dot")
    for center in (True, False)
    for scope in ("image", "batch")
]

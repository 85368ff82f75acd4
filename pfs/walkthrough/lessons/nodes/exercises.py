"""The exercises of walkthrough 3: each check says in one sentence whether an answer is right, and why not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pfs.losses.pfs import dense_is_cheaper
from pfs.walkthrough.lessons.ask import NOT_YET, RIGHT
from pfs.walkthrough.lessons.nodes.numbers import cost_of_channels, cost_of_maps, crossover

SIZES = ((40, 3, 5), (60, 7, 4))  # N, C and C' of the rows that an identity is tried on


class _LargestTensor(TorchFunctionMode):
    """Remembers how many numbers the largest tensor has that is made inside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        self.numbers = max(self.numbers, made.numel() if isinstance(made, Tensor) else 0)
        return made


def check_identity(mine: Callable[[Tensor, Tensor], Tensor | float | None]) -> str:
    """Whether a function of rows S (N, C) and T (N, C') gives mean (SSᵀ - TTᵀ)² without a matrix of N x N."""
    for N, C, C_teacher in SIZES:
        random = torch.Generator().manual_seed(N)
        S, T = (torch.randn(N, width, generator=random, dtype=torch.float64) for width in (C, C_teacher))
        true = float((S @ S.T - T @ T.T).square().mean())
        with _LargestTensor() as largest:
            answer = mine(S, T)
        if answer is None:
            return f"{NOT_YET}in JupyterLab, replace None by yours and run the cell."
        if abs(float(answer) - true) > 1e-9 * true:
            sizes = f"N = {N}, C = {C}, C' = {C_teacher}"
            return f"{NOT_YET}for {sizes} the maps give {true:.6f}, and your function {float(answer):.6f}."
        if largest.numbers >= N * N:
            return (
                f"{NOT_YET}the number is right, but you made a matrix of {largest.numbers:,} numbers: the maps again."
            )
    return f"{RIGHT}the same numbers as from the maps, and no matrix was as large as they are."


def check_crossover(locations: float, *, channels: int) -> str:
    """Whether the two ways take the same multiplications at this number of locations, both networks as wide."""
    first = crossover(channels, channels)
    if abs(locations - first) <= 1:
        return f"{RIGHT}up to N = {first - 1} the maps take fewer multiplications, from N = {first} on the channels do."
    side = "maps" if locations < first else "products of channels"
    return f"{NOT_YET}at N = {locations:,.0f} the {side} are still the cheaper way."


def check_memory(gibibytes: float, *, side: int, batch: int) -> str:
    """Whether a reader knows what both maps of a batch take in fp32, with side x side locations an image."""
    true = batch * cost_of_maps(side * side, 1, 1).mebibytes / 1024
    if abs(gibibytes - true) <= 0.05 * true:
        return f"{RIGHT}{true:.2f} GiB."
    return f"{NOT_YET}{gibibytes:.2f} GiB is too {'little' if gibibytes < true else 'much'}."


def check_way(way: str, *, locations: int, channels: int, teacher_channels: int) -> str:
    """Whether a reader knows which way `pfs_loss` takes, "maps" or "channels"."""
    taken = "maps" if dense_is_cheaper(locations, channels, teacher_channels) else "channels"
    sizes = (locations, channels, teacher_channels)
    maps, products = (cost(*sizes).products for cost in (cost_of_maps, cost_of_channels))
    return (
        f"{RIGHT if way == taken else NOT_YET}the maps take {maps:,} multiplications, the channels {products:,}, "
        f"and pfs_loss takes the {taken}."
    )

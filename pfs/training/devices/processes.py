"""What the processes of one run tell each other: sums, rows and gradients. Each has an equal part of every batch.

Every loss of a run is a function of the whole batch. A process knows its value, and the gradient for its own images
alone; the gradients of all processes add up to that of the whole batch. In a process that trains alone, each function
returns what it was given, bit for bit.
"""

import hashlib
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def process_count() -> int:
    """How many processes train this run; 1 where it has not been shared among several."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def add_up(values: Tensor) -> Tensor:
    """The sum of a tensor, which has one shape in all processes, over the processes; without gradient."""
    if process_count() == 1:
        return values
    total = values.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def anywhere(flag: bool) -> bool:
    """Whether a flag is set in any of the processes: all of them get the same answer."""
    if process_count() == 1:
        return flag
    return bool(add_up(torch.tensor(int(flag))))


def is_same_everywhere(text: str) -> bool:
    """Whether all processes give the same text: all of them get the same answer."""
    own = torch.tensor(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]))
    return all(bool(other == own) for other in of_all(own)) if process_count() > 1 else True


def average(loss: Tensor) -> Tensor:
    """The mean of a scalar over all processes: its value everywhere, its gradient through this process's own alone."""
    processes = process_count()
    if processes == 1:
        return loss
    share = loss / processes
    return share + (add_up(share) - share).detach()


def of_all(values: Tensor) -> list[Tensor]:
    """A tensor, which has one shape in all processes, of each process by rank; without gradient.

    To exchange a few numbers so takes Gloo a fraction of the time that it takes to add them up.
    """
    own = values.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(process_count())]
    dist.all_gather(parts, own)
    return parts


def rows_of_all(values: Tensor) -> Tensor:
    """The rows of all processes one after the other, (processes · B, ...) from (B, ...).

    The gradient reaches the rows of this process alone.
    """
    if process_count() == 1:
        return values
    rows = of_all(values)
    rows[process_rank()] = values
    return torch.cat(rows)


def add_up_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its sum over all processes, which then take the same step."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if process_count() == 1 or not gradients:
        return
    total = add_up(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(total, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))

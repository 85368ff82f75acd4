"""Says whether a reader's answers to the exercises of walkthrough 1 are right, by the real loss.

Each check returns one line, which gives the solution away only to who has found it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pfs.losses import definition
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import Reading, loss_of, rows_of_losses
from pfs.walkthrough.lessons.ask import NOT_YET, RIGHT

SAME, ANOTHER = "the same", "another"

# What may be done to a student's features (B, C, h, w), by the name of an answer's field, and what PFS is then.
CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "times_100": (lambda f: 100 * f, SAME),
    "times_minus_1": (lambda f: -f, SAME),
    "plus_5": (lambda f: f + 5, SAME),
    "channels_reordered": (lambda f: f.flip(1), SAME),
    "locations_reordered": (lambda f: f.flip(2), ANOTHER),
    "one_channel_times_100": (lambda f: torch.cat([100 * f[:, :1], f[:, 1:]], dim=1), ANOTHER),
}


def check_largest(walkthrough: Walkthrough, image: int, row: int, column: int) -> str:
    """Whether the map of a location is among the tenth whose loss is largest, for the student alone.

    Args:
        walkthrough: the data.
        image: counted from 1, as the button says.
        row: of the features' grid, from 0.
        column: likewise.
    """
    student, teacher = (walkthrough.features(name)[image - 1] for name in ("ce", "teacher"))
    losses = rows_of_losses(student, teacher, Reading())
    at, (h, w) = (row, column), losses.shape
    if not (0 <= row < h and 0 <= column < w):
        return f"{NOT_YET}rows are counted from 0 to {h - 1}, columns from 0 to {w - 1}"
    chosen, most = float(losses[at]), float(losses.max())
    share = float((losses < chosen).double().mean())
    said = f"the loss of the map of location {at} is {chosen:.3f}, more than that of {share:.0%} of the maps"
    if share < 0.9:
        return f"{NOT_YET}{said}; the largest is {most:.3f}"
    return f"{RIGHT}{said}; the largest is {most:.3f}, of location {divmod(int(losses.argmax()), losses.shape[1])}"


def check_factor(walkthrough: Walkthrough, *, image: int, factor: float) -> str:
    """Whether a reader guessed how many times as large centring makes PFS of the student alone, to a factor of 1.5.

    The image is counted from 1, as the button says.
    """
    student, teacher = (walkthrough.features(name)[image - 1] for name in ("ce", "teacher"))
    centred, plain = (loss_of(student, teacher, Reading(center=center)) for center in (True, False))
    if 1 / 1.5 <= factor * plain / centred <= 1.5:
        return f"{RIGHT}centred, PFS is {centred:.4f}: {centred / plain:.1f} times the {plain:.4f} without centring"
    return f"{NOT_YET}{factor:g} is too {'small' if factor * plain < centred else 'large'}"


def check_unchanged(**answers: str) -> str:
    """Whether a reader knows what PFS does not see: for each of `CHANGES`, `SAME` or `ANOTHER`."""
    wrong = [name.replace("_", " ") for name, (_, right) in CHANGES.items() if answers[name] != right]
    return f"{NOT_YET}look again at {', '.join(wrong)}" if wrong else f"{RIGHT}all {len(CHANGES)}"


def check_definition(own: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Whether a reader's own PFS of features (B, C, h, w) and (B, C', h, w) is that of `pfs.losses.definition`."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.rand(2, channels, 4, 4, generator=generator) for channels in (8, 16))
    found = own(student, teacher)
    if found is None:
        return f"{NOT_YET}let the function return a tensor"
    expected = definition.pfs(student, teacher)
    if found.shape != expected.shape:
        return f"{NOT_YET}the loss is one number, and yours has the shape {tuple(found.shape)}"
    verdict = RIGHT if torch.isclose(found, expected, rtol=1e-4) else NOT_YET
    return f"{verdict}yours is {float(found):.6f}, and PFS is {float(expected):.6f}"

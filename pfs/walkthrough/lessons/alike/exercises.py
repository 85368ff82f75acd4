"""Says whether a reader's answers to the exercises of walkthrough 1 are right, by the real loss.

Each check returns one line. An answer that is still None is asked for.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pfs.losses import definition
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import Reading, loss_of, rows_of_losses

RIGHT, WRONG, MISSING = "Right: ", "Not yet: ", "Fill in your answer first: "

# What may be done to a student's features (B, C, h, w), and whether PFS stays as it is.
CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "times 100": (lambda f: 100 * f, True),
    "times -1": (lambda f: -f, True),
    "plus 5": (lambda f: f + 5, True),
    "channels in another order": (lambda f: f.flip(1), True),
    "locations in another order": (lambda f: f.flip(2), False),
    "one channel times 100": (lambda f: f * torch.tensor([100.0] + [1.0] * (f.shape[1] - 1)).view(1, -1, 1, 1), False),
}


def check_largest(walkthrough: Walkthrough, scene: int, row: int | None, column: int | None) -> str:
    """Whether the map of a location is among the tenth whose loss is largest, for the student alone.

    Args:
        walkthrough: the data.
        scene: counted from 1, as the button says.
        row: of the image, in pixels.
        column: likewise.
    """
    if row is None or column is None:
        return f"{MISSING}row and column of the pixel, from 0 to {walkthrough.labels.shape[1] - 1}"
    student, teacher = (walkthrough.features(name)[scene - 1] for name in ("ce", "teacher"))
    losses = rows_of_losses(student, teacher, Reading())
    H, W = walkthrough.labels.shape[1:]
    at = (row * losses.shape[0] // H, column * losses.shape[1] // W)
    chosen, most = float(losses[at]), float(losses.max())
    share = float((losses < chosen).double().mean())
    said = f"the loss of the map of location {at} is {chosen:.3f}, more than that of {share:.0%} of the maps"
    if share < 0.9:
        return f"{WRONG}{said}; the largest is {most:.3f}"
    return f"{RIGHT}{said}; the largest is {most:.3f}, of location {divmod(int(losses.argmax()), losses.shape[1])}"


def check_factor(walkthrough: Walkthrough, scene: int, factor: float | None) -> str:
    """Whether a reader guessed how many times as large centring makes PFS of the student alone, to a factor of 1.5.

    The scene is counted from 1, as the button says.
    """
    if factor is None:
        return f"{MISSING}a number such as 1.5"
    student, teacher = (walkthrough.features(name)[scene - 1] for name in ("ce", "teacher"))
    centred, plain = (loss_of(student, teacher, Reading(center=center)) for center in (True, False))
    verdict = RIGHT if 1 / 1.5 <= factor * plain / centred <= 1.5 else WRONG
    return f"{verdict}centred, PFS is {centred:.4f}: {centred / plain:.1f} times the {plain:.4f} without centring"


def check_unchanged(answers: Mapping[str, bool | None]) -> str:
    """Whether a reader knows what PFS does not see: change -> whether the loss stays as it is."""
    if missing := [change for change, answer in answers.items() if answer is None]:
        return f"{MISSING}True or False for {', '.join(missing)}"
    wrong = [change for change, answer in answers.items() if answer != CHANGES[change][1]]
    return f"{WRONG}look again at {', '.join(wrong)}" if wrong else f"{RIGHT}all {len(answers)}"


def check_definition(own: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Whether a reader's own PFS of features (B, C, h, w) and (B, C', h, w) is that of `pfs.losses.definition`."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.rand(2, channels, 4, 4, generator=generator) for channels in (8, 16))
    found = own(student, teacher)
    if found is None:
        return f"{MISSING}let the function return a tensor"
    expected = definition.pfs(student, teacher)
    if found.shape != expected.shape:
        return f"{WRONG}the loss is one number, and yours has the shape {tuple(found.shape)}"
    verdict = RIGHT if torch.isclose(found, expected, rtol=1e-4) else WRONG
    return f"{verdict}yours is {float(found):.6f}, and PFS is {float(expected):.6f}"

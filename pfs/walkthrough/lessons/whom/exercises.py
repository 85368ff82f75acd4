"""The exercises of walkthrough 2: each check says in one sentence whether an answer is right, and why not."""

from collections.abc import Sequence

from pfs.losses import wsp_loss
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.ask import NOT_YET, RIGHT
from pfs.walkthrough.lessons.whom.numbers import (
    Pair,
    gradient,
    likeness,
    regions,
    shares,
    weights,
)

HOT = 1e4  # a temperature so high that the gradient has reached its limit to four digits


def check_silent(
    walkthrough: Walkthrough, image: int, row: int, column: int, *, student: str, temperature: float = 2.0
) -> str:
    """Whether KD teaches an error at a pixel where WSP is silent.

    Args:
        walkthrough: the data.
        image: which of its images, counted from 1 as the explorer does.
        row: the pixel's row, from 0.
        column: its column, from 0.
        student: the network that learns.
        temperature: KD's.
    """
    if not 1 <= image <= len(walkthrough.images):
        return f"{NOT_YET}there is no image {image}; they are counted from 1 to {len(walkthrough.images)}."
    pair = Pair.of(walkthrough, image - 1, student)
    H, W = pair.valid.shape
    if not (0 <= row < H and 0 <= column < W):
        return f"{NOT_YET}row {row}, column {column} is outside of the image of {H} x {W} pixels, which count from 0."
    if not pair.valid[row, column]:
        return f"{NOT_YET}the label of row {row}, column {column} is ignored, so no loss counts this pixel."
    return _silent(pair, row, column, walkthrough.classes, temperature)


def _silent(pair: Pair, row: int, column: int, names: Sequence[str], temperature: float) -> str:
    """What `check_silent` says of a pixel that counts."""
    y, said = int(pair.label[0, row, column]), int(pair.teacher[0, :, row, column].argmax())
    if said == y:
        return f"{NOT_YET}the teacher is right there. The label is {names[y]}, and so is its most likely class."
    weight = float(weights(pair, "margin")[row, column])
    if weight > 0:
        return (
            f"{NOT_YET}the teacher is wrong there, but it gives the label {names[y]} a higher probability than the "
            f"student does. WSP's weight is {weight:.2f}."
        )
    kd = float(gradient(pair, "uniform", temperature)[y, row, column])
    if kd <= 0:
        return f"{NOT_YET}WSP is silent, but KD's gradient for the label {names[y]} is {kd:+.3f}: it is not lowered."
    return (
        f"{RIGHT}the label is {names[y]}, and the teacher says {names[said]}. KD's gradient for {names[y]} is "
        f"{kd:+.3f}, so a step of gradient descent lowers the right class. WSP's weight is 0, and it changes nothing."
    )


def check_limit(pair: Pair, row: int, column: int, answer: float) -> str:
    """Whether a number is what KD's gradient for the label's logit tends to as the temperature grows."""
    precise = Pair(pair.label, pair.teacher.double(), pair.student.double(), pair.ignore_index)
    true = float(gradient(precise, "uniform", HOT)[int(pair.known_label[0, row, column]), row, column])
    if abs(answer - true) <= 0.01 * max(1.0, abs(true)):
        return f"{RIGHT}at temperature {HOT:,.0f} autograd gives {true:+.4f}."
    return f"{NOT_YET}at temperature {HOT:,.0f} autograd gives another number than {answer:+.4f}."


def check_scale(pair: Pair, factor: float, *, temperature: float = 2.0) -> str:
    """Whether a number is the factor between WSP without normalising and WSP with it."""
    true = scale(pair, temperature)
    if abs(factor - true) <= 0.02 * true:
        return f"{RIGHT}the loss without normalising is {true:.4f} times the one with it, and so is every gradient."
    return f"{NOT_YET}{factor:.4f} is not what the two losses' ratio is. What are the weights divided by?"


def scale(pair: Pair, temperature: float = 2.0) -> float:
    """WSP without normalising, over WSP with it; 0 where no pixel has weight."""
    plain, normalised = (
        float(
            wsp_loss(
                pair.student,
                pair.teacher,
                pair.label,
                temperature=temperature,
                normalize=normalize,
                ignore_index=pair.ignore_index,
            )
        )
        for normalize in (False, True)
    )
    return plain / normalised if normalised else 0.0


def check_doubt(pair: Pair, correlation: float, part: str) -> str:
    """Whether a reader knows how like the margin the student's doubt is, and where it is not.

    Args:
        pair: the teacher and the student.
        correlation: the predicted correlation of the two where p_teacher[y] is at least 0.9.
        part: the predicted name in `numbers.REGIONS` of the part whose share of the weight differs most between the
            two.
    """
    parts = regions(pair)
    margin, doubt = (shares(weights(pair, gap), parts) for gap in ("margin", "student"))
    differing = max(parts, key=lambda name: abs(doubt[name] - margin[name]))
    true = likeness(pair, least=0.9)
    how_like = f"the correlation is {true:.3f}, where the teacher is sure of the label"
    both = f"{margin[differing]:.0%} of the margin's weight and {doubt[differing]:.0%} of the doubt's"
    where = f"the part is {differing}, with {both}"
    hints = ["the correlation is another one", "in another part they differ more"]
    found = [abs(correlation - true) <= 0.05, part == differing]
    said = [right if known else hint for known, right, hint in zip(found, (how_like, where), hints, strict=True)]
    return f"{RIGHT if all(found) else NOT_YET}{'; '.join(said)}."

"""Weighted soft-prediction imitation (WSP): the second idea of Shan 2019 (arXiv 1910.14226), in our reading.

The student imitates the teacher's softened prediction at each pixel, weighted by that pixel's knowledge gap:
how much better the teacher knows the label there. With equal weights it is plain knowledge distillation.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pfs.losses.pixelwise import PixelSums, Probabilities, pixel_means

# Called with labels (M, W) and both networks' probabilities of these pixels, it returns the pixels' weights (M, W): a
# new tensor, which counts as a constant and may be written to. Ignored pixels are taken out later.
Gap = Callable[[Tensor, Probabilities, Probabilities], Tensor]


def wsp_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    *,
    gap: str = "margin",
    temperature: float = 2.0,
    normalize: bool = True,
    ignore_index: int = 255,
) -> Tensor:
    """Mean over valid pixels of w_i · T² · KL(teacher_i ‖ student_i), the distributions softened by temperature T.

    It is the mean over all pixels of `wsp_sums`, which a study computes together with its other losses of pixels.

    Args:
        student_logits: (B, classes, h, w); gets the gradient.
        teacher_logits: (B, classes, h', w').
        target: (B, H, W) labels. Logits at another resolution are interpolated to the labels'.
        gap: how the weights w_i are made: a name in `GAPS`.
        temperature: T; the factor T² keeps the gradient's scale (Hinton et al. 2015, section 2).
        normalize: divide the weights by their mean, so that the loss has KD's scale.
        ignore_index: pixels with this label count nowhere.

    Returns:
        A scalar, at least in fp32, never negative; differentiable once. Exactly 0, with a zero gradient, where no pixel
        has weight, see `pfs.losses.pixelwise.pixel_means`.

    Raises:
        ValueError: the shapes do not fit, the gap is unknown, or the temperature is not positive.
    """
    loss = partial(wsp_sums, gap=gap, temperature=temperature, normalize=normalize)
    return pixel_means([loss], student_logits, teacher_logits, target, ignore_index=ignore_index)[0]


def wsp_sums(
    label: Tensor,
    valid: Tensor,
    student: Probabilities,
    teacher: Probabilities,
    *,
    gap: str = "margin",
    temperature: float = 2.0,
    normalize: bool = True,
    class_weights: Tensor | None = None,
) -> PixelSums:
    """The sums of `wsp_loss` over some pixels, as `pixel_means` takes them.

    Args:
        label: (M, W), 0 where it is ignored.
        valid: (M, W), 1 where a pixel counts and 0 where its label is ignored.
        student: the probabilities of the pixels' classes.
        teacher: likewise.
        gap: a name in `GAPS`.
        temperature: T.
        normalize: divide by the sum of the weights, instead of the number of valid pixels.
        class_weights: (classes,), by which a pixel counts as its label's class does, whatever its gap; None: all
            classes count alike.

    Raises:
        ValueError: the gap is unknown, or the temperature is not positive.
    """
    if gap not in GAPS:
        raise ValueError(f"unknown gap {gap!r}; valid choices: {', '.join(GAPS)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    s, t = student.softmax(temperature), teacher.softmax(temperature)  # first: at half of T they are squares of these
    if class_weights is not None:
        valid = class_weights.to(valid)[label] * valid
    weight = GAPS[gap](label, student, teacher).mul_(valid)  # (M, W)
    loss = teacher.divergence(student, temperature).mul_(weight).sum().clamp_min_(0)  # rounding can leave less
    gradient = (s - t).mul_(temperature * weight[:, None])  # T² w (s - t) / T
    return PixelSums(temperature**2 * loss, (weight if normalize else valid).sum(), gradient)


# --- the knowledge gap: p is the softmax at temperature 1, y the label, CE = -log p[y] ------------------------


def _margin(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """max(0, p_T[y] - p_S[y]): where the teacher knows the label better; 0 where it is wrong and the student right."""
    return (teacher.label_prob(label) - student.label_prob(label)).clamp_min_(0)


def _absolute(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """|p_T[y] - p_S[y]|."""
    return (teacher.label_prob(label) - student.label_prob(label)).abs_()


def _loss(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """1 - exp(-CE_S / CE_T), the form of WSLD (Zhou et al. 2021, arXiv 2102.00650)."""
    smallest = torch.finfo(teacher.logits.dtype).tiny  # a teacher without any loss: weight 1, not 0 / 0
    ratio = student.label_log_prob(label) / teacher.label_log_prob(label).clamp_max_(-smallest)
    return -torch.expm1(-ratio)


def _divergence(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """KL(p_T ‖ p_S), whatever the label."""
    return teacher.divergence(student, 1.0).clamp_min_(0)


def _correct(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """1 where the teacher's most likely class is y, else 0."""
    return (teacher.logits.argmax(1) == label).to(student.logits.dtype)


def _student(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """1 - p_S[y]: how far the student is from the label, whatever the teacher says."""
    return -torch.expm1(student.label_log_prob(label))


def _uniform(label: Tensor, student: Probabilities, teacher: Probabilities) -> Tensor:
    """1, which makes the loss plain KD."""
    return torch.ones_like(label, dtype=student.logits.dtype)


GAPS: dict[str, Gap] = {
    "margin": _margin,
    "absolute": _absolute,
    "loss": _loss,
    "divergence": _divergence,
    "correct": _correct,
    "student": _student,
    "uniform": _uniform,
}

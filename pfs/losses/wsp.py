"""Weighted soft-prediction imitation (WSP): the second idea of Shan 2019 (arXiv 1910.14226), in our reading.

The student imitates the teacher's softened prediction at each pixel, weighted by that pixel's knowledge gap:
how much better the teacher knows the label there. With equal weights it is plain knowledge distillation.
"""

from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from pfs.losses.pixelwise import PixelSums, Probabilities, check_shapes, pixel_means
from pfs.losses.prediction import at_least_single, in_full_precision, upsample

Gap = Literal["margin", "absolute", "loss", "divergence", "correct", "student", "uniform"]


def wsp_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    *,
    gap: Gap = "margin",
    temperature: float = 2.0,
    normalize: bool = True,
    ignore_index: int = 255,
) -> Tensor:
    """Mean over valid pixels of w_i · T² · KL(teacher_i ‖ student_i), the distributions softened by
    temperature T.

    Args:
        student_logits: (B, classes, h, w); gets the gradient.
        teacher_logits: (B, classes, h', w').
        target: (B, H, W) labels. Logits at another resolution are brought to the labels' by `upsample`.
        gap: how the weights w_i are made, see `knowledge_gap`.
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
    gap: Gap = "margin",
    temperature: float = 2.0,
    normalize: bool = True,
) -> PixelSums:
    """`wsp_loss` of a strip of pixels, as `pixel_means` takes it."""
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    s, t = student.softmax(temperature), teacher.softmax(temperature)  # first: at half of T they are squares of these
    weight = _gap(label, student, teacher, gap).mul_(valid)  # (M, W)
    loss = teacher.divergence(student, temperature).mul_(weight).sum().clamp_min_(0)  # rounding can leave less
    gradient = (s - t).mul_(temperature * weight[:, None])  # T² w (s - t) / T
    return PixelSums(temperature**2 * loss, (weight if normalize else valid).sum(), gradient)


@torch.no_grad()
@in_full_precision
def knowledge_gap(
    student_logits: Tensor, teacher_logits: Tensor, target: Tensor, *, gap: Gap, ignore_index: int = 255
) -> Tensor:
    """The weights (B, H, W) of the pixels, before normalisation; 0 where the label is ignored; no gradient.

    Args:
        student_logits: (B, classes, h, w).
        teacher_logits: (B, classes, h', w').
        target: (B, H, W) labels y.
        gap: with p the softmax at temperature 1 and CE = -log p[y],
            "margin": max(0, p_T[y] - p_S[y]): imitate where the teacher knows the label better, and never where it
            is wrong and the student right.
            "absolute": |p_T[y] - p_S[y]|.
            "loss": 1 - exp(-CE_S / CE_T), the form of WSLD (Zhou et al. 2021, arXiv 2102.00650).
            "divergence": KL(p_T ‖ p_S).
            "correct": 1 where the teacher's most likely class is y, else 0.
            "student": 1 - p_S[y]: how far the student is, whatever the teacher says.
            "uniform": 1, which makes the loss plain KD.
        ignore_index: the label of the pixels that count nowhere.

    Raises:
        ValueError: there is no such gap, or the shapes do not fit.
    """
    check_shapes([student_logits, teacher_logits], target)
    size = (target.shape[1], target.shape[2])
    student, teacher = (Probabilities(upsample(at_least_single(x), size)) for x in (student_logits, teacher_logits))
    valid = target != ignore_index
    return _gap(target.long().masked_fill(~valid, 0), student, teacher, gap) * valid


def _gap(label: Tensor, student: Probabilities, teacher: Probabilities, gap: Gap) -> Tensor:
    """The weights (M, ...) of pixels with these labels; a tensor of its own."""
    match gap:
        case "margin":
            weight = (teacher.label_prob(label) - student.label_prob(label)).clamp_min_(0)
        case "absolute":
            weight = (teacher.label_prob(label) - student.label_prob(label)).abs_()
        case "loss":
            smallest = torch.finfo(teacher.logits.dtype).tiny  # a teacher without any loss: weight 1, not 0 / 0
            ratio = student.label_log_prob(label) / teacher.label_log_prob(label).clamp_max_(-smallest)
            weight = -torch.expm1(-ratio)
        case "divergence":
            weight = teacher.divergence(student, 1.0).clamp_min_(0)
        case "correct":
            weight = (teacher.logits.argmax(1) == label).to(student.logits.dtype)
        case "student":
            weight = -torch.expm1(student.label_log_prob(label))
        case "uniform":
            weight = torch.ones_like(label, dtype=student.logits.dtype)
        case _:
            raise ValueError(f"unknown gap {gap!r}; valid choices: {', '.join(get_args(Gap))}")
    return weight

"""Weighted soft-prediction imitation (WSP): the second idea of Shan 2019 (arXiv 1910.14226), in our reading.

The student imitates the teacher's softened prediction at each pixel, weighted by that pixel's knowledge gap:
how much better the teacher knows the label there. With equal weights it is plain knowledge distillation.
"""

from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.pixels import PixelSums, check_shapes, pixel_means
from pfs.prediction import in_full_precision, upsample

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
        A scalar in fp32; exactly 0, with a zero gradient, where no pixel has weight.

    Raises:
        ValueError: the shapes do not fit, or the temperature is not positive.
    """
    loss = partial(wsp_at, gap=gap, temperature=temperature, normalize=normalize)
    return pixel_means([loss], student_logits, teacher_logits, target, ignore_index=ignore_index)[0]


def wsp_at(
    label: Tensor,
    valid: Tensor,
    student: Tensor,
    teacher: Tensor,
    *,
    gap: Gap = "margin",
    temperature: float = 2.0,
    normalize: bool = True,
) -> PixelSums:
    """`wsp_loss` of a strip of pixels, as `pixel_means` takes it."""
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    weight = _gap(label, student, teacher, gap) * valid  # (M, W)
    log_s, log_t = (F.log_softmax(logits / temperature, dim=1) for logits in (student, teacher))  # (M, classes, W)
    t = log_t.exp()
    divergence = log_t.sub_(log_s).mul_(t).sum(1)  # (M, W): KL(teacher ‖ student)
    gradient = log_s.exp_().sub_(t).mul_(temperature * weight[:, None])  # T² w (s - t) / T
    return PixelSums(temperature**2 * (weight * divergence).sum(), (weight if normalize else valid).sum(), gradient)


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
    student, teacher = (upsample(_at_least_single(x), size) for x in (student_logits, teacher_logits))
    valid = target != ignore_index
    return _gap(target.masked_fill(~valid, 0), student, teacher, gap) * valid


def _gap(label: Tensor, student: Tensor, teacher: Tensor, gap: Gap) -> Tensor:
    """The weights (M, ...) of pixels with labels (M, ...) and logits (M, classes, ...)."""
    match gap:
        case "margin":
            weight = (_log_of(label, teacher).exp() - _log_of(label, student).exp()).clamp_min(0)
        case "absolute":
            weight = (_log_of(label, teacher).exp() - _log_of(label, student).exp()).abs()
        case "loss":
            smallest = torch.finfo(teacher.dtype).tiny  # a teacher without any loss: weight 1, not 0 / 0
            ratio = _log_of(label, student) / _log_of(label, teacher).clamp_max(-smallest)
            weight = -torch.expm1(-ratio)
        case "divergence":
            log_s, log_t = (x.log_softmax(1) for x in (student, teacher))
            weight = (log_t.exp() * (log_t - log_s)).sum(1).clamp_min(0)
        case "correct":
            weight = (teacher.argmax(1) == label).to(student.dtype)
        case "student":
            weight = -torch.expm1(_log_of(label, student))
        case "uniform":
            weight = torch.ones_like(student[:, 0])
        case _:
            raise ValueError(f"unknown gap {gap!r}; valid choices: {', '.join(get_args(Gap))}")
    return weight


def _log_of(label: Tensor, logits: Tensor) -> Tensor:
    """The log-probability of each pixel's label."""
    return F.log_softmax(logits, dim=1).gather(1, label[:, None])[:, 0]


def _at_least_single(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))

"""Weighted soft-prediction imitation (WSP): the second idea of Shan 2019 (arXiv 1910.14226), in our reading.

The student imitates the teacher's softened prediction at each pixel, weighted by that pixel's knowledge gap:
how much better the teacher knows the label there. With equal weights it is plain knowledge distillation.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.prediction import in_full_precision, upsample

Gap = Literal["margin", "absolute", "loss", "divergence", "correct", "student", "uniform"]


@in_full_precision
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
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    student_logits, teacher_logits = _at_labels(student_logits, teacher_logits, target)
    weight = knowledge_gap(student_logits, teacher_logits, target, gap=gap, ignore_index=ignore_index)
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=1)
    divergence = (teacher.exp() * (teacher - student)).sum(1)  # (B, H, W): KL(teacher ‖ student)
    total = weight.sum() if normalize else (target != ignore_index).sum()
    total = total.where(total > 0, 1)  # no weight anywhere: 0 / 1, and not 0 / 0
    return temperature**2 * (weight * divergence).sum() / total


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
    student_logits, teacher_logits = _at_labels(student_logits, teacher_logits, target)
    valid = target != ignore_index
    label = target.masked_fill(~valid, 0)
    match gap:
        case "margin":
            weight = (_log_of(label, teacher_logits).exp() - _log_of(label, student_logits).exp()).clamp_min(0)
        case "absolute":
            weight = (_log_of(label, teacher_logits).exp() - _log_of(label, student_logits).exp()).abs()
        case "loss":
            smallest = torch.finfo(teacher_logits.dtype).tiny  # a teacher without any loss: weight 1, not 0 / 0
            ratio = _log_of(label, student_logits) / _log_of(label, teacher_logits).clamp_max(-smallest)
            weight = -torch.expm1(-ratio)
        case "divergence":
            student, teacher = (x.log_softmax(1) for x in (student_logits, teacher_logits))
            weight = (teacher.exp() * (teacher - student)).sum(1).clamp_min(0)
        case "correct":
            weight = (teacher_logits.argmax(1) == label).to(student_logits.dtype)
        case "student":
            weight = -torch.expm1(_log_of(label, student_logits))
        case "uniform":
            weight = torch.ones_like(student_logits[:, 0])
        case _:
            raise ValueError(f"unknown gap {gap!r}; valid choices: {', '.join(get_args(Gap))}")
    return weight * valid


def _log_of(label: Tensor, logits: Tensor) -> Tensor:
    """(B, H, W): the log-probability of each pixel's label, without the other classes' probabilities."""
    return logits.gather(1, label[:, None])[:, 0] - logits.logsumexp(1)


def _at_labels(student: Tensor, teacher: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both logits at the labels' resolution and at least in fp32; an error where the shapes cannot fit."""
    if student.shape[:2] != teacher.shape[:2] or target.dim() != 3 or len(target) != len(student):
        raise ValueError(
            "logits must be (B, classes, h, w) and labels (B, H, W) of one batch, got student "
            f"{tuple(student.shape)}, teacher {tuple(teacher.shape)}, labels {tuple(target.shape)}"
        )
    size = (target.shape[1], target.shape[2])
    student, teacher = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (student, teacher))
    return upsample(student, size), upsample(teacher.detach(), size)

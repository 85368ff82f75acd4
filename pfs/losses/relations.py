"""Losses of logits that ask for the teacher's relations among the numbers, and not for the numbers themselves.

Knowledge distillation wants the student's logits to have the teacher's range. A small network may not reach it. These
compare the logits of a pixel after their mean and their spread are taken out, or their correlation.
"""

import torch.nn.functional as F
from torch import Tensor

from pfs.losses.baselines import comparable
from pfs.losses.pixelwise import PixelSums, Probabilities
from pfs.losses.prediction import in_full_precision

EPS = 1e-7  # added to a standard deviation, as the authors of logit standardisation do


def standardized_kd_sums(
    label: Tensor,
    valid: Tensor,
    student: Probabilities,
    teacher: Probabilities,
    *,
    temperature: float = 2.0,
    class_weights: Tensor | None = None,
) -> PixelSums:
    """KD of standardised logits (Sun et al. 2024, arXiv 2403.01427), summed over some pixels.

    At each pixel, the logits of either network have their mean subtracted and are divided by their standard deviation
    over the classes; then T² KL(teacher ‖ student), as in KD.

    Args:
        label: (M, W), 0 where it is ignored.
        valid: (M, W), 1 where a pixel counts and 0 where its label is ignored.
        student: of the pixels' classes.
        teacher: likewise.
        temperature: T, the paper's base temperature.
        class_weights: (classes,), by which a pixel counts as its label's class does; None: all count alike.

    Raises:
        ValueError: the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    weight = valid if class_weights is None else class_weights.to(valid)[label] * valid
    (z, deviation), (z_teacher, _) = (_standardized(said.logits) for said in (student, teacher))
    s, t = Probabilities(z), Probabilities(z_teacher)
    loss = t.divergence(s, temperature).mul_(weight).sum().clamp_min_(0)  # rounding can leave less
    gradient = (s.softmax(temperature) - t.softmax(temperature)).mul_(temperature * weight[:, None])  # for z
    return PixelSums(temperature**2 * loss, weight.sum(), _before_standardizing(gradient, z, deviation))


def _standardized(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The z-scores of logits (M, classes, W) over their classes, and the standard deviations (M, 1, W)."""
    deviation = logits.std(1, keepdim=True)
    return (logits - logits.mean(1, keepdim=True)) / (deviation + EPS), deviation


def _before_standardizing(gradient: Tensor, z: Tensor, deviation: Tensor) -> Tensor:
    """What a gradient for the z-scores (M, K, W), whose sum over the classes is 0, is for the logits.

    With z = (x - mean) / (d + EPS): dL/dx = g / (d + EPS) - z (g · z) / ((K - 1) d).
    """
    along = (gradient * z).sum(1, keepdim=True)  # (M, 1, W)
    share = along / ((z.shape[1] - 1) * deviation.clamp_min(EPS))
    return gradient / (deviation + EPS) - z * share


@in_full_precision
def dist_loss(
    student: Tensor, teacher: Tensor, *, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0
) -> Tensor:
    """DIST (Huang et al. 2022, arXiv 2205.10536, eq. 8 to 10): the correlation of the class probabilities.

    With p the class probabilities of all B H W locations of the coarser network's logits, whatever their labels:
    beta times the mean over the locations of 1 - r of the two networks' probabilities over the classes (inter-class),
    plus gamma times the mean over the classes of 1 - r over all locations of the batch (intra-class); r is Pearson's
    correlation. Where the probabilities vary by less than 1e-8 in all, as those of a class that neither network sees
    may, r counts as about 0 and has next to no gradient, as in the authors' code.

    Args:
        student: logits (B, classes, h, w).
        teacher: logits (B, classes, h', w').
        beta: the factor of the inter-class term.
        gamma: the factor of the intra-class term.
        temperature: T of the softmax; the loss has the factor T².

    Raises:
        ValueError: the classes differ in number, or the temperature is not positive.
    """
    student, teacher = comparable(student, teacher)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if student.shape != teacher.shape:
        raise ValueError(f"classes are compared one by one, got {student.shape[1]} and {teacher.shape[1]}")
    s, t = ((logits / temperature).softmax(1).movedim(1, -1).flatten(0, 2) for logits in (student, teacher))  # (BHW, K)
    # T² (beta · mean_i (1 - r(s_i, t_i)) + gamma · mean_k (1 - r(s_k, t_k)))
    inter, intra = (1 - _correlation(s, t, dim=dim).mean() for dim in (1, 0))
    return temperature**2 * (beta * inter + gamma * intra)


def _correlation(a: Tensor, b: Tensor, *, dim: int) -> Tensor:
    """Pearson's r of two matrices, along one of their dimensions."""
    a, b = (x - x.mean(dim, keepdim=True) for x in (a, b))
    return F.cosine_similarity(a, b, dim=dim)

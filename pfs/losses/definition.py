"""The method in the plainest autograd: PFS, WSP, and KD as WSP with equal weights. Read this first.

A study runs faster forms of the same functions (`pfs.losses.pfs`, `pfs.losses.wsp`), which are tested against
these. Notation: features F (B, C, H, W), N = H W locations, f_i the feature at location i; logits z (B, K, H, W),
p = softmax(z) over the K classes; y the label; V the valid pixels, those whose label is not ignored. S is the
student, T the teacher; only the student gets a gradient.

Shan 2019 (arXiv 1910.14226) is the source of both ideas; what its abstract leaves open is our reading.
"""

import torch.nn.functional as F
from torch import Tensor


def similarity_maps(features: Tensor) -> Tensor:
    """The maps P (B, N, N) of features (B, C, H, W): row i tells how similar location i is to every location."""
    f = features.flatten(2).transpose(1, 2)  # (B, N, C)
    f = f - f.mean(dim=1, keepdim=True)  # centred: after a ReLU no cosine would be negative
    # P_ij = cos(f_i, f_j)
    f = F.normalize(f, dim=2)
    return f @ f.transpose(1, 2)  # (B, N, N)


def pfs(student: Tensor, teacher: Tensor) -> Tensor:
    """PFS of features (B, C, H, W) and (B, C', H, W): the student learns the teacher's similarity maps.

    The widths C and C' may differ, for a similarity has no channels.
    """
    # mean over images and pairs of locations of (P^S_ij - P^T_ij)^2
    return (similarity_maps(student) - similarity_maps(teacher.detach())).square().mean()


def kd(student: Tensor, teacher: Tensor, label: Tensor, *, temperature: float = 1.0, ignore_index: int = 255) -> Tensor:
    """KD (Hinton et al. 2015, arXiv 1503.02531) of logits (B, K, H, W) at each pixel: all valid pixels weigh alike."""
    weight = (label != ignore_index).to(student.dtype)  # (B, H, W)
    return _imitation(student, teacher, weight, temperature)


def wsp(
    student: Tensor, teacher: Tensor, label: Tensor, *, temperature: float = 2.0, ignore_index: int = 255
) -> Tensor:
    """WSP of logits (B, K, H, W) and labels (B, H, W): a pixel weighs as much as its knowledge gap."""
    weight = knowledge_gap(student, teacher, label, ignore_index=ignore_index)  # (B, H, W)
    return _imitation(student, teacher, weight, temperature)


def knowledge_gap(student: Tensor, teacher: Tensor, label: Tensor, *, ignore_index: int = 255) -> Tensor:
    """How much better the teacher knows the label of each pixel, (B, H, W): a constant, 0 where it is ignored."""
    valid = label != ignore_index
    y = label.where(valid, 0)[:, None].long()  # (B, 1, H, W)
    p_student, p_teacher = (z.detach().softmax(1).gather(1, y)[:, 0] for z in (student, teacher))  # p[y], (B, H, W)
    # w_i = max(0, p^T_i[y_i] - p^S_i[y_i]): never where the teacher is wrong and the student right
    return (p_teacher - p_student).clamp(min=0) * valid


def _imitation(student: Tensor, teacher: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """The weighted mean over pixels of T^2 KL(p^T || p^S), softened by temperature T; 0 if all weights are 0."""
    log_p_student, log_p_teacher = (z.div(temperature).log_softmax(1) for z in (student, teacher.detach()))
    divergence = (log_p_teacher.exp() * (log_p_teacher - log_p_student)).sum(1)  # (B, H, W)
    # sum_i w_i T^2 KL_i / sum_i w_i: the weights have mean 1 over V, so the loss has KD's scale
    return temperature**2 * (weight * divergence).sum() / (weight.sum() or 1)


def total(cross_entropy: Tensor, pfs_term: Tensor, wsp_term: Tensor, *, lambda_pfs: float, lambda_wsp: float) -> Tensor:
    """What the student minimises: L = CE + lambda_pfs PFS + lambda_wsp WSP."""
    return cross_entropy + lambda_pfs * pfs_term + lambda_wsp * wsp_term

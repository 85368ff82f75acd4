"""What others distil, each as a mean over valid pixels or positions, so that loss weights compare."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.imitation import wsp_loss
from pfs.similarity import similarity_map, to_common_grid, unit_rows


def kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    *,
    temperature: float = 1.0,
    ignore_index: int = 255,
) -> Tensor:
    """Knowledge distillation at every pixel (Hinton et al. 2015, arXiv 1503.02531).

    Mean over valid pixels of T² · KL(teacher ‖ student): the uniform case of `pfs.imitation.wsp_loss`, which
    gives shapes and errors.
    """
    return wsp_loss(
        student_logits,
        teacher_logits,
        target,
        gap="uniform",
        temperature=temperature,
        ignore_index=ignore_index,
    )


def skd_pairwise_loss(student: Tensor, teacher: Tensor, *, grid: int = 4) -> Tensor:
    """The pair-wise term of structured knowledge distillation (Liu et al. 2019, arXiv 1903.04197, eq. 2).

    Both feature maps are max-pooled to `grid` x `grid` nodes; the loss is the mean squared difference of the
    nodes' cosine similarities, over images and pairs of nodes.

    Args:
        student: (B, C, H, W) features; gets the gradient.
        teacher: (B, C', H', W') features of the same images.
        grid: nodes a side; at most the coarser map's height and width.

    Raises:
        ValueError: the batches differ in size, or the grid is finer than a map.
    """
    with torch.autocast(student.device.type, enabled=False):
        student, teacher = to_common_grid(student, teacher)
        if grid > min(student.shape[-2:]):
            raise ValueError(f"grid {grid} is finer than the features' map {tuple(student.shape[-2:])}")
        maps = [
            similarity_map(
                unit_rows(F.adaptive_max_pool2d(features, grid), center=False)
            )  # (B, grid², grid²)
            for features in (student, teacher.detach())
        ]
        return (maps[0] - maps[1]).square().mean()

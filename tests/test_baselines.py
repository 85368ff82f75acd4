"""The losses of others against their definitions."""

import pytest
import torch

from pfs.baselines import skd_pairwise_loss


def pair(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, c, 4, 6, generator=generator, dtype=dtype) for c in (3, 5))
    return student, teacher


def test_skd_pairwise_equals_the_definition() -> None:
    student, teacher = pair()
    expected = 0.0
    for b in range(2):
        nodes = []
        for features in (student[b], teacher[b]):
            cells = [features[:, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3] for i in range(2) for j in range(2)]
            nodes.append([cell.amax((1, 2)) for cell in cells])
        for i in range(4):
            for j in range(4):
                cosines = [float(torch.cosine_similarity(v[i], v[j], dim=0)) for v in nodes]
                expected += (cosines[0] - cosines[1]) ** 2 / (2 * 4 * 4)
    assert float(skd_pairwise_loss(student, teacher, grid=2)) == pytest.approx(expected)


def test_skd_pairwise_gradient() -> None:
    student, teacher = pair()
    assert torch.autograd.gradcheck(lambda s: skd_pairwise_loss(s, teacher, grid=2), student.requires_grad_())


def test_skd_pairwise_of_the_teacher_itself_is_zero() -> None:
    _, teacher = pair()
    assert float(skd_pairwise_loss(teacher.clone(), teacher, grid=2)) == 0


def test_a_grid_finer_than_the_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"grid 5 is finer than the features' map \(4, 6\)"):
        skd_pairwise_loss(*pair(), grid=5)

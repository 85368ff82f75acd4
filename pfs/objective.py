"""What a student minimises: cross-entropy plus the weighted terms that its method names."""

import torch.nn.functional as F
from torch import Tensor

from pfs.baselines import kd_loss, skd_pairwise_loss
from pfs.imitation import wsp_loss
from pfs.prediction import Prediction, upsample
from pfs.similarity import pfs_loss
from pfs.study import KD, PFS, SKD, WSP, Method, Strict


class Objective:
    """Cross-entropy + Σ weight · term, with the terms of a study's method.

    Args:
        method: the terms with their weights and options.
        ignore_index: pixels with this label count in no term.
    """

    def __init__(self, method: Method, *, ignore_index: int) -> None:
        self.terms = method.terms
        self.ignore_index = ignore_index

    def __call__(self, student: Prediction, teacher: Prediction | None, target: Tensor) -> dict[str, Tensor]:
        """The total under "total", and each term, unweighted, under its name; scalars.

        Args:
            student: of the batch's B images, with gradient.
            teacher: of the same images; None will do for a method without terms.
            target: (B, H, W) integer labels.

        Raises:
            ValueError: the method has terms and there is no teacher, or shapes do not fit.
        """
        size = (target.shape[1], target.shape[2])
        student = student._replace(logits=upsample(student.logits.float(), size))
        losses = {"ce": cross_entropy(student.logits, target, ignore_index=self.ignore_index)}
        total = losses["ce"]
        for name, term in self.terms.items():
            if teacher is None:
                raise ValueError(f"the term {name!r} needs the teacher's prediction, and there is none")
            losses[name] = self._term(term, student, teacher, target)
            total = total + term.weight * losses[name]  # type: ignore[attr-defined]  # every term has one
        return {"total": total, **losses}

    def _term(self, term: Strict, student: Prediction, teacher: Prediction, target: Tensor) -> Tensor:
        match term:
            case KD():
                return kd_loss(
                    student.logits,
                    teacher.logits,
                    target,
                    temperature=term.temperature,
                    ignore_index=self.ignore_index,
                )
            case SKD():
                return skd_pairwise_loss(student.features, teacher.features, grid=term.grid)
            case PFS():
                return pfs_loss(student.features, teacher.features, center=term.center)
            case WSP():
                return wsp_loss(
                    student.logits,
                    teacher.logits,
                    target,
                    temperature=term.temperature,
                    normalize=term.normalize,
                    ignore_index=self.ignore_index,
                )
            case _:
                raise TypeError(f"no loss belongs to {term!r}")


def cross_entropy(logits: Tensor, target: Tensor, *, ignore_index: int) -> Tensor:
    """Mean cross-entropy over the valid pixels of (B, classes, H, W) logits; 0, not NaN, without any."""
    valid = (target != ignore_index).sum().clamp_min(1)
    return F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum") / valid

"""What a student minimises: cross-entropy plus the weighted terms that its method names."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from pfs import baselines
from pfs.imitation import wsp_loss
from pfs.prediction import Prediction, upsample
from pfs.similarity import pfs_loss
from pfs.study import AT, CWD, IFVD, KD, PFS, SKD, SP, WSP, FitNet, HardPixels, Method, Term


class Objective(nn.Module):
    """Cross-entropy + Σ weight · term, with the terms of a study's method.

    Its parameters, if any, are those of the terms (FitNet's 1 x 1 convolution), trained with the student's.

    Args:
        method: the terms with their weights and options.
        ignore_index: pixels with this label count in no term.
        channels: of the student's and of the teacher's features; only FitNet asks.

    Raises:
        ValueError: FitNet is among the terms and the channels are not given.
    """

    def __init__(self, method: Method, *, ignore_index: int, channels: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.method = method
        self.ignore_index = ignore_index
        self.hint: nn.Conv2d | None = None
        if method.fitnet is not None:
            if channels is None:
                raise ValueError("the term 'fitnet' needs the channels of the student's and the teacher's features")
            self.hint = nn.Conv2d(*channels, kernel_size=1)

    def forward(self, student: Prediction, teacher: Prediction | None, target: Tensor) -> dict[str, Tensor]:
        """The total under "total", and each term, unweighted, under its name; scalars.

        Args:
            student: of the batch's B images, with gradient.
            teacher: of the same images; None will do for a method that asks no teacher.
            target: (B, H, W) integer labels.

        Raises:
            ValueError: a term needs the teacher and there is none, or shapes do not fit.
        """
        size = (target.shape[1], target.shape[2])
        logits = upsample(student.logits.float(), size)  # once for all terms that meet the labels
        losses = {"ce": cross_entropy(logits, target, ignore_index=self.ignore_index)}
        total = losses["ce"]
        for name, term in self.method.terms.items():
            if teacher is None and not isinstance(term, HardPixels):
                raise ValueError(f"the term {name!r} needs the teacher's prediction, and there is none")
            losses[name] = self._loss(term, student, logits, teacher or student, target)
            total = total + term.weight * losses[name]
        return {"total": total, **losses}

    def _loss(self, term: Term, student: Prediction, logits: Tensor, teacher: Prediction, target: Tensor) -> Tensor:
        ignore: dict[str, Any] = {"ignore_index": self.ignore_index}
        options: dict[str, Any] = term.model_dump(exclude={"weight"})
        f_s, f_t = student.features, teacher.features
        match term:
            case KD():
                return baselines.kd_loss(logits, teacher.logits, target, **options, **ignore)
            case WSP():
                return wsp_loss(logits, teacher.logits, target, **options, **ignore)
            case CWD():
                return baselines.cwd_loss(student.logits, teacher.logits, **options)
            case HardPixels():
                return baselines.hard_pixel_loss(logits, target, **ignore)
            case PFS():
                return pfs_loss(f_s, f_t, **options)
            case SKD():
                return baselines.skd_pairwise_loss(f_s, f_t, **options)
            case AT():
                return baselines.attention_loss(f_s, f_t)
            case SP():
                return baselines.sp_loss(f_s, f_t)
            case IFVD():
                return baselines.ifvd_loss(f_s, f_t, target, classes=logits.shape[1], **ignore)
            case FitNet() if self.hint is not None:
                return baselines.fitnet_loss(self.hint(f_s), f_t)
            case _:
                raise TypeError(f"no loss belongs to {term!r}")


def cross_entropy(logits: Tensor, target: Tensor, *, ignore_index: int) -> Tensor:
    """Mean cross-entropy over the valid pixels of (B, classes, H, W) logits; 0, not NaN, without any."""
    valid = (target != ignore_index).sum().clamp_min(1)
    return F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum") / valid

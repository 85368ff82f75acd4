"""What a student minimises: cross-entropy plus the weighted terms that its method names."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from pfs.config.methods import AT, CWD, IFVD, KD, PFS, SKD, SP, WSP, FitNet, HardPixels, Method, Term
from pfs.losses import Prediction, baselines, pfs_loss
from pfs.losses.pfs import maps_are_smaller, precompute_teacher_terms
from pfs.losses.pixelwise import PixelLoss, balanced_cross_entropy_sums, cross_entropy_sums, pixel_means
from pfs.losses.prediction import CachedPrediction
from pfs.losses.wsp import wsp_sums


class Objective(nn.Module):
    """Cross-entropy + Σ weight · term, with the terms of a study's method.

    Its parameters, if any, are those of the terms (FitNet's 1 x 1 convolution), trained with the student's.

    Args:
        method: the terms with their weights and options.
        ignore_index: pixels with this label count in no term.
        channels: of the student's and of the teacher's features; only FitNet asks.
        class_weights: (classes,), how much each class weighs in the cross-entropy; None: all pixels are alike.

    Raises:
        ValueError: FitNet is among the terms and the channels are not given.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        method: Method,
        *,
        ignore_index: int,
        channels: tuple[int, int] | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.method = method
        self.ignore_index = ignore_index
        self.register_buffer("class_weights", class_weights, persistent=False)
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
        terms = self.method.terms
        for name, term in terms.items():
            if teacher is None and not isinstance(term, HardPixels):
                raise ValueError(f"the term {name!r} needs the teacher's prediction, and there is none")
        # All losses of pixels from one walk over them; then those of locations and channels. The cross-entropy comes
        # last: its probabilities are the squares of those that others have softened.
        at_pixels = {n: loss for n, term in terms.items() if (loss := _pixel_loss(term))} | {"ce": self._cross_entropy}
        asked = teacher.logits if teacher and any(isinstance(term, KD | WSP) for term in terms.values()) else None
        means = pixel_means(list(at_pixels.values()), student.logits, asked, target, ignore_index=self.ignore_index)
        losses = dict(zip(at_pixels, means, strict=True))
        total = losses["ce"]
        for name, term in terms.items():
            if name not in losses:
                losses[name] = self._map_loss(term, student, teacher or student, target)
            total = total + term.weight * losses[name]
        return {"total": total, **{name: losses[name] for name in ("ce", *terms)}}

    @property
    def _cross_entropy(self) -> PixelLoss:
        if self.class_weights is None:
            return cross_entropy_sums
        return partial(balanced_cross_entropy_sums, class_weights=self.class_weights)

    def _map_loss(self, term: Term, student: Prediction, teacher: Prediction, target: Tensor) -> Tensor:
        options: dict[str, Any] = term.model_dump(exclude={"weight"})
        f_s, f_t = student.features, teacher.features
        match term:
            case CWD():
                return baselines.cwd_loss(student.logits, teacher.logits, **options)
            case PFS():
                return pfs_loss(f_s, f_t, teacher_terms=_teacher_terms(teacher, student, term), **options)
            case SKD():
                return baselines.skd_pairwise_loss(f_s, f_t, **options)
            case AT():
                return baselines.attention_loss(f_s, f_t)
            case SP():
                return baselines.sp_loss(f_s, f_t)
            case IFVD():
                classes = student.logits.shape[1]
                return baselines.ifvd_loss(f_s, f_t, target, classes=classes, ignore_index=self.ignore_index)
            case FitNet() if self.hint is not None:
                return baselines.fitnet_loss(self.hint(f_s), f_t)
            case _:
                raise TypeError(f"no loss belongs to {term!r}")


def _teacher_terms(teacher: Prediction, student: Prediction, term: PFS) -> Tensor | None:
    """What has been kept of the teacher's maps; of a teacher asked just now, its maps rounded as they would be kept."""
    coarser = any(a < b for a, b in zip(student.features.shape[2:], teacher.features.shape[2:], strict=False))
    if term != PFS(
        weight=term.weight, temperature=term.temperature
    ):  # the cache holds what belongs to the default options alone
        return None
    if isinstance(teacher, CachedPrediction):
        return teacher.teacher_terms
    return None if coarser or not maps_are_smaller(teacher.features) else precompute_teacher_terms(teacher.features)


def _pixel_loss(term: Term) -> PixelLoss | None:
    """The loss of a term that compares pixels; None for one that compares maps."""
    options: dict[str, Any] = term.model_dump(exclude={"weight"})
    match term:
        case KD():
            return partial(wsp_sums, gap="uniform", **options)
        case WSP():
            return partial(wsp_sums, **options)
        case HardPixels():
            return baselines.hard_pixel_sums
        case _:
            return None

"""What a student minimises: cross-entropy plus the weighted terms that its method names."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from pfs.config.methods import (
    AT,
    CWD,
    DIST,
    IFVD,
    KD,
    NFD,
    PFS,
    SKD,
    SP,
    WSP,
    FitNet,
    HardPixels,
    Imitation,
    Method,
    StandardizedKD,
    Term,
)
from pfs.losses import Prediction, pfs_loss
from pfs.losses.baselines import (
    attention_loss,
    cwd_loss,
    fitnet_loss,
    hard_pixel_sums,
    ifvd_loss,
    kd_sums,
    nfd_loss,
    skd_pairwise_loss,
    sp_loss,
)
from pfs.losses.pfs import class_balance, maps_are_smaller, precompute_teacher_terms
from pfs.losses.pixelwise import PixelLoss, class_weighted_cross_entropy_sums, cross_entropy_sums, pixel_means
from pfs.losses.prediction import CachedPrediction
from pfs.losses.relations import dist_loss, standardized_kd_sums
from pfs.losses.wsp import wsp_sums
from pfs.training.devices.processes import add_up, average, process_count, rows_of_all

# The loss of every term, by what it compares. A term's options are the loss's keyword arguments of the same names.
# Losses of the pixels' class probabilities, called with (label, valid, student, teacher): `pfs.losses.pixelwise`.
OF_PIXELS: dict[type[Term], PixelLoss] = {
    KD: kd_sums,
    StandardizedKD: standardized_kd_sums,
    WSP: wsp_sums,
    HardPixels: hard_pixel_sums,
}
# The networks' logits: (student's, teacher's).
OF_LOGITS: dict[type[Term], Callable[..., Tensor]] = {CWD: cwd_loss, DIST: dist_loss}
# The networks' features: (student's, teacher's).
OF_FEATURES: dict[type[Term], Callable[..., Tensor]] = {
    PFS: pfs_loss,
    FitNet: fitnet_loss,
    NFD: nfd_loss,
    AT: attention_loss,
    SP: sp_loss,
    SKD: skd_pairwise_loss,
    IFVD: ifvd_loss,
}
# Terms of maps whose loss is a mean over the images of the batch; PFS only with its scope "image".
MEANS_OVER_IMAGES: set[type[Term]] = {PFS, FitNet, NFD, AT, SKD, CWD}


class Objective(nn.Module):
    """Cross-entropy + Σ weight · term, with the terms of a study's method.

    Its parameters, if any, are those of the terms (the 1 x 1 convolutions of FitNet and NFD), trained with the
    student's. Who trains sets `done`, the share of the steps that lie behind, for terms whose weight decays.

    Args:
        method: the terms with their weights and options.
        ignore_index: pixels with this label count in no term.
        channels: of the student's and of the teacher's features; only FitNet and NFD ask.
        class_weights: (classes,), how much each class weighs in the cross-entropy; None: all pixels are alike.

    Raises:
        ValueError: FitNet or NFD is among the terms and the channels are not given; or a term is `class_weighted` and
            there are no class weights.
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
        self.done = 0.0
        self.hints = nn.ModuleDict()  # of each term that compares channels, the student's brought to the teacher's
        for name, term in method.terms.items():
            if isinstance(term, Imitation) and term.class_weighted and class_weights is None:
                raise ValueError(f"the term {name!r} is class_weighted, and there are no class weights")
            if isinstance(term, FitNet | NFD):
                if channels is None:
                    raise ValueError(
                        f"the term {name!r} needs the channels of the student's and the teacher's features"
                    )
                self.hints[name] = nn.Conv2d(*channels, kernel_size=1)

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
            if teacher is None and term.needs_teacher:
                raise ValueError(f"the term {name!r} needs the teacher's prediction, and there is none")
        losses = self._pixel_losses(student, teacher, target)
        total = losses["ce"]
        for name, term in terms.items():
            if name not in losses:
                losses[name] = self._map_loss(name, student, teacher or student, target)
            total = total + term.weight_after(self.done) * losses[name]
        return {"total": total, **{name: losses[name] for name in ("ce", *terms)}}

    def _pixel_losses(self, student: Prediction, teacher: Prediction | None, target: Tensor) -> dict[str, Tensor]:
        """The cross-entropy and all terms that compare pixels, from one walk over them."""
        terms = {name: term for name, term in self.method.terms.items() if type(term) in OF_PIXELS}
        at_pixels = {name: self._pixel_loss(term) for name, term in terms.items()}
        # The cross-entropy comes after the terms at T = 2, the squares of whose probabilities are those at T = 1.
        at_pixels["ce"] = self._cross_entropy
        asked = teacher.logits if teacher and any(term.needs_teacher for term in terms.values()) else None
        means = pixel_means(
            list(at_pixels.values()), student.logits, asked, target, ignore_index=self.ignore_index, add_up=add_up
        )
        return dict(zip(at_pixels, means, strict=True))

    def _pixel_loss(self, term: Term) -> PixelLoss:
        """The loss of a term that compares pixels, with its options."""
        loss = partial(OF_PIXELS[type(term)], **term.options)
        weighted = isinstance(term, Imitation) and term.class_weighted
        return partial(loss, class_weights=self.class_weights) if weighted else loss

    @property
    def _cross_entropy(self) -> PixelLoss:
        if self.class_weights is None:
            return cross_entropy_sums
        return partial(class_weighted_cross_entropy_sums, class_weights=self.class_weights)

    def _map_loss(self, name: str, student: Prediction, teacher: Prediction, target: Tensor) -> Tensor:
        """The loss of a term that compares whole maps of logits or features, over the images of all processes."""
        term = self.method.terms[name]
        if name in self.hints:
            student = student._replace(features=self.hints[name](student.features))
        if _is_mean_over_images(term):
            return average(self._loss_of_maps(term, student, teacher, target))
        if process_count() > 1:
            both = (student, teacher)
            student, teacher = (Prediction(rows_of_all(x.logits), rows_of_all(x.features)) for x in both)
            target = rows_of_all(target)
        return self._loss_of_maps(term, student, teacher, target)

    def _loss_of_maps(self, term: Term, student: Prediction, teacher: Prediction, target: Tensor) -> Tensor:
        """The loss of a term that compares whole maps, over these images."""
        if type(term) in OF_LOGITS:
            return OF_LOGITS[type(term)](student.logits, teacher.logits, **term.options)
        loss = partial(OF_FEATURES[type(term)], **term.options)
        labels = {"classes": student.logits.shape[1], "ignore_index": self.ignore_index}
        match term:  # arguments that only some losses take
            case PFS(class_balanced=True):
                height, width = map(min, zip(student.features.shape[2:], teacher.features.shape[2:], strict=True))
                loss = partial(loss, location_weights=class_balance(target, (height, width), **labels))
            case PFS():
                loss = partial(loss, teacher_terms=_teacher_terms(teacher, student, term))
            case IFVD():
                loss = partial(loss, target=target, **labels)
        return loss(student.features, teacher.features)


def _is_mean_over_images(term: Term) -> bool:
    """Whether the loss of a batch is the mean of the losses of its images, or of equal parts of it.

    The loss of any other term is computed of the whole batch by each process of a run on several devices.
    """
    return type(term) in MEANS_OVER_IMAGES and getattr(term, "scope", "image") == "image"


def _teacher_terms(teacher: Prediction, student: Prediction, term: PFS) -> Tensor | None:
    """The teacher's similarity maps as the cache holds them; of one asked just now, computed and rounded alike."""
    coarser = any(a < b for a, b in zip(student.features.shape[2:], teacher.features.shape[2:], strict=False))
    if term.options != PFS(weight=term.weight).options:  # the cache holds what belongs to the default options alone
        return None
    if isinstance(teacher, CachedPrediction):
        return teacher.teacher_terms
    return None if coarser or not maps_are_smaller(teacher.features) else precompute_teacher_terms(teacher.features)

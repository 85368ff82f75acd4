"""The terms that a method may add to the cross-entropy: a class a term, its fields the loss's own options.

They are blocks of a study's YAML. `pfs.training.objective` ties each to its loss, and tests hold that every term has
one, and that its options are the loss's. An option that would change nothing is refused. No torch here.
"""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pfs.config.base import SaidIfTrue, Strict

Weight = Annotated[float, Field(gt=0)]
Temperature = Annotated[float, Field(gt=0)]


# What the objective itself takes of a term, and its loss does not: see `pfs.training.objective`.
OF_THE_OBJECTIVE = {"weight", "decay", "class_weighted", "class_balanced"}


class Term(Strict):
    """A loss and the weight that it has beside the cross-entropy, throughout or less and less.

    With `decay`, the weight falls from `weight` at the first step to 0 after the last: along a straight line, or along
    half a wave of the cosine.
    """

    needs_teacher: ClassVar[bool] = True

    weight: Weight
    decay: Literal["linear", "cosine"] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the loss is called with, by name: all fields but those of the objective."""
        return self.model_dump(exclude=OF_THE_OBJECTIVE)

    def weight_after(self, done: float) -> float:
        """The weight when a share `done` of the training's steps, from 0 to 1, lies behind."""
        match self.decay:
            case "linear":
                return self.weight * (1 - done)
            case "cosine":
                return self.weight * (1 + math.cos(math.pi * done)) / 2
            case None:
                return self.weight


class Imitation(Term):
    """A term by which the student imitates the teacher's prediction at each pixel.

    With `class_weighted`, a pixel counts as its class does in the cross-entropy, by the `class_weights` of the student.
    """

    class_weighted: SaidIfTrue = False


class KD(Imitation):
    """Hinton et al. 2015 (arXiv 1503.02531), per pixel: `pfs.losses.baselines.kd_sums`."""

    temperature: Temperature = 1.0


class StandardizedKD(Imitation):
    """Sun et al. 2024 (arXiv 2403.01427), KD of z-scores: `pfs.losses.relations.standardized_kd_sums`."""

    temperature: Temperature = 2.0


class DIST(Term):
    """Huang et al. 2022 (arXiv 2205.10536): `pfs.losses.relations.dist_loss`."""

    beta: Weight = 1.0
    gamma: Weight = 1.0
    temperature: Temperature = 1.0


class FitNet(Term):
    """Romero et al. 2014 (arXiv 1412.6550), with a learnt 1 x 1 convolution: `pfs.losses.baselines.fitnet_loss`."""


class NFD(Term):
    """Liu et al. 2022 (arXiv 2207.05256), with a learnt 1 x 1 convolution: `pfs.losses.baselines.nfd_loss`."""


class AT(Term):
    """Zagoruyko and Komodakis 2016 (arXiv 1612.03928): `pfs.losses.baselines.attention_loss`."""


class SP(Term):
    """Tung and Mori 2019 (arXiv 1907.09682): `pfs.losses.baselines.sp_loss`."""


class SKD(Term):
    """The pair-wise term of Liu et al. 2019 (arXiv 1903.04197): `pfs.losses.baselines.skd_pairwise_loss`."""

    grid: Annotated[int, Field(ge=2)] = 4  # of one node, which is like itself in every network, the loss would be 0
    center: bool = False


class CWD(Term):
    """Shu et al. 2020 (arXiv 2011.13256), of the logits: `pfs.losses.baselines.cwd_loss`."""

    temperature: Temperature = 4.0


class IFVD(Term):
    """Wang et al., ECCV 2020: `pfs.losses.baselines.ifvd_loss`."""


class HardPixels(Term):
    """The control without a teacher: `pfs.losses.baselines.hard_pixel_sums`."""

    needs_teacher: ClassVar[bool] = False


class PFS(Term):
    """Pixel-wise feature similarities, the paper's first idea: `pfs.losses.pfs_loss`.

    With `class_balanced`, the locations of each class of an image count as much as those of every other.
    """

    distance: Literal["squared", "kl"] = "squared"
    similarity: Literal["cosine", "dot"] = "cosine"
    center: bool = True
    scope: Literal["image", "batch"] = "image"
    temperature: Temperature = 0.1
    class_balanced: SaidIfTrue = False

    @model_validator(mode="after")
    def _balance_is_of_squared_differences_in_an_image(self) -> Self:
        if self.class_balanced and (self.distance != "squared" or self.scope != "image"):
            raise ValueError(
                "class_balanced: true goes with distance: squared and scope: image alone; leave it out, or them"
            )
        return self

    @model_validator(mode="after")
    def _temperature_is_that_of_kl(self) -> Self:
        if self.distance == "squared" and "temperature" in self.model_fields_set:
            raise ValueError(
                f"temperature: {self.temperature} has no effect with distance: squared; "
                "leave it out, or write distance: kl"
            )
        return self


class WSP(Imitation):
    """Weighted soft-prediction imitation, the paper's second idea: `pfs.losses.wsp.wsp_sums`."""

    gap: Literal["margin", "absolute", "loss", "divergence", "correct", "student", "uniform"] = "margin"
    temperature: Temperature = 2.0
    normalize: bool = True

    @model_validator(mode="after")
    def _equal_weights_are_normal(self) -> Self:
        if self.gap == "uniform" and "normalize" in self.model_fields_set:
            said = f"normalize: {str(self.normalize).lower()}"
            raise ValueError(f"{said} has no effect with gap: uniform, whose weights have mean 1; leave it out")
        return self


class Method(Strict):
    """What a student learns from besides the labels. Without any term, it learns from labels alone.

    `label` is the method's name in tables and figures. No run depends on it. `learning_rate` stands in place of that of
    the study's `student`: so a study can try several.
    """

    label: Annotated[str, Field(min_length=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    kd: KD | None = None
    kd_standardized: StandardizedKD | None = None
    dist: DIST | None = None
    fitnet: FitNet | None = None
    nfd: NFD | None = None
    at: AT | None = None
    sp: SP | None = None
    skd: SKD | None = None
    cwd: CWD | None = None
    ifvd: IFVD | None = None
    hard_pixels: HardPixels | None = None
    pfs: PFS | None = None
    wsp: WSP | None = None

    @property
    def terms(self) -> dict[str, Term]:
        """The terms that this method names, in the order of the class."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: term for name, term in fields.items() if isinstance(term, Term)}

    @property
    def needs_teacher(self) -> bool:
        """Whether any term asks the teacher."""
        return any(term.needs_teacher for term in self.terms.values())

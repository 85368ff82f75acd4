"""The controls and pictures of walkthrough 1, which follow the pointer."""

from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import (
    Reading,
    clearest_place,
    entries_of_loss,
    loss_of,
    loss_of_rows,
    maps_of,
)
from pfs.walkthrough.lessons.alike.texts import (
    HEADINGS,
    class_of,
    describe_entries,
    describe_map,
    key_of,
    number,
    terms_of,
)
from pfs.walkthrough.lessons.controls.buttons import Buttons
from pfs.walkthrough.lessons.controls.slider import Slider
from pfs.walkthrough.lessons.switches import LAYOUT, STYLE, choice
from pfs.walkthrough.paint import Picture, as_png, paint_amount, paint_signed
from pfs.walkthrough.pointer import Pointer

TEACHER, STUDENTS = "teacher", ("ce", "pfs")
END = "end"  # the value of the control for the finished training; others are a snapshot's step
_CSS = Path(__file__).with_name("explorer.css")


class Explorer:
    """One image, the similarity maps of three networks for the location that is pointed at, and PFS with its terms.

    Set the value of a control, or `pointer.row` and `pointer.column`, and the pictures and numbers follow.

    Args:
        walkthrough: with features of the teacher, of the student alone ("ce") and of the student with PFS ("pfs").

    Attributes:
        pointer: the image. The maps are pointers, too, and all of them point at the same place.
        maps: network -> its map.
        entries: student -> what each location of the map adds to the loss.
        here: the class and the place of the pixel under the cross, as HTML.
        reason: why the layer cannot be chosen, where it cannot.
        terms: the loss, with its terms filled in.
        widget: all of it.
        row_losses: student -> the loss of the map that is shown.
        losses: student -> PFS of the image.
    """

    def __init__(self, walkthrough: Walkthrough) -> None:
        self.walkthrough = walkthrough
        self.rows, self.columns = walkthrough.labels.shape[1:]
        self._place = (0, 0)
        image, row, column = clearest_place(walkthrough)
        self._make_controls(image)
        self._make_pictures()
        self.row_losses: dict[str, float] = {}
        self.losses: dict[str, float] = {}
        self.widget = self._arranged()
        self._compute()
        self.pointer.point(row, column)

    # --- what is shown ----------------------------------------------------------------------------------------

    def _make_controls(self, image: int) -> None:
        walkthrough = self.walkthrough
        images = [(str(index + 1), index) for index in range(len(walkthrough.images))]
        self.image = Buttons("Image", images, image)
        steps = [(f"{step} steps" if step else "no step", step) for step in walkthrough.snapshots]
        everything = f"all {walkthrough.record['steps']} steps"
        self.snapshot = Buttons("Students after", [*steps, (everything, END)], END)
        self.layer = choice("Features of", [(name.replace("_", " "), name) for name in walkthrough.layers(TEACHER)])
        self.layer.value = walkthrough.record["layer"]
        self.reason = widgets.HTML()
        self.center = widgets.Checkbox(True, description="Subtract the mean feature first", style=STYLE, layout=LAYOUT)
        self.similarity = choice("Similarity", [("cosine", "cosine"), ("dot product", "dot")])
        self.distance = choice("Compared by", [("squared differences", "squared"), ("softmax and KL", "kl")])
        self.temperature = Slider("Temperature", [0.05, 0.1, 0.2, 0.5, 1.0], 0.1, ".2f", layout=LAYOUT)
        self.temperature.layout.visibility = "hidden"  # until distributions are compared
        for control in self._controls():
            control.observe(self._switched, names="value")

    def _controls(self) -> list[Any]:
        """All of them but the pointer, in the order in which they are shown."""
        views = [self.image, self.snapshot, self.layer]
        return [*views, self.center, self.similarity, self.distance, self.temperature]

    def _make_pictures(self) -> None:
        self.pointer = Pointer(label="The image: point at a location", rows=self.rows, columns=self.columns)
        follower = partial(Pointer, reachable=False, rows=self.rows, columns=self.columns)
        self.maps = {network: follower(label=HEADINGS[network]) for network in (TEACHER, *STUDENTS)}
        self.entries = {network: follower(label=f"{HEADINGS[network]}, terms of PFS") for network in STUDENTS}
        self.here, self.key, self.terms = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._pictures = [self.pointer, *self.maps.values(), *self.entries.values()]
        for picture in self._pictures:
            picture.on_move(self._moved)

    def _arranged(self) -> Any:
        """All widgets in their places; `explorer.css` says where these are, on a desk and on a phone."""
        controls = self._controls()
        controls.insert(controls.index(self.layer) + 1, self.reason)
        image = _classed(widgets.VBox([self.pointer, self.here]), "image")
        top = _classed(widgets.Box([image, _classed(widgets.VBox(controls), "controls")]), "top")
        headings = [_classed(widgets.HTML(HEADINGS[network]), "heading") for network in self.maps]
        cells = [*headings, *self.maps.values(), _classed(self.key, "key"), *self.entries.values()]
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>")
        everything = widgets.VBox([top, _classed(widgets.Box(cells), "maps"), self.terms, style])
        return everything.add_class("pfs-alike")

    # --- what happens -----------------------------------------------------------------------------------------

    @property
    def reading(self) -> Reading:
        """The reading of PFS that the switches say."""
        return Reading(self.center.value, self.similarity.value, self.distance.value, self.temperature.value)

    @property
    def location(self) -> tuple[int, int]:
        """The row and column of the features under the pointer."""
        h, w = self._grid
        return self.pointer.row * h // self.rows, self.pointer.column * w // self.columns

    def features(self, network: str) -> Tensor:
        """The features (C, h, w) of the image, the layer and, of a student, the snapshot that the switches say."""
        snapshot = None if network == TEACHER or self.snapshot.value == END else self.snapshot.value
        return self.walkthrough.features(network, snapshot, self.layer.value)[self.image.value]

    def _switched(self, change: Any) -> None:
        if change["owner"] is self.snapshot and self.snapshot.value != END:
            self.layer.value = self.walkthrough.record["layer"]  # snapshots hold the features of this one alone
        self.layer.disabled = self.snapshot.value != END
        kept = f"Before the end of the training, only the features of {self.layer.value} were kept."
        self.reason.value = _small(kept) if self.layer.disabled else ""
        self.temperature.layout.visibility = "visible" if self.distance.value == "kl" else "hidden"
        self._compute()

    @torch.no_grad()
    def _compute(self) -> None:
        """Everything that does not depend on the place."""
        features = {network: self.features(network) for network in self.maps}
        self._grid: tuple[int, int] = (features[TEACHER].shape[1], features[TEACHER].shape[2])
        self._maps = {network: maps_of(x, self.reading) for network, x in features.items()}
        self._entries = {
            network: entries_of_loss(self._maps[network], self._maps[TEACHER], self.reading) for network in STUDENTS
        }
        self.losses = {network: loss_of(features[network], features[TEACHER], self.reading) for network in STUDENTS}
        for picture in self._pictures:
            picture.step = self.rows // self._grid[0]
        self.pointer.image = as_png(self.walkthrough.images[self.image.value])
        self._show()

    def _moved(self, row: int, column: int) -> None:
        if (row, column) == self._place:
            return  # this is one of the pictures that follow
        self._place = row, column
        for picture in self._pictures:
            picture.point(row, column)
        self._show()

    def _show(self) -> None:
        """Everything that depends on the place."""
        row, column = self.location
        at = row * self._grid[1] + column
        maps = {network: values[at].view(self._grid) for network, values in self._maps.items()}
        entries = {network: values[at].view(self._grid) for network, values in self._entries.items()}
        self.row_losses = {
            network: float(loss_of_rows(values[at : at + 1], self.reading)) for network, values in self._entries.items()
        }
        self._paint(maps, entries)
        self.terms.value = terms_of(maps, entries, self.row_losses, self.losses, self.location, self.reading)

    def _largest(self, values: Tensor) -> float:
        """The largest absolute value of a picture (h, w); of shares, without the location's own, which hides others."""
        sizes = values.abs()
        if self.reading.distance == "kl":
            sizes[self.location] = 0
        return float(sizes.max())

    def _paint(self, maps: dict[str, Tensor], entries: dict[str, Tensor]) -> None:
        """The pictures of maps and of what they add to the loss, all of one row on one scale; and what they show."""
        scale, top = (max(map(self._largest, shown.values())) or 1.0 for shown in (maps, entries))
        if self.reading.distance == "squared" and self.reading.similarity == "cosine":
            scale = 1.0
        for network, values in maps.items():
            self.maps[network].image = _picture(values, scale, signed=self.reading.distance == "squared")
            self.maps[network].alt = describe_map(values, self.location, self.reading)
        for network, values in entries.items():
            self.entries[network].image = _picture(values, top, signed=self.reading.distance == "kl")
            self.entries[network].alt = describe_entries(values, self.row_losses[network], self.reading)
        self.key.value = key_of(scale, top, self.reading)
        self._say_place()

    def _say_place(self) -> None:
        """The class and the place of the pixel under the cross, for those who see the image and for others."""
        label = self.walkthrough.labels[self.image.value, self.pointer.row, self.pointer.column]
        place = f"row {self.pointer.row}, column {self.pointer.column}: {class_of(label, self.walkthrough.classes)}"
        self.here.value = _small(f"Image {self.image.value + 1}, {place}")
        losses = ", ".join(f"{HEADINGS[network]} {number(loss)}" for network, loss in self.row_losses.items())
        self.pointer.alt = f"Image {self.image.value + 1}, {place}. The loss of this map: {losses}."


def _small(text: str) -> str:
    return f'<div style="line-height:1.3">{escape(text)}</div>'


def _classed(widget: Any, name: str) -> Any:
    """The widget, with the class `pfs-alike-<name>` for the style."""
    return widget.add_class(f"pfs-alike-{name}")


def _picture(values: Tensor, limit: float, *, signed: bool) -> bytes:
    colours: Picture = (paint_signed if signed else paint_amount)(values.numpy(), limit)
    return as_png(colours)

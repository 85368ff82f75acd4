"""The pictures and switches of walkthrough 3: one image at the nodes of a grid."""

from typing import Any

import ipywidgets as widgets
import numpy as np
import numpy.typing as npt
from torch import Tensor

from pfs.losses.pfs import dense_is_cheaper
from pfs.report.tables.labels import label as name_of
from pfs.study.places import TEACHER
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.texts import class_of
from pfs.walkthrough.lessons.nodes.numbers import Comparison, agreeing_digits, compare, grids, node_of
from pfs.walkthrough.lessons.pictures import figures
from pfs.walkthrough.lessons.switches import choice, in_rows, linked_pictures, shown, side_by_side
from pfs.walkthrough.paint import as_png, paint_amount, paint_signed
from pfs.walkthrough.pointer import Pointer

MAPS = {
    "image": "Image with its grid",
    "teacher": "Teacher's cosines",
    "student": "Student's cosines",
    "difference": "Their squared difference",
}


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """One node's map, all N x N maps, and beside them the three products of channels with the same loss.

    Attributes:
        image, student, grid, center: the switches.
        pictures: a `Pointer` each of `MAPS`; their places are one.
        seen: which class lies under the pointer, in words.
        loss: the two ways to the loss, filled in, as HTML.
        matrices: the maps and the products as pictures with captions, as HTML.
        comparison: what is shown.
    """

    def __init__(self, walkthrough: Walkthrough) -> None:
        self.walkthrough = walkthrough
        self.size = walkthrough.images.shape[1:3]
        students = [(name_of(name), name) for name in walkthrough.networks if name != TEACHER]
        images = [(f"{index + 1} of {len(walkthrough.images)}", index) for index in range(len(walkthrough.images))]
        self.image = choice("Image", images)
        self.student = choice("Student", students)
        self.grid = choice("Grid", [(f"{grid} x {grid}", grid) for grid in grids(walkthrough)])
        self.center = widgets.Checkbox(True, description="centred, as PFS is", indent=False)
        self.pictures = linked_pictures(MAPS, self.size)
        self.seen, self.loss, self.matrices = shown(), shown(), shown()
        for control in (self.image, self.student, self.grid, self.center):
            control.observe(self._show_grid, "value")
        self.place.on_move(self._show_node)
        self._show_grid()
        super().__init__(self._laid_out())

    @property
    def place(self) -> Pointer:
        """The picture whose place is that of all."""
        return self.pictures["image"]

    @property
    def node(self) -> int:
        """The index of the node under the pointer."""
        return node_of(self.place.place, self.size, self.grid.value)

    def _laid_out(self) -> list[Any]:
        switches = in_rows(self.image, self.student, self.grid, self.center)
        return [switches, side_by_side(self.pictures), self.seen, self.loss, self.matrices]

    # --- what changes with each switch --------------------------------------------------------------------

    def _show_grid(self, *_: object) -> None:
        """Another image, student or grid."""
        chosen = slice(self.image.value, self.image.value + 1)
        student, teacher = (self.walkthrough.features(name)[chosen] for name in (self.student.value, TEACHER))
        self.comparison = compare(student, teacher, self.grid.value, center=self.center.value)
        self.place.image = as_png(self.walkthrough.images[self.image.value])
        self.place.overlay = as_png(grid_lines(self.size, self.grid.value))
        for picture in self.pictures.values():
            picture.step = max(1, self.size[0] // self.grid.value)
        self.loss.value = loss_in_words(self.comparison)
        self.matrices.value = matrices(self.comparison)
        self._show_node()

    def _show_node(self, *_: object) -> None:
        """Another place."""
        node, shown = self.node, self.comparison
        maps = {"teacher": shown.teacher_map[node], "student": shown.student_map[node]}
        for name, values in maps.items():
            self.pictures[name].image = as_png(paint_signed(self._over_image(values)))
        maps["difference"] = (maps["student"] - maps["teacher"]).square()
        self.pictures["difference"].image = as_png(paint_amount(self._over_image(maps["difference"])))
        for name, picture in self.pictures.items():
            picture.alt = self._described(name, maps.get(name))
        self.seen.value = f"Under the pointer: {self._seen()}."

    def _over_image(self, values: Tensor) -> npt.NDArray[np.float64]:
        """A map (N,) of nodes at the image's pixels, (H, W)."""
        grid = self.grid.value
        rows, columns = (np.arange(side) * grid // side for side in self.size)
        enlarged: npt.NDArray[np.float64] = values.reshape(grid, grid).numpy()[rows][:, columns]
        return enlarged

    def _seen(self) -> str:
        """What lies under the pointer by the labels, in words."""
        row, column = self.place.place
        return class_of(int(self.walkthrough.labels[self.image.value, row, column]), self.walkthrough.classes)

    def _described(self, name: str, values: Tensor | None) -> str:
        """A picture's alternative text."""
        grid, node = self.grid.value, self.node
        where = f"node {node + 1} of {grid * grid}, row {node // grid + 1}, column {node % grid + 1}"
        if values is None:
            image = f"Image {self.image.value + 1} with a grid of {grid} x {grid} nodes"
            return f"{image}; the pointer is in {where}, {self._seen()}."
        row, column = divmod(int(values.argmax()), grid)
        return (
            f"{MAPS[name]}, {where}: from {float(values.min()):.3f} to {float(values.max()):.3f}, the mean is "
            f"{float(values.mean()):.3f}. The largest is in row {row + 1}, column {column + 1}."
        )


def grid_lines(size: tuple[int, int], grid: int, scale: int = 4) -> npt.NDArray[np.uint8]:
    """The borders between a grid's nodes, (scale H, scale W, 4) as RGBA: half transparent black beside white."""
    H, W = (side * scale for side in size)
    picture = np.zeros((H, W, 4), np.uint8)
    rows, columns = (np.array([round(line * side / grid) for line in range(1, grid)], int) for side in (H, W))
    picture[rows] = picture[:, columns] = (255, 255, 255, 150)
    picture[rows - 1] = picture[:, columns - 1] = (0, 0, 0, 150)
    return picture


# --- the loss, both ways --------------------------------------------------------------------------------------


def loss_in_words(shown: Comparison) -> str:
    """Both ways to the loss with their numbers, how many digits agree, and which of them `pfs_loss` takes."""
    (first, second, third), N = shown.norms, shown.nodes
    C, C_teacher = shown.ST.shape
    cheaper = "the N x N maps" if dense_is_cheaper(N, C, C_teacher) else "the three products of channels"
    lines = (
        f"From the {N} x {N} maps: mean of (SSᵀ - TTᵀ)² = {shown.from_maps:.12f}",
        f"From channels: (‖SᵀS‖² - 2 ‖SᵀT‖² + ‖TᵀT‖²) / N² = ({first:.4f} - 2 · {second:.4f} + {third:.4f}) / {N}² "
        f"= {shown.from_channels:.12f}",
        f"pfs.losses says {shown.library:.12f}. "
        f"The first {agreeing_digits(shown.from_maps, shown.from_channels)} digits of the two ways agree.",
        f"Numbers: the maps have 2 · {N}² = {2 * N * N:,}; the products {C}² + {C} · {C_teacher} + {C_teacher}² = "
        f"{C * C + C * C_teacher + C_teacher**2:,}. For {N} nodes pfs_loss would take {cheaper}.",
    )
    style = "margin:0.2rem 0;font:0.9rem/1.4 system-ui,sans-serif;overflow-wrap:anywhere"
    return "".join(f'<p style="{style}">{line}</p>' for line in lines)


def matrices(shown: Comparison) -> str:
    """The two maps, and the three products, as pictures with captions."""
    N, (C, C_teacher) = shown.nodes, shown.ST.shape
    named = (
        ("SSᵀ", "the student's map", shown.student_map, (N, N)),
        ("TTᵀ", "the teacher's map", shown.teacher_map, (N, N)),
        ("SᵀS", "the student's channels", shown.SS, (C, C)),
        ("SᵀT", "student's channels with teacher's", shown.ST, (C, C_teacher)),
        ("TᵀT", "the teacher's channels", shown.TT, (C_teacher, C_teacher)),
    )
    return figures([_matrix(*arguments) for arguments in named])


def _matrix(symbol: str, what: str, values: Tensor, shape: tuple[int, int]) -> tuple[bytes, str, str]:
    """A matrix's picture, its caption and its alternative text; its colours go from minus to plus its largest entry."""
    largest = float(values.abs().max()) or 1.0
    norm = float(values.square().sum())
    entries = f"entries from {float(values.min()):.2f} to {float(values.max()):.2f}"
    scale = f"colours from {-largest:.2f} (dark) to {largest:.2f} (bright)"
    caption = f"{symbol}, {what}: {shape[0]} x {shape[1]}. Squared norm {norm:,.4f}; {entries}, {scale}"
    return as_png(paint_signed(values.numpy(), largest)), caption, f"The matrix {caption}"

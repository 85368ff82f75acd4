"""The diagram of the method: one image, two networks, their outputs, and the losses between them. No torch here.

Image, labels, similarity maps and predictions are those of a study's `examples.npz`. Probabilities are not kept there,
so the knowledge gap is drawn as a scheme: 1 where the teacher's most likely class is right and the student's is not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from pfs.report.figures.grid import cross
from pfs.report.figures.palette import class_palette, colourise
from pfs.report.pictures import Examples
from pfs.report.style import DIVERGING, STYLE, colour

WIDTH, HEIGHT = 7.0, 3.7  # of the figure, in inches
SIDE = 0.98  # of a map, in inches
TEACHER_ROW, STUDENT_ROW = 2.7, 0.87  # the middle of each network's row, in inches above the foot
SCENE, NETWORK, SIMILARITY, PREDICTION, LABEL = 0.55, 1.78, 3.15, 4.72, 6.38  # the middle of each column
SMALL = 7.0  # points

Point = tuple[float, float]


@rc_context(STYLE)
def method_figure(examples: Examples, index: int, student: str = "ce") -> Figure:
    """One image's way through teacher and student to the two losses, PFS and WSP.

    Args:
        examples: a study's `examples.npz`: `image`, `label`, `probe`, and of teacher and student
            `similarity/<method>` and `prediction/<method>`, as `pfs.report.pictures` describes them.
        index: which of the images is drawn.
        student: the method whose student is drawn; "ce", the student alone, is what distillation begins with.
    """
    scene = {name: values[index] for name, values in examples.items()}
    figure = Figure(figsize=(WIDTH, HEIGHT))
    canvas = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, HEIGHT))
    canvas.set_axis_off()
    _draw_scene(figure, canvas, scene)
    for row, role, method in ((TEACHER_ROW, "teacher", "teacher"), (STUDENT_ROW, "student", student)):
        _draw_network(canvas, row, role)
        _draw_outputs(figure, canvas, row, scene, method)
    _draw_pfs(canvas)
    _draw_wsp(figure, canvas, _gap(scene, student))
    _draw_cross_entropy(figure, canvas, scene)
    return figure


def _gap(scene: Examples, student: str) -> npt.NDArray[np.floating[Any]]:
    """(H, W) the scheme of the knowledge gap; NaN where the label is not scored."""
    label = scene["label"]
    gap = (scene["prediction/teacher"] == label) & (scene[f"prediction/{student}"] != label)
    return np.where(label == 255, np.nan, gap.astype(float))


# --- parts of the picture -----------------------------------------------------------------------------------


def _draw_scene(figure: Figure, canvas: Axes, scene: Examples) -> None:
    middle = (TEACHER_ROW + STUDENT_ROW) / 2
    axes = _picture(figure, (SCENE, middle), scene["image"])
    cross(axes, scene["probe"])
    _write(canvas, (SCENE, middle + SIDE / 2 + 0.12), "image", weight="bold")
    _write(canvas, (SCENE, middle - SIDE / 2 - 0.2), "$i$: the location\nunder the cross")
    edge = SCENE + SIDE / 2 + 0.03
    _arrow(canvas, (edge, middle + 0.2), (NETWORK - 0.5, TEACHER_ROW))
    _arrow(canvas, (edge, middle - 0.2), (NETWORK - 0.37, STUDENT_ROW))


def _draw_network(canvas: Axes, row: float, role: str) -> None:
    """A box for a network: a large one that is frozen for the teacher, a small one for the student."""
    width, height = (0.92, 0.8) if role == "teacher" else (0.66, 0.52)
    note = "large, frozen" if role == "teacher" else "small, learns"
    box = FancyBboxPatch(
        (NETWORK - width / 2, row - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.06"
    )
    box.set(facecolor="0.88" if role == "teacher" else "white", edgecolor="0.2", linewidth=1)
    canvas.add_patch(box)
    _write(canvas, (NETWORK, row + 0.07), role, weight="bold", size=8)
    _write(canvas, (NETWORK, row - 0.1), note, size=6.5)
    _arrow(canvas, (NETWORK + width / 2 + 0.03, row), (SIMILARITY - SIDE / 2 - 0.03, row))


def _draw_outputs(figure: Figure, canvas: Axes, row: float, scene: Examples, method: str) -> None:
    """The similarity map of the location under the cross, and the prediction, of one network."""
    height, width = scene["label"].shape
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    similarity = scene[f"similarity/{method}"].astype(float)
    options = {"cmap": DIVERGING, "vmin": -1, "vmax": 1, "extent": extent}
    cross(_picture(figure, (SIMILARITY, row), similarity, **options), scene["probe"])
    _picture(figure, (PREDICTION, row), colourise(scene[f"prediction/{method}"], class_palette(11)))
    _arrow(canvas, (SIMILARITY + SIDE / 2 + 0.03, row), (PREDICTION - SIDE / 2 - 0.03, row))
    upper = "T" if method == "teacher" else "S"
    side = 1 if method == "teacher" else -1
    height = row + side * (SIDE / 2 + 0.19)
    features = f"features $f^{upper}$, and the map\n$P^{upper}_i$: how alike each is to $f^{upper}_i$"
    _write(canvas, (SIMILARITY, height), features)
    _write(canvas, (PREDICTION, height), f"class probabilities $p^{upper}$,\nhere the most probable class")


def _draw_pfs(canvas: Axes) -> None:
    """The loss between the two similarity maps."""
    _between_rows(canvas, SIMILARITY, "pfs")
    middle = (TEACHER_ROW + STUDENT_ROW) / 2
    lines = [r"$\mathbf{PFS}$  mean$_{\,i,j}\;(P^S_{ij}-P^T_{ij})^2$", r"$P_{ij}=\cos(f_i-\bar f,\;f_j-\bar f)$"]
    _formula(canvas, (SIMILARITY - 0.03, middle), lines, "pfs")


def _draw_wsp(figure: Figure, canvas: Axes, gap: npt.NDArray[np.floating[Any]]) -> None:
    """The loss between the two predictions, weighted by the knowledge gap beside it."""
    _between_rows(canvas, PREDICTION, "wsp")
    middle = (TEACHER_ROW + STUDENT_ROW) / 2
    lines = [r"$\mathbf{WSP}$  mean$_{\,i}\;w_i\,/\,\bar w\;T^2\,$KL$(p^T_i\,\|\,p^S_i)$"]
    lines += [r"$w_i=\max(0,\,p^T_i[y_i]-p^S_i[y_i])$"]
    _formula(canvas, (PREDICTION + 0.12, middle), lines, "wsp")
    _picture(figure, (LABEL, TEACHER_ROW), gap, cmap="Oranges", vmin=0, vmax=1.2)
    _write(canvas, (LABEL, TEACHER_ROW + SIDE / 2 + 0.11), "knowledge gap $w$")
    _arrow(canvas, (LABEL - 0.2, TEACHER_ROW - SIDE / 2 - 0.03), (PREDICTION + 0.9, middle + 0.22), colour("wsp"))


def _draw_cross_entropy(figure: Figure, canvas: Axes, scene: Examples) -> None:
    """The labels, and the cross-entropy that every student has."""
    _picture(figure, (LABEL, STUDENT_ROW), colourise(scene["label"], class_palette(11)))
    _write(canvas, (LABEL, STUDENT_ROW - SIDE / 2 - 0.11), "labels $y$")
    ends = ((PREDICTION + SIDE / 2 + 0.03, STUDENT_ROW), (LABEL - SIDE / 2 - 0.03, STUDENT_ROW))
    _arrow(canvas, *ends, colour("ce"), style="<|-|>")
    _write(canvas, ((ends[0][0] + ends[1][0]) / 2, STUDENT_ROW + 0.1), r"$\mathbf{CE}$")


def _between_rows(canvas: Axes, column: float, method: str) -> None:
    """A double arrow in a method's colour, from the teacher's map down to the student's."""
    above, below = TEACHER_ROW - SIDE / 2 - 0.03, STUDENT_ROW + SIDE / 2 + 0.03
    _arrow(canvas, (column, above), (column, below), colour(method), style="<|-|>")


# --- strokes ------------------------------------------------------------------------------------------------


def _picture(figure: Figure, middle: Point, values: npt.ArrayLike, **options: Any) -> Axes:
    """A square picture around a point that is given in inches."""
    left, below = middle[0] - SIDE / 2, middle[1] - SIDE / 2
    axes = figure.add_axes((left / WIDTH, below / HEIGHT, SIDE / WIDTH, SIDE / HEIGHT), xticks=[], yticks=[])
    axes.spines[:].set(visible=True, linewidth=0.5)
    axes.imshow(np.asarray(values), interpolation="nearest", **options)
    return axes


def _arrow(canvas: Axes, start: Point, end: Point, shade: Any = "0.35", style: str = "-|>") -> None:
    drawn = {"arrowstyle": style, "color": shade, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8}
    canvas.annotate("", xy=end, xytext=start, arrowprops=drawn)


def _write(canvas: Axes, place: Point, text: str, size: float = SMALL, weight: str = "normal") -> None:
    canvas.text(*place, text, ha="center", va="center", fontsize=size, fontweight=weight)


def _formula(canvas: Axes, place: Point, lines: Sequence[str], method: str) -> None:
    """A loss's formula on a white plate with a rim of its colour."""
    plate = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour(method), "linewidth": 1.2}
    canvas.text(*place, "\n".join(lines), ha="center", va="center", fontsize=SMALL, linespacing=1.7, bbox=plate)

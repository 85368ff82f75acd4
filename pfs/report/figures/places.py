"""What the arrays of the walkthroughs show: maps of marked places, and the gap over training. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt
from scipy.special import softmax

from pfs.config.study import Study
from pfs.report.figures.grid import cross, grid_of
from pfs.report.style import COLUMN, DIVERGING, PAGE, SMALL, STYLE, escape, label, wrap
from pfs.study.places import TEACHER

Arrays = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]

PLACES = 3  # marked in the image
GAP_COLOURS = "Oranges"


@rc_context(STYLE)
def places_figure(
    arrays: Arrays, methods: Sequence[str], study: Study | None = None, index: int = 0, width: float = PAGE
) -> Figure:
    """One image with marked places, a row each, and the map of each place by each network, as in the paper's Figure 1.

    The places are those deepest inside the classes that cover most of the image.

    Args:
        arrays: `walkthrough.npz`: images (E, H, W, 3), labels (E, H, W), and `features/stage4/<method>` (E, C, h, w).
        methods: the networks to show; "teacher" is one.
        study: whose labels the methods have.
        index: which of the images.
        width: of the figure in inches.
    """
    image, places = arrays["images"][index], marked_places(arrays["labels"][index])
    headings = ["image", *(label(method, study) for method in methods)]
    figure, grid = grid_of(np.stack([image] * len(places)), headings, foot=0.5, width=width)
    maps = {method: similarity(arrays[f"features/stage4/{method}"][index].astype(np.float64)) for method in methods}
    size = image.shape[:2]
    for row, place in zip(grid, places, strict=True):
        row[0].imshow(image, interpolation="nearest")
        for axes, method in zip(row[1:], methods, strict=True):
            cells = maps[method].shape[0]
            shown = maps[method][place[0] * cells // size[0], place[1] * cells // size[1]]
            drawn = axes.imshow(shown, cmap=DIVERGING, vmin=-1, vmax=1, interpolation="nearest", extent=_extent(*size))
        for axes in row:
            cross(axes, place)
    _bar(figure, drawn, "centred cosine to the location under the cross", [-1, 0, 1])
    return figure


@rc_context(STYLE)
def gaps_figure(
    arrays: Arrays, methods: Sequence[str], steps: Sequence[int], study: Study, index: int = 0, width: float = PAGE
) -> Figure:
    """The knowledge gap of one image over the training: a row a method, a column a step, the last one at the end.

    Args:
        arrays: `walkthrough.npz`: images, labels, `logits/teacher` and `logits/<method>` (E, K, h, w) at the end, and
            `logits/<method>/<step>` before it.
        methods: of the students.
        steps: those before the end.
        study: says how many steps the students train, and has the methods' labels.
        index: which of the images.
        width: of the figure in inches; a column has room for three methods, the first and the last two.
    """
    narrow = width <= COLUMN
    methods = [*methods[:1], *methods[-2:]] if narrow else methods
    image, labels = arrays["images"][index], arrays["labels"][index]
    headings = ["image", *(f"step {step}" for step in (*steps, study.student.steps))]
    figure, grid = grid_of(
        np.stack([image] * len(methods)), headings, foot=0.64, below=0.28 if narrow else 0.16, width=width
    )
    teacher = arrays[f"logits/{TEACHER}"][index]
    for row, method in zip(grid, methods, strict=True):
        row[0].imshow(image, interpolation="nearest")
        row[0].set_xlabel(
            escape(wrap(label(method, study), 0.75, SMALL)) if narrow else escape(label(method, study)),
            fontsize=SMALL,
            labelpad=1.5,
        )
        for axes, name in zip(row[1:], [*(f"{method}/{step}" for step in steps), method], strict=True):
            gap = knowledge_gap(teacher, arrays[f"logits/{name}"][index], labels)
            drawn = axes.imshow(gap, cmap=GAP_COLOURS, vmin=0, vmax=1, interpolation="nearest")
            axes.set_facecolor("0.85")
            axes.set_xlabel(f"mean {np.nanmean(gap):.2f}", fontsize=SMALL, labelpad=1.5)
    _bar(figure, drawn, "how much more probable the label is to the teacher\n(grey: not scored)", [0, 0.5, 1])
    return figure


def marked_places(labels: npt.NDArray[np.integer[Any]], count: int = PLACES) -> list[npt.NDArray[np.int64]]:
    """For each of the classes that cover most of an image (H, W), the pixel that is deepest inside it."""
    classes, pixels = np.unique(labels[labels != 255], return_counts=True)
    places = []
    for name in classes[np.argsort(-pixels, kind="stable")][:count]:
        inside = distance_transform_edt(np.pad(labels == name, 1))[1:-1, 1:-1]
        places.append(np.array(np.unravel_index(inside.argmax(), labels.shape)))
    return places


def similarity(features: Floats) -> Floats:
    """(C, h, w) features -> (h, w, h, w) the centred cosine of every two locations."""
    flat = features.reshape(len(features), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=0, keepdims=True), 1e-12)
    return np.asarray((flat.T @ flat).reshape(*features.shape[1:], *features.shape[1:]))


def knowledge_gap(teacher: npt.NDArray[Any], student: npt.NDArray[Any], labels: npt.NDArray[np.integer[Any]]) -> Floats:
    """(h, w) how much more probable a location's label is to the teacher than to the student; 0 where it is less.

    Args:
        teacher: (K, h, w) logits.
        student: (K, h, w) logits.
        labels: (H, W), of which the one in the middle of each location counts; NaN where that is not scored.
    """
    stride = labels.shape[0] // teacher.shape[1]
    middle = labels[stride // 2 :: stride, stride // 2 :: stride]
    known = np.where(middle == 255, 0, middle)[None]
    right, own = (
        np.take_along_axis(softmax(logits.astype(np.float64), axis=0), known, axis=0)[0]
        for logits in (teacher, student)
    )
    return np.where(middle == 255, np.nan, np.maximum(0, right - own))


def _extent(height: int, width: int) -> tuple[float, float, float, float]:
    """Where a map of any grid lies over an image of so many pixels."""
    return -0.5, width - 0.5, height - 0.5, -0.5


def _bar(figure: Figure, drawn: Any, name: str, ticks: Sequence[float]) -> None:
    """A bar of the colours at the foot of a figure."""
    place = figure.add_axes(
        (0.25, (0.38 + 0.14 * name.count("\n")) / figure.get_figheight(), 0.5, 0.08 / figure.get_figheight())
    )
    bar = figure.colorbar(drawn, cax=place, orientation="horizontal")
    bar.set_ticks(list(ticks))
    bar.set_label(name, labelpad=1)

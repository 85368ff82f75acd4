"""Every figure, as a function from a table or from arrays to a matplotlib Figure. No torch here.

No figure goes through pyplot, so none leaves global state behind: a notebook says `%matplotlib inline` once,
and shows a figure by ending a cell with it.
"""

import io
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pfs.records import TEACHER, write_whole
from pfs.statistics import label

# DejaVu Sans comes with matplotlib: the same glyphs, so the same bytes, on every machine.
STYLE: Any = {  # matplotlib's stubs want the literal name of every setting, seaborn's styles are plain dicts
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "pdf.fonttype": 42,  # text stays text in the PDF
}

CLASSES_A_ROW = 25  # of a figure, so that names and numbers can be read
_PALETTE = sns.color_palette("colorblind")
_OTHERS = sns.husl_palette(24, s=0.6, l=0.45)
COLOURS: dict[str, Any] = {
    TEACHER: "black",
    "ce": "0.45",
    "kd": _PALETTE[0],
    "fitnet": _PALETTE[4],
    "skd": _PALETTE[9],
    "cwd": _PALETTE[5],
    "pfs": _PALETTE[2],
    "wsp": _PALETTE[1],
    "pfs_wsp": _PALETTE[3],
}

LEGEND: Any = {"frameon": False, "fontsize": 7, "handlelength": 0.9, "handletextpad": 0.4}

Examples = Mapping[str, npt.NDArray[Any]]
Palette = npt.NDArray[np.uint8]


def colour(method: str) -> Any:
    """A method's colour, the same in every figure: its own, or one that its name alone decides."""
    return COLOURS.get(method) or _OTHERS[zlib.crc32(method.encode()) % len(_OTHERS)]


def class_palette(classes: int) -> Palette:
    """(classes, 3) RGB: black for the background, then colours that can be told from it and from each other.

    VOC's palette, which the label files carry, has a class 7 that is hardly brighter than its background.
    """
    name = "tab10" if classes <= 11 else "husl"
    colours = [(0.0, 0.0, 0.0), *sns.color_palette(name, classes - 1)]
    return np.round(255 * np.array(colours)).astype(np.uint8)


# --- from the tables ----------------------------------------------------------------------------------------


@rc_context(STYLE)
def methods_figure(table: pd.DataFrame, runs: pd.DataFrame, reference: str) -> Figure:
    """Test mIoU of every method, seed by seed, beside its paired difference to the reference.

    Args:
        table: `pfs.statistics.main_table`.
        runs: `runs.csv`.
        reference: the method that the differences are to.
    """
    students = table[table["method"] != TEACHER].reset_index(drop=True)
    figure = Figure(figsize=(7.0, 0.9 + 0.33 * len(students)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(4, 3))
    _draw_miou(left, students, runs, reference)
    _draw_teacher(left, table)
    _draw_differences(right, students, reference)
    left.set_yticks(range(len(students)), students["label"])
    left.set_ylim(len(students) - 0.4, -0.6)
    return figure


def _draw_miou(axes: Axes, students: pd.DataFrame, runs: pd.DataFrame, reference: str) -> None:
    """A dot for each seed, a bar for their mean, and a line through the reference's mean."""
    for row, (method, mean) in enumerate(zip(students["method"], students["miou_mean"], strict=True)):
        seeds = runs.loc[(runs["method"] == method) & (runs["split"] == "test"), "miou"]
        axes.scatter(seeds, [row] * len(seeds), s=18, color=colour(method), alpha=0.6, linewidths=0)
        axes.plot(mean, row, marker="|", markersize=13, markeredgewidth=2.2, color=colour(method))
        if method == reference:
            axes.axvline(mean, color=colour(method), linewidth=0.8, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set(title="Each seed, and their mean", xlabel="test mIoU (%)")


def _draw_teacher(axes: Axes, table: pd.DataFrame) -> None:
    """The teacher's mIoU as a dashed line, named at its foot."""
    for mean in table.loc[table["method"] == TEACHER, "miou_mean"].dropna():
        axes.axvline(mean, color=colour(TEACHER), linestyle="--", linewidth=0.9, zorder=0)
        place = axes.get_xaxis_transform()  # x in percent, y from 0 at the foot to 1
        axes.text(mean, 0.03, "teacher ", transform=place, ha="right", fontsize=8)


def _draw_differences(axes: Axes, students: pd.DataFrame, reference: str) -> None:
    """The mean paired difference of each method with its interval; the reference itself has none."""
    axes.axvline(0, color=colour(reference), linewidth=0.8, zorder=0)
    columns = ["method", "difference", "difference_low", "difference_high"]
    for row, (method, mean, low, high) in enumerate(students[columns].itertuples(index=False)):
        if method != reference:
            axes.plot([low, high], [row, row], linewidth=2.2, color=colour(method), solid_capstyle="butt")
            axes.scatter(mean, row, s=30, color=colour(method), edgecolors="white", zorder=3)
    axes.set(title="Paired difference, 95 % interval", xlabel=f"points above {label(reference)}")
    axes.tick_params(axis="y", left=False)
    axes.spines["left"].set_visible(False)


@rc_context(STYLE)
def class_figure(classes: pd.DataFrame, reference: str) -> Figure:
    """IoU of each method and class: the number is the IoU, the colour its difference to the reference.

    Args:
        classes: `pfs.statistics.class_table`, methods x classes in percent.
        reference: the method that the colours compare with; where it has no row, no cell is coloured.
    """
    parts = -(-classes.shape[1] // CLASSES_A_ROW)  # one below the other
    figure = Figure(figsize=(7.0, parts * (1.3 + 0.27 * len(classes))), layout="constrained")
    rows = list(figure.subplots(parts, squeeze=False).flat)
    difference = (classes - classes.reindex([reference]).iloc[0]).fillna(0)
    # The teacher would take the whole scale: it may run off its end, which the bar's points show.
    limit = max(1.0, difference.drop(index=TEACHER, errors="ignore").abs().to_numpy().max(initial=0.0))
    options = {"cmap": "vlag_r", "vmin": -limit, "vmax": limit, "annot_kws": {"size": 7.5}, "linewidths": 0.6}
    for axes, columns in zip(rows, np.array_split(np.arange(classes.shape[1]), parts), strict=True):
        part = classes.iloc[:, columns]
        ticks = {"xticklabels": list(part.columns), "yticklabels": [label(method) for method in part.index]}
        sns.heatmap(difference.iloc[:, columns], annot=part, fmt=".0f", cbar=False, ax=axes, **ticks, **options)
        axes.set(xlabel="", ylabel="")
        axes.tick_params("y", length=0, rotation=0)
        axes.set_xticks(axes.get_xticks(), part.columns, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params("x", length=0)
    above = f"points above\n{label(reference)}"
    figure.colorbar(rows[0].collections[0], ax=rows, label=above, pad=0.015, extend="both")
    rows[0].set_title("Test IoU of each class (%), mean over seeds")
    return figure


@rc_context(STYLE)
def history_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """The loss during training, in total and term by term: logged steps faint, their running mean bold.

    Args:
        history: a record's `history`: dicts with `step`, `total`, `ce`, the method's terms, `learning_rate`.
    """
    frame = pd.DataFrame(history).set_index("step").drop(columns="learning_rate", errors="ignore")
    smooth = frame.rolling(max(1, len(frame) // 20), min_periods=1, center=True).mean()
    figure = Figure(figsize=(5.5, 2.8), layout="constrained")
    axes = figure.subplots()
    for name in frame.columns:
        shade = "black" if name == "total" else colour(name)
        axes.plot(frame.index, frame[name], color=shade, linewidth=0.6, alpha=0.3)
        axes.plot(frame.index, smooth[name], color=shade, linewidth=1.4, label=name)
    if (frame > 0).all(axis=None):
        axes.set_yscale("log")
    axes.set(title="Training loss: total and its terms", xlabel="step", ylabel="loss")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@rc_context(STYLE)
def benchmark_figure(table: pd.DataFrame) -> Figure:
    """Time and peak memory of each form over the number of locations, log-log: a row a reading, fp32.

    Args:
        table: `pfs.benchmark.run`. A form that was skipped stands as a cross at its estimated peak; peaks below 1 MiB
            are noise, and not drawn.
    """
    losses = table[(table["reading"] != "machine") & (table["dtype"] == "float32")]
    losses = losses[losses["batch"] == losses["batch"].min()]
    losses = losses.sort_values("form", key=lambda forms: forms != "ours", kind="stable")  # ours lead the legend
    losses = losses.assign(peak_mib=losses["peak_mib"].where(losses["peak_mib"] >= 1))
    readings = list(losses["reading"].unique())
    figure = Figure(figsize=(7.0, 0.3 + 2.5 * len(readings)), layout="constrained")
    for row, reading in zip(figure.subplots(len(readings), 2, squeeze=False), readings, strict=True):
        for axes, column, unit in zip(row, ("milliseconds", "peak_mib"), ("ms", "MiB"), strict=True):
            _draw_forms(axes, losses[losses["reading"] == reading], column)
            kind = "time" if unit == "ms" else "peak memory above the inputs"
            axes.set(title=f"{reading}: {kind}", xlabel="locations N", ylabel=unit)
        row[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND | {"handlelength": 1.6})
    return figure


@rc_context(STYLE)
def steps_figure(table: pd.DataFrame) -> Figure:
    """Milliseconds of whole steps, and of the parts of one: a row a setting.

    Args:
        table: `pfs.throughput.run`. The dashed lines are the student's step, alone and with the teacher's pass.
    """
    settings = list(table["setting"].unique())
    figure = Figure(figsize=(7.0, 0.3 + 2.6 * len(settings)), layout="constrained")
    for row, setting in zip(figure.subplots(len(settings), 2, squeeze=False), settings, strict=True):
        rows = table[table["setting"] == setting].set_index("case")["milliseconds"]
        is_part = rows.index.str.startswith("part: ")
        for axes, bars, kind in zip(row, (rows[~is_part], rows[is_part]), ("steps", "parts of a step"), strict=True):
            names = bars.index.str.removeprefix("part: ")
            axes.barh(names, bars, color=[colour({"cached": "pfs_wsp", "online": "wsp"}.get(n, "ce")) for n in names])
            axes.invert_yaxis()
            axes.set(title=f"{setting}: {kind}", xlabel="ms")
        for limit in (rows["student"], rows["student"] + rows["teacher"]):
            row[0].axvline(limit, color="black", linestyle="--", linewidth=0.8)
    return figure


def _draw_forms(axes: Axes, losses: pd.DataFrame, column: str) -> None:
    """A line a form and width: ours in green, the darker the more channels."""
    axes.loglog()
    sizes = sorted(losses["locations"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    widths = sorted(losses.loc[losses["form"] == "ours", "channels"].unique())
    shades = dict(zip(widths, sns.light_palette(colour("pfs"), len(widths) + 1)[1:], strict=True))
    for (form, channels), lines in losses.groupby(["form", "channels"], sort=False):
        shade = shades[channels] if form == "ours" else "black" if form == "dense" else colour(str(form))
        style: Any = {"color": shade, "marker": "o", "markersize": 3, "linewidth": 1.3}
        style["linestyle"] = "--" if form == "skd" else "-"  # it lies upon the dense form
        axes.plot(lines["locations"], lines[column], label=f"{form}, C = {channels}", **style)
        if column == "peak_mib":
            skipped = lines[lines["repeats"] == 0]
            axes.plot(skipped["locations"], skipped["estimate_mib"], "x", color=shade, markersize=5)


# --- from pictures ------------------------------------------------------------------------------------------


@rc_context(STYLE)
def qualitative_figure(
    examples: Examples, palette: npt.ArrayLike, methods: Sequence[str], classes: Sequence[str] = ()
) -> Figure:
    """Scenes, their truth, and what the networks see in them: a row a scene, a column a network.

    Args:
        examples: `image` (E, H, W, 3), `label` (E, H, W), and each method's `prediction/<method>` (E, H, W).
        palette: (C, 3) RGB of each class; ignored pixels (255) are drawn in light grey.
        methods: the networks to show; "teacher" is one.
        classes: the classes' names, for a legend below; where they are many, of those that are in the truth alone.
    """
    columns = [("scene", examples["image"]), ("truth", colourise(examples["label"], palette))]
    columns += [(label(name), colourise(examples[f"prediction/{name}"], palette)) for name in methods]
    figure, grid = _grid(len(examples["image"]), len(columns), extra=0.2 if classes else 0.0)
    for column, (_, pictures) in zip(grid.T, columns, strict=True):
        for axes, picture in zip(column, pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
    _head(grid, [name for name, _ in columns])
    colours = np.asarray(palette, dtype=np.uint8).reshape(-1, 3) / 255
    named = range(len(classes)) if len(classes) <= 11 else np.intersect1d(examples["label"], np.arange(len(classes)))
    patches = [Patch(color=colours[index], label=classes[index]) for index in named]
    if patches:
        fitting = 11 if len(classes) <= 11 else int(figure.get_figwidth() / 1.4)  # inches that a long name takes
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), fitting), **LEGEND)
    return figure


@rc_context(STYLE)
def similarity_figure(examples: Examples, methods: Sequence[str]) -> Figure:
    """Pixel-wise feature similarity: how alike each network holds every location and the one under the cross.

    Args:
        examples: `image` (E, H, W, 3), `probe` (E, 2) row and column in image pixels, and
            `similarity/<method>` (E, h, w) centred cosines in [-1, 1] for each method, on any grid.
        methods: the networks to show; "teacher" is one.
    """
    scenes, height, width, _ = examples["image"].shape
    figure, grid = _grid(scenes, 1 + len(methods), extra=0.45)
    maps = {"vmin": -1, "vmax": 1, "cmap": "RdBu_r", "extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
    for row, (image, probe) in enumerate(zip(examples["image"], examples["probe"], strict=True)):
        grid[row, 0].imshow(image, interpolation="nearest")
        for axes, method in zip(grid[row, 1:], methods, strict=True):
            similarity = examples[f"similarity/{method}"][row].astype(np.float32)
            drawn = axes.imshow(similarity, interpolation="nearest", **maps)
        for axes in grid[row]:
            _cross(axes, probe)
    _head(grid, ["scene", *map(label, methods)])
    place: Any = {"location": "bottom", "shrink": 0.5, "aspect": 40, "pad": 0.02}
    bar = figure.colorbar(drawn, ax=grid, ticks=[-1, -0.5, 0, 0.5, 1], **place)
    bar.set_label("centred cosine to the location under the cross", fontsize=7.5)
    bar.ax.tick_params(labelsize=7.5)
    return figure


@rc_context(STYLE)
def contact_sheet(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer[Any]], palette: npt.ArrayLike, columns: int
) -> Figure:
    """Scenes with their labels below them.

    Args:
        images: (N, H, W, 3) RGB.
        labels: (N, H, W) class of each pixel; 255 is drawn in light grey.
        palette: (C, 3) RGB of each class.
        columns: how many scenes a row.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows, 2 * height + 8, columns, width + 4, 3), 255, np.uint8)
    for index, (image, picture) in enumerate(zip(images, colourise(labels, palette), strict=True)):
        row, column = divmod(index, columns)
        sheet[row, :height, column, :width] = image
        sheet[row, height + 2 : 2 * height + 2, column, :width] = picture
    picture = sheet.reshape(rows * (2 * height + 8), columns * (width + 4), 3)[:-6, :-4]
    figure = Figure(figsize=(7.0, 7.0 * picture.shape[0] / picture.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()
    return figure


def colourise(labels: npt.NDArray[np.integer[Any]], palette: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """(..., H, W) classes -> (..., H, W, 3) RGB; 255, and whatever else the palette lacks, is light grey."""
    colours = np.full((256, 3), 225, np.uint8)
    known = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)[:255]
    colours[: len(known)] = known
    picture: npt.NDArray[np.uint8] = colours[labels]
    return picture


def _grid(rows: int, columns: int, extra: float) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure for square pictures, `extra` inches higher for a legend or a bar; its axes (rows, columns)."""
    side = min(1.5, 7.0 / columns)
    layout = ConstrainedLayoutEngine(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)
    figure = Figure(figsize=(columns * side, rows * side + 0.3 + extra), layout=layout)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure, grid


def _head(grid: npt.NDArray[Any], names: Sequence[str]) -> None:
    """Name the columns, in two lines where one would reach into the next column."""
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(textwrap.fill(name, 11), loc="center", fontsize=7.5)


def _cross(axes: Axes, probe: npt.NDArray[np.integer[Any]]) -> None:
    """A black cross with a white rim at (row, column)."""
    row, column = probe
    for shade, size, width in (("white", 9, 3.2), ("black", 7.5, 1.4)):
        axes.plot(column, row, marker="+", color=shade, markersize=size, markeredgewidth=width)


# --- files --------------------------------------------------------------------------------------------------


@rc_context(STYLE)
def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `folder/name.png` and `folder/name.pdf`, each whole or not at all.

    Neither file says when or by which version it was made, so the same figure gives the same bytes.
    """
    metadata = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}
    for suffix, entries in metadata.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, dpi=150, metadata=entries)
        write_whole(folder / f"{name}.{suffix}", buffer.getvalue())

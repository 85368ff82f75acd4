"""Figures for print and for everyone: legible at their width, and readable in grey and with fewer colours."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import rgb_to_hsv, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from skimage.color import deltaE_ciede2000

from pfs.bench.figures import benchmark_figure, steps_figure
from pfs.config.load import load_study
from pfs.report import figures, pictures, style
from pfs.report.docs.scores import studies_with_runs
from pfs.report.statistics import methods_to_show, read_runs
from pfs.report.tables.main import class_table, main_table
from pfs.report.tables.schedules import both_schedules
from tests.report.legible import drawn_texts, flaws

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
COMMITTED = [study.name for study, _ in studies_with_runs(RESULTS)]

# Machado, Oliveira and Fernandes 2009, severity 1.0: linear RGB as a dichromat sees it.
SEEN_BY = {
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}

Colours = npt.NDArray[np.float64]


def linear(colours: npt.ArrayLike) -> Colours:
    """(n, 3) sRGB in [0, 1] -> linear RGB."""
    values = np.asarray(colours, dtype=float)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(colours: Colours) -> Colours:
    """(n, 3) linear RGB -> CIE L*, a*, b* at D65."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = colours @ to_xyz.T / (0.95047, 1.0, 1.08883)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def contrast(first: object, second: object) -> float:
    """WCAG 2's contrast of two colours, from 1 to 21."""
    low, high = sorted(float(linear(to_rgb(shade)) @ (0.2126, 0.7152, 0.0722)) for shade in (first, second))  # type: ignore[arg-type]
    return (high + 0.05) / (low + 0.05)


def least_distance(colours: Colours) -> float:
    """The distance in CIE L*a*b* of the two most similar of some linear RGB colours."""
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(lab(colours), 2))


def figures_of(name: str) -> Iterator[tuple[str, Figure]]:
    """Every figure of a committed study, drawn from its committed files as its notebook draws it."""
    path = ROOT / "studies" / f"{name}.yaml"
    plan, runs = load_study(path), read_runs(RESULTS / name)
    classes, schedules = class_table(runs), both_schedules(path, RESULTS)
    table, files = main_table(runs, plan), RESULTS / name / "examples.npz"
    first = {key: values[:2] for key, values in np.load(files).items()} if files.is_file() else {}
    shown = [method for method in ("teacher", *methods_to_show(runs, plan)) if f"prediction/{method}" in first]
    palette = pictures.class_palette(classes.shape[1])
    for width in (style.PAGE, style.COLUMN):
        at = f"at {width} in"
        yield f"methods {at}", figures.methods_figure(table, runs, plan.reference, width, plan)
        if schedules is not None:
            yield f"schedules {at}", figures.schedules_figure(schedules, plan.reference, width, plan)
        yield f"classes {at}", figures.class_figure(classes, plan.reference, plan, width)
        if first:
            names = list(classes.columns)
            yield f"qualitative {at}", pictures.qualitative_figure(first, palette, shown, names, plan, width)
            yield f"similarity {at}", pictures.similarity_figure(first, shown, plan, width)


# --- legible ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMITTED)
def test_every_figure_of_a_committed_study_is_legible(name: str) -> None:
    """At its own width, every text has 6 points at least, lies on the canvas, and lies upon no other."""
    found = {kind: flaws(figure) for kind, figure in figures_of(name)}
    assert {kind: wrong for kind, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("name", [*COMMITTED, "benchmark"])
def test_no_committed_figure_is_larger_than_a_page(name: str) -> None:
    """At most 9 inches high, and 7 wide or, for a column, 3.3."""
    files = list((RESULTS / name / "figures").glob("*.png"))
    sizes = {file.stem: np.array(Image.open(file).size) / style.DPI for file in files}
    widest = {stem: style.COLUMN if stem.endswith("_column") else style.PAGE for stem in sizes}
    assert sizes
    assert {stem for stem, (width, height) in sizes.items() if width > widest[stem] or height > style.TALLEST} == set()


@pytest.mark.parametrize("name", COMMITTED)
def test_every_figure_of_a_report_is_there_for_a_column_too(name: str) -> None:
    """`scenes` is in no report."""
    drawn = {file.stem for file in (RESULTS / name / "figures").glob("*.png")} - {"scenes"}
    pages = {stem for stem in drawn if not stem.endswith("_column")}
    assert drawn - pages == {f"{stem}_column" for stem in pages}


def test_the_figures_of_the_benchmark_are_legible() -> None:
    kernels = benchmark_figure(pd.read_csv(RESULTS / "benchmark" / "kernels.csv"))
    steps = steps_figure(pd.read_csv(RESULTS / "benchmark" / "steps.csv"))
    assert flaws(kernels) + flaws(steps) == []


def test_flaws_are_found() -> None:
    """A small text, one that leaves the canvas, and two that lie upon each other; a tick out of sight is none."""
    figure = Figure(figsize=(2, 2))
    axes = figure.add_axes((0.3, 0.3, 0.6, 0.6), xticks=[0.5, 7.0], yticks=[], xlim=(0, 1))
    figure.text(0.5, 0.95, "small", fontsize=4)
    figure.text(0.9, 0.1, "far too long", fontsize=8)
    axes.text(0.2, 0.5, "above")
    axes.text(0.25, 0.52, "below")
    found = flaws(figure)
    assert found == ["'small' has 4.0 points", "'far too long' leaves the canvas", "'above' lies upon 'below'"]
    assert all(isinstance(text, Text) for text in drawn_texts(figure))


# --- for everyone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMITTED)
def test_no_two_methods_of_a_study_share_a_colour(name: str) -> None:
    """Neighbours differ in their markers too, and all do where there are enough markers."""
    plan = load_study(ROOT / "studies" / f"{name}.yaml")
    looks = style.looks(["teacher", *plan.methods], plan)
    drawn = list(looks.values())
    assert len({to_hex(look.colour) for look in drawn}) == len(drawn)
    assert all(one.marker != other.marker for one, other in pairwise(drawn))
    assert min(contrast(look.colour, "white") for look in drawn) > 1.8  # none fades into the paper
    assert len({looks[method].marker for method in plan.methods}) == min(len(plan.methods), len(style.MARKERS))
    assert looks["teacher"].marker not in style.MARKERS


def test_a_method_looks_the_same_in_all_figures_of_its_study() -> None:
    plan = load_study(ROOT / "studies" / "quick.yaml")
    together = style.looks(list(plan.methods), plan)
    assert (
        style.looks(["teacher", "wsp", "ce"], plan).items() >= {name: together[name] for name in ("wsp", "ce")}.items()
    )
    weights = load_study(ROOT / "studies" / "camvid_cpu_weights.yaml")  # more methods than markers
    assert style.looks(["pfs_16"], weights)["pfs_16"] == style.looks(list(weights.methods), weights)["pfs_16"]


def test_the_tries_of_a_method_are_shades_of_its_colour_the_darker_the_heavier() -> None:
    plan = load_study(ROOT / "studies" / "camvid_cpu_weights.yaml")
    drawn = style.looks(list(plan.methods), plan)
    for names in (["pfs_1", "pfs_4", "pfs_16", "pfs_64"], ["student_gap_1", "student_gap_4"], ["at_025", "at_16"]):
        shades = [rgb_to_hsv(to_rgb(drawn[name].colour)) for name in names]
        base = rgb_to_hsv(to_rgb(style.COLOURS[style.family(names[0], plan)]))
        assert [hue for hue, _, _ in shades] == pytest.approx([base[0]] * len(names), abs=0.02)
        lightness = lab(linear([to_rgb(drawn[name].colour) for name in names]))[:, 0]
        assert (np.diff(lightness) < -7).all()


def test_a_method_is_a_variant_of_the_one_that_its_name_or_its_terms_say() -> None:
    plan = load_study(ROOT / "studies" / "camvid_cpu_weights.yaml")
    families = [style.family(name, plan) for name in ("ce", "kd_t2_1", "pfs_4_wsp_t1_1", "student_gap_1", "other")]
    assert families == ["ce", "kd", "pfs_wsp", "student_gap", "other"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_well_known_method_keeps_its_colour_beside_its_variants(count: int) -> None:
    drawn = style.looks(["kd", *(f"kd_{number}" for number in range(count))])
    assert drawn["kd"].colour == style.COLOURS["kd"]
    assert len({to_hex(look.colour) for look in drawn.values()}) == count + 1


def test_well_known_methods_can_be_told_apart() -> None:
    """Their colours differ by at least 8 in CIE L*a*b*, by which two patches beside each other clearly differ."""
    assert least_distance(linear([to_rgb(shade) for shade in style.COLOURS.values()])) > 8


PALETTE = linear(np.vstack([pictures.class_palette(11) / 255, np.full((1, 3), 225 / 255)]))  # and unscored pixels


def test_class_colours_are_steps_of_lightness() -> None:
    """In grey, any two of 11 classes and the pixels that are not scored differ by 5 of 100 at least."""
    assert np.diff(np.sort(lab(PALETTE)[:, 0])).min() > 5


@pytest.mark.parametrize("pair", [(3, 9), (0, 6), (3, 7), (2, 7), (4, 5), (5, 6), (1, 7), (4, 6), (1, 8)])
def test_digits_that_are_taken_for_each_other_differ_much_in_grey(pair: tuple[int, int]) -> None:
    """The pairs that the students of `quick` confuse most on val: three steps of lightness lie between them."""
    first, second = lab(PALETTE)[[1 + digit for digit in pair], 0]
    assert abs(first - second) > 15


@pytest.mark.parametrize(("reader", "least"), [(None, 20), ("protanope", 12), ("deuteranope", 12), ("tritanope", 15)])
def test_class_colours_can_be_told_apart_by(reader: str | None, least: float) -> None:
    """The two most similar of 11 classes, as each reader sees them, by CIEDE2000; below about 10 two look alike."""
    seen = PALETTE if reader is None else np.clip(PALETTE @ np.array(SEEN_BY[reader]).T, 0, 1)
    first, second = np.triu_indices(len(seen), k=1)
    differences = deltaE_ciede2000(lab(seen)[first], lab(seen)[second])  # type: ignore[no-untyped-call]
    assert differences.min() > least


@pytest.mark.parametrize("reader", [None, *SEEN_BY])
def test_the_sign_of_a_difference_can_be_read_in_grey(reader: str | None) -> None:
    """The map's lightness rises from end to end, by at least 2 in each of 20 steps, for every reader."""
    colours = linear(colormaps[style.DIVERGING](np.linspace(0, 1, 21))[:, :3])
    seen = colours if reader is None else np.clip(colours @ np.array(SEEN_BY[reader]).T, 0, 1)
    assert np.diff(lab(seen)[:, 0]).min() > 2


def test_numbers_on_cells_have_contrast() -> None:
    """At least 4.5, on every colour of the map, and in a figure that is drawn."""
    shades = [to_rgb(shade) for shade in colormaps[style.DIVERGING](np.linspace(0, 1, 256))]
    assert min(contrast(style.ink(shade), shade) for shade in [*shades, (0.46, 0.46, 0.46)]) >= 4.5
    axes = figures.class_figure(class_table(read_runs(RESULTS / "digits")), "ce").axes[0]
    cells = zip(axes.texts, axes.collections[0].get_facecolor(), strict=True)
    assert min(contrast(text.get_color(), face) for text, face in cells) >= 4.5


def test_every_line_and_cross_of_the_benchmark_is_explained() -> None:
    """Each style of line or mark in the axes is one of those in a legend."""
    steps = steps_figure(pd.read_csv(RESULTS / "benchmark" / "steps.csv"))
    shown = {line.get_linestyle() for axes in steps.axes for line in axes.lines}
    explained = {line.get_linestyle() for line in steps.legends[0].get_lines()}
    assert shown == explained == {"--", ":"}
    kernels = benchmark_figure(pd.read_csv(RESULTS / "benchmark" / "kernels.csv"))
    memory = kernels.axes[1]
    assert "SKD's code: skipped, its estimate" in [text.get_text() for text in memory.get_legend().texts]  # type: ignore[union-attr]
    assert all(not str(line.get_label()).startswith("_") for line in memory.lines)


def test_every_name_in_the_figures_of_the_benchmark_is_in_words() -> None:
    """No name of the table stands for itself: the steps and the readings are called by what they are."""
    table = pd.read_csv(RESULTS / "benchmark" / "steps.csv")
    steps = steps_figure(table)
    shown = {label.get_text() for axes in steps.axes for label in axes.get_yticklabels()}
    assert not shown & {"cached", "online", "cached answers", "student, interpolate", "torchdistill"}
    note = " ".join(steps.get_supxlabel().split())
    assert all(name in note for name in ("online", "Default layout", "torchdistill's loop", "torch's loss", "photos"))
    kernels = benchmark_figure(pd.read_csv(RESULTS / "benchmark" / "kernels.csv"))
    assert all(name in kernels.get_supxlabel() for name in ("Ours", "Dense", "SKD's code", "C channels"))


# --- words --------------------------------------------------------------------------------------------------


def test_a_heading_is_wrapped_at_its_blanks_to_a_width() -> None:
    lines = style.wrap("WSP by the student's doubt", 0.6, 7).split("\n")
    assert " ".join(lines) == "WSP by the student's doubt" and len(lines) > 1
    assert style.wrap("Margin, T = 1", 0.55, 7) == "Margin,\nT\u00a0=\u00a01"
    assert max(style.text_width(line, 7) for line in lines) <= 0.6
    cut = style.wrap("incomprehensibilities", 0.6, 7)
    assert cut.startswith("incom") and cut.endswith("…") and style.text_width(cut, 7) <= 0.6


def test_a_study_s_label_is_in_its_figures() -> None:
    """`kl_tau_005` is called by the label that its study gives it, in rows, headings and cells."""
    found = dict(figures_of("digits_readings"))
    texts = {kind: [text.get_text() for text in drawn_texts(figure)] for kind, figure in found.items()}
    assert all("KL, T = 0.05" in " ".join(" ".join(shown).split()) for shown in texts.values())

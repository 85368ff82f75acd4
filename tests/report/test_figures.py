"""Every figure drawn from a synthetic study, and the notebooks that make tables, figures and the report."""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib import cbook
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell
from PIL import Image

from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.data.groups import Groups
from pfs.report import figures, pictures, style
from pfs.report.docs.scores import studies_with_runs
from pfs.report.figures import grid
from pfs.report.site import in_process
from pfs.report.tables.counts import COUNTS
from pfs.report.tables.main import class_table, main_table
from pfs.study.places import notebook_path, runs_of
from pfs.study.records import write_npz
from tests.report.legible import flaws
from tests.report.runs_table import counts_of_table

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "digits.yaml"
CLASSES = ["background", *map(str, range(10))]
PROVENANCE: dict[str, Any] = {
    **{"study": "digits", "commit": "12e4567", "dirty": False, "threads": 1, "precision": "bf16"},
    **{"instruction_set": "AVX512", "data_checksum": "d0", "code_hash": "c0"},
}

Arrays = dict[str, npt.NDArray[Any]]


@pytest.fixture(scope="module")
def study() -> Study:
    """The default study: six methods, seeds 0 to 2."""
    return load_study(STUDY)


@pytest.fixture(scope="module")
def runs(study: Study) -> pd.DataFrame:
    """A `runs.csv` of the study: the teacher and 6 x 3 students, each method better than the one before."""
    rng = np.random.default_rng(0)
    mean = {"teacher": 65.0} | {method: 44.0 + 2 * rank for rank, method in enumerate(study.methods)}
    rows = [
        {"method": method, "seed": seed, "split": split, "miou": mean[method] + rng.normal()}
        for method, seed in runs_of(study)
        for split in ("val", "test")
    ]
    table = pd.DataFrame(rows).assign(**PROVENANCE, pixel_accuracy=92.0, parameters=320_000, macs=21_000_000)
    table = table.assign(seconds=60.0, training_seconds=50.0, peak_memory_mib=700.0)
    noise = rng.normal(0, 3, (len(table), len(CLASSES)))
    noise -= noise.mean(axis=1, keepdims=True)  # mIoU is the mean of the classes
    return table.assign(**{f"iou_{name}": table["miou"] + noise[:, index] for index, name in enumerate(CLASSES)})


@pytest.fixture(scope="module")
def examples(study: Study) -> Arrays:
    """Two scenes of coloured noise with a square in them, and what each network makes of them."""
    rng = np.random.default_rng(0)
    label = np.zeros((2, 64, 64), np.uint8)
    label[:, 19:41, 19:41], label[:, 20:40, 20:40] = 255, 3
    arrays: Arrays = {"image": rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8), "label": label}
    arrays["probe"] = np.array([[30, 22], [5, 60]], np.int16)
    for method in ("teacher", *study.methods):
        arrays[f"prediction/{method}"] = np.where(label == 255, 0, label).astype(np.uint8)
        arrays[f"similarity/{method}"] = rng.uniform(-1, 1, (2, 16, 16)).astype(np.float16)
    return arrays


def titles(figure: Figure) -> list[str]:
    """The titles of a figure's axes, on one line each."""
    found = [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center")]
    return [title.replace("\n", " ") for title in found if title]


# --- from the tables ----------------------------------------------------------------------------------------


def test_methods_figure_draws_every_seed_and_interval(runs: pd.DataFrame, study: Study) -> None:
    """A row a student; the dots and the bars stand where the table says."""
    table = main_table(runs, study)
    left, right = figures.methods_figure(table, runs, study.reference).axes
    assert [text.get_text() for text in left.get_yticklabels()] == list(table["label"][1:])
    assert left.get_xlabel() == "test mIoU (%)" and right.get_xlabel() == "points above Student alone (CE)"
    dots = np.concatenate([np.asarray(dots.get_offsets())[:, 0] for dots in left.collections])
    explained = [text.get_text() for text in left.figure.legends[0].texts]
    reference = "Student alone (CE), the reference"
    assert explained == ["one seed", "mean over seeds", "the teacher", reference, "mean, 95 % interval"]
    students = runs[(runs["split"] == "test") & (runs["method"] != "teacher")]
    assert dots == pytest.approx(students["miou"].to_numpy())
    bars = [np.asarray(line.get_xdata()).tolist() for line in right.lines[1:-1]]  # between zero's and the legend's
    assert bars == table[["difference_low", "difference_high"]].iloc[2:].to_numpy().tolist()


def test_methods_figure_of_one_seed_without_a_teacher(runs: pd.DataFrame, study: Study) -> None:
    """What is missing is not drawn, and is no error; nothing promises an interval or a mean."""
    first = runs[(runs["seed"] == 0) & ~runs["method"].isin(["teacher", "kd"])]
    figure = figures.methods_figure(main_table(first, study), first, study.reference)
    assert written(figure)
    assert titles(figure) == ["One seed", "Difference in one seed"]
    explained = [text.get_text() for text in figure.legends[0].texts]
    assert explained == ["the only seed", "Student alone (CE), the reference", "difference in that seed"]


def test_class_figure_colours_by_the_gain(runs: pd.DataFrame) -> None:
    """The reference's own row is neutral; the numbers are IoU."""
    classes = class_table(runs)
    axes, bar = figures.class_figure(classes, "ce").axes
    gains = np.asarray(axes.collections[0].get_array()).reshape(classes.shape)
    assert gains == pytest.approx((classes - classes.loc["ce"]).to_numpy())
    assert [text.get_text() for text in axes.texts[: len(CLASSES)]] == [f"{iou:.0f}" for iou in classes.iloc[0]]
    assert bar.get_ylabel() == "points above\nStudent alone (CE)"


def test_class_figure_of_many_classes_has_them_in_rows_of_a_readable_length(runs: pd.DataFrame) -> None:
    """ADE20K has 150: each is named, with its own numbers."""
    some = class_table(runs)
    many = pd.DataFrame({f"class {n}": some[CLASSES[n % len(CLASSES)]] for n in range(150)})
    *rows, _ = figures.class_figure(many, "ce").axes
    assert len(rows) == 6
    assert [tick.get_text() for row in rows for tick in row.get_xticklabels()] == list(many.columns)
    numbers = [text.get_text() for row in rows for text in row.texts[:25]]
    assert numbers == [f"{iou:.0f}" for iou in many.iloc[0]]


def test_class_figure_without_the_reference_has_numbers_and_no_colours(runs: pd.DataFrame) -> None:
    """The reference's runs may have failed: the others are still shown."""
    classes = class_table(runs[runs["method"] != "ce"])
    axes = figures.class_figure(classes, "ce").axes[0]
    assert not np.asarray(axes.collections[0].get_array()).any()
    assert len(axes.texts) == classes.size


def test_a_class_without_an_iou_has_a_dash(runs: pd.DataFrame) -> None:
    """Neither labels nor predictions of the test split hold it. Numbers of other classes stay as they are."""
    classes = class_table(runs)
    classes["3"] = np.nan
    texts = [text.get_text() for text in figures.class_figure(classes, "ce").axes[0].texts]
    numbers = np.array(texts).reshape(classes.shape)
    assert set(numbers[:, 4]) == {"-"}
    assert numbers[0, 0] == f"{float(classes.to_numpy()[0, 0]):.0f}"


# What stands in users' files of classes: signs of mathematics, of Markdown and of HTML, other letters, a sentence.
NAMES = [
    "$x$",
    r"$\frac$",
    "a_b",
    "_c_",
    "50 %",
    "#1",
    "<b>",
    "a|b",
    "Straße",
    "дорога",
    "a name longer than any other " * 3,
]


def test_class_names_are_shown_as_they_are_written(runs: pd.DataFrame, examples: Arrays) -> None:
    """`written` draws: only then would matplotlib parse what stands between two dollars."""
    some = class_table(runs)
    classes = pd.DataFrame({name: some[CLASSES[index]] for index, name in enumerate(NAMES)})
    of_classes = figures.class_figure(classes, "ce")
    scenes = pictures.qualitative_figure(examples, pictures.class_palette(len(NAMES)), ["teacher"], NAMES)
    ticks = of_classes.axes[0].get_xticklabels()
    for shown in (ticks, scenes.legends[0].texts):
        assert [text.get_text().replace(r"\$", "$") for text in shown][:-1] == NAMES[:-1]
        assert not any(cbook.is_math_text(text.get_text()) for text in shown)
        assert shown[-1].get_text() == "a name longer than any …"
    assert written(of_classes) and written(scenes)


def test_very_long_names_leave_room_for_the_numbers(runs: pd.DataFrame) -> None:
    """No row of the figure is squeezed together: each is at least as high as its number's font, 7.5 points."""
    some = class_table(runs)
    classes = pd.DataFrame({f"{n} {'a name of many words ' * 9}": some[CLASSES[n % 11]] for n in range(12)})
    figure = figures.class_figure(classes, "ce")
    written(figure)
    assert figure.axes[0].get_window_extent().height / figure.dpi * 72 > 7.5 * len(classes)


def test_history_figure_draws_each_term_but_not_the_learning_rate() -> None:
    """Log scale while every value is positive, linear where one is not."""
    history = [{"step": s, "total": 3 / s, "ce": 2 / s, "wsp": 1 / s, "learning_rate": 0.1} for s in (10, 20, 30)]
    axes = figures.history_figure(history).axes[0]
    assert axes.get_legend_handles_labels()[1] == ["total", "ce", "wsp"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "loss", "log")
    assert figures.history_figure([*history, {**history[-1], "wsp": 0.0}]).axes[0].get_yscale() == "linear"


# --- from pictures ------------------------------------------------------------------------------------------


def test_qualitative_figure_has_a_row_a_scene_and_a_column_a_network(examples: Arrays) -> None:
    """Scene and truth first; predictions in the palette's colours; a legend of the classes."""
    palette = pictures.class_palette(len(CLASSES))
    figure = pictures.qualitative_figure(examples, palette, ["teacher", "ce"], CLASSES)
    assert titles(figure) == ["image", "truth", "Teacher", "Student alone (CE)"]
    assert len(figure.axes) == 2 * 4
    drawn = np.asarray(figure.axes[2].images[0].get_array())
    assert tuple(drawn[30, 30]) == tuple(palette[3])
    assert [text.get_text() for text in figure.legends[0].texts] == CLASSES


def test_a_legend_of_many_classes_names_those_that_are_there(examples: Arrays) -> None:
    names = [f"class {number}" for number in range(150)]
    figure = pictures.qualitative_figure(examples, pictures.class_palette(150), ["teacher"], names)
    there = [f"class {number}" for number in np.unique(examples["label"]) if number != 255]
    assert [text.get_text() for text in figure.legends[0].texts] == there


@pytest.mark.parametrize("width", [style.PAGE, style.COLUMN])
@pytest.mark.parametrize("size", [(64, 64), (96, 48), (48, 96)])
@pytest.mark.parametrize("count", [1, 4, 10])
def test_a_grid_of_images_fits_a_page_or_a_column(width: float, size: tuple[int, int], count: int) -> None:
    """Six images of any shape beside few networks or many."""
    images = grid.images_shown(np.zeros((6, *size, 3)), count, width)
    figure, axes = grid.grid_of(images, [f"network {number}" for number in range(count)], 0.5, 0.13, width)
    assert figure.get_figwidth() == pytest.approx(width) if width == style.COLUMN else figure.get_figwidth() <= width
    assert figure.get_figheight() <= style.TALLEST + 0.01
    assert axes.shape == (len(images), count)
    assert len(images) == (6 if width == style.PAGE else 4 if count > 8 else 3)


@pytest.mark.parametrize("width", [style.PAGE, style.COLUMN])
@pytest.mark.parametrize("count", [3, 21, 60])
def test_a_figure_of_many_methods_fits_a_page(width: float, count: int) -> None:
    names = ["ce", *(f"kd_{number}" for number in range(count))]
    table = pd.DataFrame({"method": names, "label": names, "runs": 1, "miou_mean": 40.0, "difference": 0.5})
    table = table.assign(difference_low=np.nan, difference_high=np.nan)
    runs = pd.DataFrame({"method": names, "split": "test", "miou": 40.0})
    assert figures.methods_figure(table, runs, "ce", width).get_figheight() <= style.TALLEST
    classes = pd.DataFrame(50.0, index=names[:56], columns=CLASSES)
    assert figures.class_figure(classes, "ce", width=width).get_figheight() <= style.TALLEST


def test_a_long_first_name_turns_no_name_and_a_number_is_never_turned(runs: pd.DataFrame) -> None:
    """`background` has room to its left; of several long names all are turned, beside numbers that are not."""
    classes = class_table(runs)
    for width in (style.PAGE, style.COLUMN):
        axes = figures.class_figure(classes, "ce", width=width).axes[0]
        assert [text.get_text() for text in axes.get_xticklabels()] == CLASSES
        assert {text.get_rotation() for text in axes.get_xticklabels()} == {0}
    long = classes.rename(columns={"1": "pedestrian or rider", "2": "car"})
    axes = figures.class_figure(long, "ce").axes[0]
    assert [text.get_rotation() for text in axes.get_xticklabels()[:4]] == [90, 0, 90, 90]


@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_headings_above_a_single_scene_are_not_cut_off(examples: Arrays, study: Study, size: tuple[int, int]) -> None:
    one = {name: values[:1] for name, values in examples.items()}
    one["image"], one["label"] = np.zeros((1, *size, 3), np.uint8), np.zeros((1, *size), np.uint8)
    one |= {name: one["label"] for name in one if name.startswith("prediction/")}
    methods = ["teacher", *study.methods]
    seen = pictures.qualitative_figure(one, pictures.class_palette(len(CLASSES)), methods, CLASSES)
    for figure in (seen, pictures.similarity_figure(one, methods)):
        written(figure)
        headings = [axes.title for axes in figure.axes if axes.get_title()]
        assert max(title.get_window_extent().y1 for title in headings) <= figure.bbox.y1


def test_a_legend_of_many_names_lies_below_the_scenes(examples: Arrays) -> None:
    """A hundred classes in the truth: the pictures keep their size, and the legend lies within the figure."""
    many = examples | {"label": (np.arange(2 * 64 * 64).reshape(2, 64, 64) % 100).astype(np.uint8)}
    names = [f"class number {number}" for number in range(100)]
    figure = pictures.qualitative_figure(many, pictures.class_palette(100), ["teacher", "ce"], names)
    written(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.y0 >= 0 and legend.x1 <= figure.bbox.x1
    lowest = figure.axes[-1].get_window_extent()
    assert legend.y1 <= lowest.y0 + 1 and lowest.height > figure.dpi


def test_similarity_maps_share_one_scale_and_the_cross(examples: Arrays) -> None:
    """Every map spans -1 to 1 over the scene's own pixels, and the cross is at the probe."""
    *cells, bar = pictures.similarity_figure(examples, ["teacher", "pfs"]).axes
    maps = [axes.images[0] for index, axes in enumerate(cells) if index % 3]
    assert {picture.get_clim() for picture in maps} == {(-1.0, 1.0)}
    assert {tuple(picture.get_extent()) for picture in maps} == {(-0.5, 63.5, 63.5, -0.5)}
    crosses = np.concatenate([axes.lines[-1].get_xydata() for axes in cells])
    assert crosses.tolist() == [[22.0, 30.0]] * 3 + [[60.0, 5.0]] * 3
    assert bar.get_xlabel() == "centred cosine to the location under the cross"


def test_similarity_maps_use_the_whole_scale(examples: Arrays) -> None:
    """Where nearly all values are small, the scale ends before 1, and the bar's points say that some lie beyond."""
    small = {name: 0.4 * values if name.startswith("similarity") else values for name, values in examples.items()}
    small["similarity/pfs"][0, 0, 0] = 1
    *cells, bar = pictures.similarity_figure(small, ["teacher", "pfs"]).axes
    assert {axes.images[0].get_clim() for index, axes in enumerate(cells) if index % 3} == {(-0.5, 0.5)}
    assert [text.get_text() for text in bar.get_xticklabels()] == ["-0.5", "0", "0.5"]


def test_each_student_s_map_has_its_agreement_with_the_teacher_s(examples: Arrays) -> None:
    """Pearson's r: 1 for the teacher's own map whatever its scale, -1 for its opposite, on the student's grid."""
    teacher = np.kron(np.arange(16.0).reshape(4, 4), np.ones((2, 2)))  # (8, 8), the same in each cell of (4, 4)
    assert pictures.agreement(0.1 * np.arange(16.0).reshape(4, 4) - 3, teacher) == pytest.approx(1)
    assert pictures.agreement(-teacher, teacher) == pytest.approx(-1)
    assert np.isnan(pictures.agreement(np.ones((4, 4)), teacher))
    same = examples | {"similarity/pfs": examples["similarity/teacher"]}
    cells = pictures.similarity_figure(same, ["teacher", "pfs", "ce"]).axes
    assert [axes.get_xlabel() for axes in cells[:3]] == ["", "", "r = 1.00"]
    expected = np.corrcoef(same["similarity/ce"][0].ravel(), same["similarity/teacher"][0].ravel())[0, 1]
    assert cells[3].get_xlabel() == f"r = {expected:.2f}"


def test_contact_sheet_pairs_each_scene_with_its_label(examples: Arrays) -> None:
    """Three scenes in two columns: the labels stand below their scenes, the last place stays white."""
    images, labels = (np.concatenate([examples[name], examples[name][:1]]) for name in ("image", "label"))
    palette = pictures.class_palette(len(CLASSES))
    figure = pictures.contact_sheet(images, labels, palette, columns=2)
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    assert (sheet[:64, :64] == images[0]).all()
    assert (sheet[66:130, :64] == pictures.colourise(labels[0], palette)).all()
    assert (sheet[136:, 68:] == 255).all()


def test_ignored_pixels_are_grey_whatever_the_palette() -> None:
    """VOC's own palette has a colour for 255; here it is not a class."""
    whole = np.arange(768, dtype=np.int64) % 256
    for palette in (pictures.class_palette(11), whole.astype(np.uint8)):
        assert pictures.colourise(np.array([[255]]), palette).tolist() == [[[225, 225, 225]]]


@pytest.mark.parametrize("classes", [2, 11, 21])
def test_class_colours_are_distinct(classes: int) -> None:
    """No two classes share a colour, and the background is black."""
    palette = pictures.class_palette(classes)
    assert palette.shape == (classes, 3) and len(np.unique(palette, axis=0)) == classes
    assert not palette[0].any()


# --- files --------------------------------------------------------------------------------------------------


def written(figure: Figure) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_saving_twice_gives_the_same_bytes(runs: pd.DataFrame, study: Study, tmp_path: Path) -> None:
    """PNG and PDF alike, from figures drawn afresh, with nothing else left in the folder."""
    for folder in ("first", "second"):
        figure = figures.methods_figure(main_table(runs, study), runs, study.reference)
        style.save(figure, tmp_path / folder, "methods")
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["methods.pdf", "methods.png"]
    for name in files:
        content = (tmp_path / "first" / name).read_bytes()
        assert content == (tmp_path / "second" / name).read_bytes()
        assert b"CreationDate" not in content and b"Software" not in content


def test_a_figure_that_cannot_be_drawn_is_told_and_leaves_no_earlier_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("classes.png", "classes.pdf", "methods.png"):
        (tmp_path / name).write_bytes(b"earlier")
    with figures.drawing(tmp_path, "classes"):
        raise ValueError("cannot parse\nthe second line")
    said = capsys.readouterr().out
    assert said == "The figure 'classes' cannot be drawn and is left out (ValueError: cannot parse).\n"
    assert [path.name for path in tmp_path.iterdir()] == ["methods.png"]
    with pytest.raises(OSError, match="no space left"), figures.drawing(tmp_path, "methods"):
        raise OSError("no space left on the device")


def test_no_torch() -> None:
    """Tables and figures start without it: `make figures` is a matter of seconds."""
    rooms = (
        "pfs.report.statistics, pfs.report.tables.main, pfs.report.tables.schedules, pfs.report.tables.evidence, "
        "pfs.report.figures, pfs.report.pictures, pfs.bench.figures, pfs.study.records, pfs.report.tables.collect, "
        "pfs.__main__"
    )
    code = f"import sys, {rooms}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "False"


# --- the notebooks ------------------------------------------------------------------------------------------


def execute(notebook: str | Path, results: Path, kind: str = "text/markdown") -> str:
    """Run a notebook on the study in `results`; what it shows of this kind, and what it prints.

    In this process: a kernel for each takes seconds. The whole studies of `tests/test_study_end_to_end.py` start them.
    """
    source = notebook if isinstance(notebook, Path) else ROOT / "notebooks" / "study" / f"{notebook}.ipynb"
    cells = in_process.execute(source, {"study": str(STUDY), "results": str(results)})
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output["data"].get(kind, "") for output in outputs if "data" in output]
    return "\n".join(texts + [output["text"] for output in outputs if output["output_type"] == "stream"])


@pytest.fixture(scope="module")
def results(runs: pd.DataFrame, examples: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results with the synthetic study in it, its tables and figures made by the notebooks."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "digits").mkdir()
    runs.to_csv(folder / "digits" / "runs.csv", index=False)
    np.savez(folder / "digits" / "examples.npz", **examples)  # type: ignore[arg-type]
    counts = counts_of_table(runs, Groups("photograph", tuple("abcdef")), pixels=10**6)
    write_npz(folder / "digits" / COUNTS, counts.arrays)
    for notebook in ("tables", "figures"):
        execute(notebook, folder)
    return folder


def test_tables_notebook_writes_all_of_them(results: Path, runs: pd.DataFrame, study: Study) -> None:
    """The CSV is the main table to four decimals."""
    tables = results / "digits" / "tables"
    assert sorted(path.name for path in tables.iterdir()) == [
        *("evidence.csv", "evidence.md", "main.csv", "main.md", "main.tex")
    ]
    assert "| 95 % over 6 photographs |" in (tables / "evidence.md").read_text(encoding="utf-8")
    expected = main_table(runs, study)["miou_mean"].to_numpy()
    assert pd.read_csv(tables / "main.csv")["miou_mean"].to_numpy() == pytest.approx(expected, abs=1e-4)


def test_figures_notebook_writes_every_figure(results: Path) -> None:
    """PNG and PDF of each, and the PNGs can be opened."""
    both = ("classes", "macs", "methods", "qualitative", "similarity")
    names = ("scenes", *both, *(f"{name}_column" for name in both))
    folder = results / "digits" / "figures"
    expected = sorted(f"{name}.{kind}" for name in names for kind in ("pdf", "png"))
    assert sorted(path.name for path in folder.iterdir()) == expected
    assert all(Image.open(folder / f"{name}.png").width > 600 for name in ("scenes", *both))
    assert Image.open(folder / "methods_column.png").width == 495  # 3.3 inches at 150 dots an inch


def test_report_says_what_holds_and_under_which_regime(results: Path) -> None:
    """Findings, the schedule's warning, and no excuse for a missing figure."""
    report = execute("report", results)
    assert "1000 steps" in report and "digit_scenes" in report
    assert "PFS + WSP is above Student alone (CE) by" in report
    assert "has no figure" not in report
    assert "*Over 6 photographs* is the interval of the same networks' mean difference" in report
    assert "| Checksum of the teacher's weights | not recorded |" in report


def test_the_report_s_table_of_classes_holds_no_mathematics(runs: pd.DataFrame, results: Path, tmp_path: Path) -> None:
    """Where a page shows it, MathJax leaves the table's text as it is."""
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    runs.rename(columns={"iou_3": "iou_$x$"}).to_csv(tmp_path / "digits" / "runs.csv", index=False)
    tables = [html for html in execute("report", tmp_path, "text/html").split("<table") if "$x$" in html]
    assert len(tables) == 1 and "tex2jax_ignore" in tables[0].split(">")[0]


def test_a_figure_of_one_s_own_is_drawn_as_its_page_says_and_is_in_the_report(
    results: Path, runs: pd.DataFrame, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function and the line of docs/write-a-study.md, each put where the page says."""
    page = (ROOT / "docs" / "write-a-study.md").read_text(encoding="utf-8").partition("## A figure of your own")[2]
    function, line = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[:2]
    namespace = dict(vars(figures.methods))
    exec(function, namespace)  # as if it stood in the file
    figure = namespace["accuracy_figure"](runs, study)
    assert flaws(figure) == []
    shutil.copytree(results, tmp_path / "results")
    notebook = nbformat.read(ROOT / "notebooks" / "study" / "figures.ipynb", as_version=4)
    notebook.cells = notebook.cells[:3]  # the parameters, and the cell that defines `draw`
    monkeypatch.setattr(figures.methods, "accuracy_figure", None, raising=False)  # so that it is gone after the test
    notebook.cells += [new_code_cell(f"exec({function!r}, vars(figures.methods))"), new_code_cell(line)]
    nbformat.write(notebook, tmp_path / "figures.ipynb")
    execute(tmp_path / "figures.ipynb", tmp_path / "results")
    assert (tmp_path / "results" / "digits" / "figures" / "accuracy.pdf").is_file()
    shown = execute("report", tmp_path / "results", "text/html")
    assert shown.count("<picture>") == 6  # the five of every study, and it


def test_without_examples_the_other_figures_are_drawn(runs: pd.DataFrame, tmp_path: Path) -> None:
    """A sentence stands in for the figures of scenes."""
    (tmp_path / "digits").mkdir()
    runs.to_csv(tmp_path / "digits" / "runs.csv", index=False)
    assert "no examples.npz" in execute("figures", tmp_path)
    drawn = {path.stem for path in (tmp_path / "digits" / "figures").iterdir()}
    assert drawn == {f"{name}{end}" for name in ("classes", "macs", "methods") for end in ("", "_column")}


def test_examples_that_cannot_be_drawn_leave_the_other_figures(
    runs: pd.DataFrame, examples: Arrays, tmp_path: Path
) -> None:
    """Predictions of another size than the scenes are an error of numpy's; a study ends with its other figures."""
    (tmp_path / "digits").mkdir()
    runs.to_csv(tmp_path / "digits" / "runs.csv", index=False)
    wrong = examples | {"prediction/teacher": np.zeros((1, 2), np.uint8)}
    np.savez(tmp_path / "digits" / "examples.npz", **wrong)  # type: ignore[arg-type]
    assert "The figure 'qualitative' cannot be drawn and is left out (" in execute("figures", tmp_path)
    drawn = {path.stem for path in (tmp_path / "digits" / "figures").iterdir()}
    assert drawn == {
        "scenes",
        *(f"{name}{end}" for name in ("classes", "macs", "methods", "similarity") for end in ("", "_column")),
    }


@pytest.mark.parametrize("name", ["tables", "figures", "report"])
def test_notebooks_are_kept_without_outputs(name: str) -> None:
    """What a diff shows is what someone wrote: no outputs, counts or ids that change by themselves."""
    notebook = nbformat.read(ROOT / "notebooks" / "study" / f"{name}.ipynb", as_version=4)
    assert [cell["id"] for cell in notebook.cells] == [f"cell-{index}" for index in range(len(notebook.cells))]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert [cell.metadata for cell in code if cell.metadata] == [{"tags": ["parameters"]}]


COMMITTED = [study.name for study, _ in studies_with_runs(ROOT / "results")]


@pytest.mark.parametrize("name", COMMITTED)
def test_the_committed_tables_are_those_that_the_notebook_writes(name: str, tmp_path: Path) -> None:
    for study in {name, load_study(f"studies/{name}.yaml").extends or name} & set(COMMITTED):
        (tmp_path / study).mkdir()
        for file in (ROOT / "results" / study).glob("*.[cn][sp][vz]"):  # runs.csv, test_counts.npz
            shutil.copy(file, tmp_path / study)
    in_process.execute(notebook_path("tables"), {"study": f"studies/{name}.yaml", "results": str(tmp_path)})
    written, kept = (
        {file.name: file.read_text() for file in (folder / name / "tables").iterdir()}
        for folder in (tmp_path, ROOT / "results")
    )
    assert written == kept, f"run: pfs figures {name}"


@pytest.mark.parametrize("name", COMMITTED)
def test_the_committed_figures_are_those_that_the_notebook_draws(name: str, tmp_path: Path) -> None:
    """From the committed files alone, byte for byte."""
    for study in {name, load_study(f"studies/{name}.yaml").extends or name}:
        shutil.copytree(
            ROOT / "results" / study, tmp_path / study, ignore=shutil.ignore_patterns("runs", "teacher", "figures")
        )
    in_process.execute(notebook_path("figures"), {"study": f"studies/{name}.yaml", "results": str(tmp_path)})
    drawn, kept = (
        {file.name: file.read_bytes() for file in (folder / name / "figures").iterdir()}
        for folder in (tmp_path, ROOT / "results")
    )
    assert drawn.keys() == kept.keys()
    assert [file for file in kept if drawn[file] != kept[file]] == [], f"run: pfs figures {name}"

"""The main table: its numbers against hand-computed values, and how they are written in Markdown and LaTeX."""

from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfs.config.study import Study
from pfs.report.tables.main import (
    class_table,
    difference_with_interval,
    main_table,
    markdown_table,
    measurements_table,
    to_latex,
    to_markdown,
)
from pfs.study.places import TEACHER
from pfs.study.staleness import run_settings
from tests.report.runs_table import FULL, runs_of

COLUMNS = [
    *["method", "label", "runs", "miou_mean", "miou_std", "difference", "difference_low", "difference_high"],
    *["val_miou_mean", "pixel_accuracy_mean", "parameters", "macs"],
]


def test_main_table_has_its_columns_and_order(study: Study) -> None:
    """Teacher first, then the study's order, whatever the order of the runs."""
    table = main_table(runs_of(FULL).sample(frac=1, random_state=0), study)
    assert list(table.columns) == COLUMNS
    assert list(table["method"]) == ["teacher", *study.methods]
    assert list(table["label"][:2]) == ["Teacher", "Student alone (CE)"]


def test_main_table_values(study: Study) -> None:
    """Mean, sample deviation and paired difference of kd; none for the reference and the teacher."""
    table = main_table(runs_of(FULL), study).set_index("method")
    kd = [table.loc["kd", column] for column in ("runs", "miou_mean", "miou_std", "difference")]
    assert kd == pytest.approx([3, 48.0, np.sqrt(3), 3.0])
    assert table.loc["kd", "val_miou_mean"] == 52.0
    assert table.loc[["teacher", "ce"], "difference":"difference_high"].isna().to_numpy().all()


def test_one_seed_has_a_difference_without_interval(study: Study) -> None:
    """The interval's cells are empty, the others are not."""
    table = main_table(runs_of({method: {0: seeds[0]} for method, seeds in FULL.items()}), study)
    kd = table.set_index("method").loc["kd"]
    assert kd["difference"] == 3.0
    assert kd[["miou_std", "difference_low", "difference_high"]].isna().all()
    assert "| KD | 1 | 53.0 | 47.0 | +3.0 | 90.0 |" in to_markdown(table)


def test_class_table_is_the_mean_over_seeds_in_the_order_of_the_runs() -> None:
    """Test split only; a class that is absent in one seed does not spoil the mean."""
    runs = runs_of(FULL)
    runs.loc[(runs["method"] == "ce") & (runs["split"] == "test"), "iou_0"] = [30.0, np.nan, 40.0]
    classes = class_table(runs)
    assert list(classes.index) == list(FULL)
    assert list(classes.columns) == ["background", "0"]
    assert classes.loc["ce", "0"] == 35.0


# --- as text ---------------------------------------------------------------------------------------------


def test_markdown_rounds_and_signs(study: Study) -> None:
    """One decimal, ± over seeds, signed differences; the same from the CSV as from the table itself."""
    table = main_table(runs_of(FULL), study)
    markdown = to_markdown(table)
    assert "| KD | 3 | 52.0 | 48.0 ± 1.7 | +3.0 [+0.5, +5.5] | 90.0 | 0.32 | 21 |\n" in markdown
    assert "| SKD pair-wise | 3 | 55.0 | 45.0 ± 1.0 | +0.0 [-4.3, +4.3] |" in markdown
    assert len({line.count("|") for line in markdown.splitlines()}) == 1


def test_markdown_of_the_written_table_is_the_same(study: Study, tmp_path: Path) -> None:
    """A README's table can be held to `main.csv`, empty cells included."""
    table = main_table(runs_of({**FULL, "wsp": {}}), study)
    table.to_csv(tmp_path / "main.csv", index=False, float_format="%.4f")
    assert to_markdown(pd.read_csv(tmp_path / "main.csv")) == to_markdown(table)


def test_latex_has_rules_a_caption_a_label_and_the_best_in_bold(study: Study) -> None:
    """Signs in math mode, percent signs escaped; the best student is bold, however good the teacher is."""
    latex = to_latex(main_table(runs_of(FULL), study), study)
    assert (
        latex.startswith("\\begin{table*}[tb]\n\\centering\n\\caption{Study digits: ")
        and r"\label{tab:digits}" in latex
    )
    assert r"\toprule" in latex and r"Test mIoU (\%)" in latex and r"95\,\% Student-t interval" in latex
    assert r"KD & 3 & 52.0 & 48.0 $\pm$ 1.7 & $+3.0$ [$+0.5$, $+5.5$] & 90.0" in latex
    means = {method: sum(miou.values()) / len(miou) for method, miou in FULL.items() if method != "teacher"}
    assert "Parameters" not in latex and r"Networks: teacher" in latex and "M MACs" in latex
    assert latex.count(r"\textbf") == 1 and rf"\textbf{{{max(means.values()):.1f}}} $\pm$" in latex


def test_latex_of_many_methods_goes_on_over_pages(study: Study) -> None:
    many = study.model_copy(
        update={"methods": {f"m{index}": study.methods["kd"] for index in range(40)} | {"ce": study.methods["ce"]}}
    )
    runs = runs_of({name: {0: 50.0} for name in (TEACHER, *many.methods)})
    latex = to_latex(main_table(runs, many), many)
    assert latex.startswith(r"\begin{longtable}") and r"\endfirsthead" in latex


def test_a_small_difference_has_the_decimals_that_show_its_side(study: Study) -> None:
    """3.96 with the interval [0.02, 7.9] would read [+0.0, +7.9]."""
    row: dict[Hashable, float] = {"difference": -3.81, "difference_low": -7.59, "difference_high": -0.02}
    assert difference_with_interval(row) == "-3.81 [-7.59, -0.02]"
    assert difference_with_interval(row | {"difference_high": -0.2}) == "-3.8 [-7.6, -0.2]"


def test_a_table_of_one_seed_promises_no_interval(study: Study) -> None:
    page = to_markdown(main_table(runs_of({method: {0: 50.0} for method in FULL}), study))
    assert "| Difference |" in page and "95 %" not in page


def test_latex_of_one_seed_promises_no_interval(study: Study) -> None:
    latex = to_latex(main_table(runs_of({method: {0: 50.0} for method in FULL}), study), study)
    assert "95" not in latex and "one seed, so that no interval can be given" in latex


def test_a_method_s_own_label_is_in_the_tables_and_moves_no_run(study: Study) -> None:
    """In LaTeX its signs are escaped. What a run depends on does not hold it, nor is it a term."""
    kd = study.methods["kd"].model_copy(update={"label": "KD-2 & $x$_{50 %}"})
    named = study.model_copy(update={"methods": study.methods | {"kd": kd}})
    table = main_table(runs_of(FULL), named)
    assert table.set_index("method")["label"]["kd"] == "KD-2 & $x$_{50 %}"
    assert r"KD-2 \& \$x\$\_\{50 \%\} & 3" in to_latex(table, named)
    assert list(kd.terms) == ["kd"]
    assert run_settings(named, "kd", 0) == run_settings(study, "kd", 0)


def test_any_table_has_its_numbers_at_the_right_or_all_at_the_left() -> None:
    assert markdown_table(["what", "s"], [["a", 1]]) == "| what | s |\n| --- | ---: |\n| a | 1 |\n"
    assert markdown_table(["what", "s"], [["a", 1]], numbers=False) == "| what | s |\n| --- | --- |\n| a | 1 |\n"


def test_what_was_not_measured_is_a_dash_in_a_table_of_measurements() -> None:
    table = pd.DataFrame({"form": ["ours", "dense"], "channels": [8, 16], "milliseconds": [1234.567, np.nan]})
    assert measurements_table(table).splitlines()[2:] == ["| ours | 8 | 1,234.57 |", "| dense | 16 | - |"]
    assert "| 1,235 |" in measurements_table(table, digits=0)

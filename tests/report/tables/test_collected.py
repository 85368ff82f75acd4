"""`runs.csv` and `examples.npz` as they are read: what is damaged is refused in one line, whatever the damage."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfs.report.tables.collected import Row, read_examples, read_runs
from pfs.study.records import Record, RecordError, run_table
from tests.report.runs_table import FULL, runs_of
from tests.study.test_records import make_record

FEW = {name: FULL[name] for name in ("teacher", "ce", "kd")}
WHOLE = runs_of(FEW).assign(iou_absent=np.nan)  # a class that no image has
TEXT = WHOLE.to_csv(index=False, float_format="%.4f", lineterminator="\n")
LINES = TEXT.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results of the study `digits`, with a whole table."""
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "runs.csv").write_text(TEXT)
    return tmp_path / "digits"


def fault(folder: Path) -> str:
    """What is said of a damaged table: one line that names the file, the fault and the mend."""
    with pytest.raises(RecordError) as caught:
        read_runs(folder)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{folder}/runs.csv: ")
    return line.removeprefix(f"{folder}/runs.csv: ")


def test_a_whole_table_is_read_as_it_was_written(folder: Path) -> None:
    pd.testing.assert_frame_equal(read_runs(folder), WHOLE, check_dtype=False)


def test_the_columns_are_those_that_collect_writes() -> None:
    columns = run_table([make_record()]).columns
    assert [name for name in columns if not name.startswith("iou_")] == list(Row.model_fields)


def test_a_record_of_an_older_version_may_leave_its_costs_and_its_provenance_empty(folder: Path) -> None:
    older = {"study": "digits", "method": "ce", "seed": 0, "metrics": make_record().model_dump()["metrics"]}
    run_table([Record.model_validate(older)]).to_csv(folder / "runs.csv", index=False)
    table = read_runs(folder)
    assert table["macs"].isna().all() and table["dirty"].isna().all()
    assert not table.loc[table["dirty"]].size  # an unknown one is not counted as made with uncommitted changes


def test_a_table_of_an_older_version_has_no_checksums_of_the_teacher(folder: Path) -> None:
    WHOLE.drop(columns="teacher_checksum").to_csv(folder / "runs.csv", index=False)
    assert read_runs(folder)["teacher_checksum"].isna().all()


def test_hashes_and_names_stay_text(folder: Path) -> None:
    """A hash that looks like a number is not read as infinity, nor a method called `nan` as none."""
    table = runs_of({"nan": {0: 50.0}, "1": {0: 50.0}})
    table.to_csv(folder / "runs.csv", index=False)
    read = read_runs(folder)
    assert set(read["commit"]) == {"12e4567"} and set(read["data_checksum"]) == {"0123"}
    assert set(read["method"]) == {"nan", "1"}


def test_a_study_without_results_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"runs\.csv: no such table; `make study STUDY="):
        read_runs(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.integers(0, len(TEXT) - 1), st.sampled_from([found.end() for found in re.finditer("\n", TEXT)][:-1]))
)
def test_a_table_that_was_cut_anywhere_is_refused(folder: Path, size: int) -> None:
    """Unless it was cut between two runs, or after the teacher's first row: then the other runs are missing."""
    (folder / "runs.csv").write_text(TEXT[:size])
    lines = TEXT[:size].count("\n")
    if size == sum(len(line) + 1 for line in LINES[:lines]) and (lines == 2 or (lines > 2 and lines % 2)):
        assert len(read_runs(folder)) == lines - 1
    else:
        assert re.search("is empty|is cut: line|holds no run|has no row of test", fault(folder))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=3))
def test_whatever_bytes_are_damaged_no_other_exception_is_raised(folder: Path, start: int, damage: bytes) -> None:
    content = TEXT.encode()
    (folder / "runs.csv").write_bytes(content[:start] + damage + content[start + len(damage) + 1 :])
    try:
        table = read_runs(folder)
    except RecordError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert table["miou"].between(0, 100).all()


def edited(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The table with another value in the third row, which is line 4 of the file."""

    def edit(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({column: object})
        table.loc[2, column] = value  # type: ignore[call-overload]
        return table

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (edited("miou", "abc"), "line 4: miou: 'abc': is not a number of 0 or more: "),
        (edited("miou", "inf"), "line 4: miou: 'inf': is not a number"),
        (edited("miou", "1e999"), "line 4: miou: '1e999': "),
        (edited("miou", 3000), "line 4: miou: '3000': "),
        (edited("miou", ""), "line 4: miou: is empty: "),
        (edited("miou", 41.0), "line 4: miou: 41.0 is not the mean of its classes' IoU, 56.0000"),
        (edited("iou_0", -1), "line 4: iou_0: '-1': is not a number of 0 or more"),
        (edited("seed", "1.5"), "line 4: seed: '1.5': is not a whole number"),
        (edited("seed", 2**40), "line 4: seed: "),
        (edited("macs", "1_000"), "line 4: macs: '1_000': is not a whole number"),
        (edited("split", "train"), "line 4: split: 'train': "),
        (edited("dirty", "perhaps"), "line 4: dirty: 'perhaps': "),
        (edited("commit", ""), "line 4: commit: is empty"),
        (edited("study", "quick"), "line 4: study: 'quick' is not this study, digits"),
        (lambda table: table.assign(miou=np.nan), "line 2: miou: is empty"),
        (lambda table: table.drop(columns="iou_0"), "line 2: miou: 35.0 is not the mean of its classes' IoU, 40.0000"),
        (lambda table: table.drop(columns=["commit", "macs"]), "line 1: lacks macs, commit: "),
        (lambda table: pd.concat([table, table.iloc[[3]]]), "line 16: ce, seed 0, test stands in line 5 already"),
        (lambda table: table.drop(index=3), "ce, seed 0 has no row of test: "),
        (lambda table: table.iloc[:0], "holds no run: "),
        (lambda table: table.set_axis([*table.columns[:-1], "iou_0"], axis=1), "line 1: 'iou_0' stands twice"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(
    folder: Path, edit: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    edit(WHOLE).to_csv(folder / "runs.csv", index=False)
    assert fault(folder).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: "),
        (b"\xff\xfe\x00\n", "is no table of runs ("),
        (b'study,"method\n', "is no table of runs ("),
        (b"study,method\ndigits\n", "line 2 has 1 values, and the first line has 2: "),
    ],
)
def test_a_file_that_is_no_table_is_told(folder: Path, content: bytes, said: str) -> None:
    (folder / "runs.csv").write_bytes(content)
    assert fault(folder).startswith(said)


def test_the_teacher_may_be_that_of_another_study(folder: Path) -> None:
    table = runs_of(FEW)
    table.loc[table["method"] == "teacher", "study"] = "base"
    table.to_csv(folder / "runs.csv", index=False)
    assert set(read_runs(folder)["study"]) == {"base", "digits"}


def test_a_tuning_study_has_scores_on_val_alone_and_perhaps_another_study_s_teacher(folder: Path) -> None:
    table = WHOLE[(WHOLE["method"] == "teacher") | (WHOLE["split"] == "val")].copy()
    table.loc[table["method"] == "teacher", "study"] = "base"
    table.to_csv(folder / "runs.csv", index=False)
    assert set(read_runs(folder).query("method != 'teacher'")["split"]) == {"val"}
    table.iloc[1:].to_csv(folder / "runs.csv", index=False)
    assert fault(folder).startswith("teacher, seed 0 has no row of val: ")


def test_the_mend_is_to_collect_again_where_the_records_are(folder: Path) -> None:
    """In a clone, where they are not, it is to restore the committed file."""
    (folder / "runs.csv").write_bytes(b"")
    assert fault(folder).endswith(f"restore it: git checkout -- {folder}/runs.csv")
    (folder / "runs" / "ce" / "0").mkdir(parents=True)
    (folder / "runs" / "ce" / "0" / "record.json").touch()
    assert fault(folder).endswith(f"pfs collect digits --results {folder.parent}")


def test_examples_that_are_damaged_are_told_with_the_file_and_the_mend(folder: Path) -> None:
    """Cut anywhere, which NumPy and zipfile tell in many ways, or one byte of an array changed."""
    file = folder / "examples.npz"
    assert read_examples(folder) == {}
    np.savez_compressed(file, image=np.arange(4000).reshape(2, 2000), label=np.ones((2, 2), np.uint8))
    whole = file.read_bytes()
    assert read_examples(folder)["image"][1, 5] == 2005
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    for content in (*(whole[:size] for size in range(0, len(whole), 97)), b"text", bytes(flipped)):
        file.write_bytes(content)
        with pytest.raises(RecordError, match=rf"^{file}: is damaged \(\w+\): restore it: git checkout -- {file}$"):
            read_examples(folder)

"""The figures of costs draw what their tables say."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfs.bench.figures import MEASURED, benchmark_figure, draw_measured, steps_figure
from pfs.config.files import repository

COMMITTED = repository() / "results" / "benchmark"


def kernels() -> pd.DataFrame:
    """Two forms of one reading at two sizes; the dense one does not fit at the larger."""
    rows = [
        {
            "form": form,
            "locations": n,
            "milliseconds": time,
            "peak_mib": peak,
            "repeats": repeats,
            "estimate_mib": 900.0,
        }
        for form, n, time, peak, repeats in (
            ("dense", 64, 2.0, 4.0, 9),
            ("dense", 256, float("nan"), float("nan"), 0),
            ("ours", 64, 1.0, 0.5, 9),
            ("ours", 256, 3.0, 2.0, 9),
        )
    ]
    return pd.DataFrame(rows).assign(reading="squared", dtype="float32", batch=1, channels=8, estimate_mib=900.0)


def test_what_was_skipped_is_a_cross_at_its_estimate_and_noise_is_not_drawn() -> None:
    time, memory = benchmark_figure(kernels()).axes
    assert [line.get_label() for line in time.lines] == ["ours, C = 8", "dense, C = 8"]
    crosses = [line.get_xydata() for line in memory.lines if line.get_marker() == "x"]
    assert [cross.tolist() for cross in crosses if len(cross)] == [[[256.0, 900.0]]]  # type: ignore[union-attr, arg-type]
    peaks = np.asarray(memory.lines[0].get_ydata(), dtype=float)
    np.testing.assert_array_equal(peaks, [np.nan, 2.0])  # half a MiB says nothing


def test_steps_and_their_parts_stand_in_the_order_of_the_table_beside_both_limits() -> None:
    cases = {"student": 10.0, "teacher": 4.0, "cached": 11.0, "part: data": 1.0, "part: PFS": 2.0}
    table = pd.DataFrame({"setting": "digits", "case": list(cases), "milliseconds": list(cases.values())})
    steps, parts = steps_figure(table).axes
    assert [label.get_text() for label in steps.get_yticklabels()] == [
        "student alone",
        "teacher's pass alone",
        "PFS + WSP",
    ]
    assert [label.get_text() for label in parts.get_yticklabels()] == ["reading images", "PFS"]
    assert [bar.get_width() for bar in steps.patches] == [10.0, 4.0, 11.0]  # type: ignore[attr-defined]
    assert [line.get_xdata()[0] for line in steps.lines] == [10.0, 14.0]  # type: ignore[index]


@pytest.mark.parametrize("name", MEASURED)
def test_the_committed_figures_are_those_of_the_committed_tables(name: str, tmp_path: Path) -> None:
    shutil.copy(COMMITTED / f"{name}.csv", tmp_path)
    draw_measured(tmp_path, name)
    for kind in ("png", "pdf"):
        drawn, kept = (folder / "figures" / f"{name}.{kind}" for folder in (tmp_path, COMMITTED))
        assert drawn.read_bytes() == kept.read_bytes(), "run: make figures"

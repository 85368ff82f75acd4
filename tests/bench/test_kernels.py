"""The dense forms are the losses they are timed against, and the notebook leaves what it promises."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from pfs.__main__ import main
from pfs.bench.figures import benchmark_figure
from pfs.bench.kernels import FORMS, Case, dense_kl, dense_squared, estimate_mib, flop, measure, run, skd_squared
from pfs.losses import pfs_loss
from pfs.study.execution.notebooks import run_notebook
from pfs.study.places import notebook_path
from pfs.study.records import commit

COLUMNS = [
    *["reading", "form", "batch", "locations", "channels", "dtype", "status", "repeats", "milliseconds", "peak_mib"],
    *["estimate_mib", "ratio_time", "ratio_memory", "gflops", "fraction_of_peak", "commit", "dirty", "threads"],
    *["instruction_set", "torch"],
]
TINY: dict[str, str | int] = {
    "sizes": "64,256",
    "channels": "8,16",
    "compared": 16,
    "kl_up_to": 256,
    "gemm": 64,
    "repeats": 1,
}


# --- the dense forms ----------------------------------------------------------------------------------------


def features() -> tuple[Tensor, Tensor]:
    """Student's and teacher's (2, 8, 6, 6) in double precision; the student wants a gradient."""
    student, teacher = torch.randn(2, 2, 8, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return student.requires_grad_(), teacher


@pytest.mark.parametrize(("dense", "distance"), [(dense_squared, "squared"), (dense_kl, "kl")])
def test_the_dense_forms_are_ours(dense: Callable[[Tensor, Tensor], Tensor], distance: str) -> None:
    """Value and gradient, with constant 1."""
    student, teacher = features()
    losses = dense(student, teacher), pfs_loss(student, teacher, distance=distance)  # type: ignore[arg-type]
    gradients = [torch.autograd.grad(loss, student)[0] for loss in losses]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-9)


def test_the_peers_form_is_ours_without_centring() -> None:
    """In value; its gradient lacks the part along each feature, for their lengths count as constants."""
    student, teacher = features()
    peers, ours = skd_squared(student, teacher), pfs_loss(student, teacher, center=False)
    torch.testing.assert_close(peers.double(), ours, rtol=1e-5, atol=0)
    theirs, full = (torch.autograd.grad(loss, student)[0] for loss in (peers, ours))
    direction = student / student.norm(dim=1, keepdim=True)
    across = theirs - direction * (theirs * direction).sum(1, keepdim=True)
    torch.testing.assert_close(across, full, rtol=1e-4, atol=1e-8)


# --- measuring ----------------------------------------------------------------------------------------------


def test_the_forms_take_turns_in_processes_of_their_own() -> None:
    """As many turns each as asked for, or one where patience is short."""
    case = Case("squared", 1, 256, 8, forms=("ours", "dense", "skd"))
    turns = measure(case, repeats=3, patience=60.0, threads=1)
    assert {form: len(own) for form, own in turns.items()} == {"ours": 3, "dense": 3, "skd": 3}
    assert all(seconds > 0 for own in turns.values() for seconds, _ in own)
    assert {len(own) for own in measure(case, repeats=3, patience=0.0, threads=1).values()} == {1}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read where Linux has them")
def test_the_peak_is_that_of_the_maps_and_near_its_estimate() -> None:
    """N = 3,136: maps of 37.5 MiB, which the allocator takes from the system and gives back."""
    case = Case("squared", 1, 3136, 8, forms=("ours", "dense"))
    turns = measure(case, repeats=1, patience=60.0, threads=1)
    map_mib = 4 * 3136**2 / 2**20
    assert turns["ours"][0][1] < map_mib < 3 * map_mib < turns["dense"][0][1]
    assert turns["dense"][0][1] == pytest.approx(estimate_mib(case, "dense"), rel=0.5)


def test_what_does_not_fit_is_a_row_that_says_so() -> None:
    """The others of its case are measured; its estimate is kept."""
    case = Case("squared", 1, 1024, 8, forms=("ours", "dense"))
    table = run([case], memory_gib=0.01, repeats=1, patience=1.0, threads=1).set_index("form")
    assert table["status"].to_dict() == {"ours": "measured", "dense": "skipped: more than 0.01 GiB"}
    assert table.loc["dense", ["milliseconds", "peak_mib", "ratio_time", "gflops"]].isna().all()
    assert table.loc["dense", "estimate_mib"] == pytest.approx(4 * 1024 * (5 * 1024 + 80) / 2**20)
    assert table.loc["ours", "ratio_time"] == 1
    nothing = run([case], memory_gib=0.0, repeats=1, patience=1.0, threads=1)
    assert (nothing["repeats"] == 0).all()


def test_operations_are_those_of_the_products() -> None:
    """Five of C x C x N; where C > N, three of N x N x C, where the dense forms take four."""
    assert flop(Case("squared", 2, 64, 8), "ours") == 2 * 10 * 64 * 8**2
    assert flop(Case("squared", 1, 16, 64), "ours") == 6 * 16**2 * 64
    assert flop(Case("kl", 1, 16, 64), "ours") == flop(Case("kl", 1, 16, 64), "dense") == 8 * 16**2 * 64
    assert flop(Case("machine", 1, 32, 32), "gemm") == 2 * 32**3
    assert math.isnan(flop(Case("machine", 1, 32, 32), "copy"))


# --- the notebook -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebook leaves, at tiny sizes; of 4 x 1,024 locations the dense forms do not fit."""
    results = tmp_path_factory.mktemp("results")
    parameters = {**TINY, "results": str(results), "memory_gib": 0.05}
    run_notebook(notebook_path("benchmark"), results / "benchmark" / "benchmark.ipynb", parameters)
    return results / "benchmark"


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "kernels.csv")


def test_the_table_has_every_case(table: pd.DataFrame) -> None:
    """The machine's three; each reading and form; both dtypes; and where it all comes from."""
    assert list(table.columns) == COLUMNS
    assert table["reading"].value_counts().to_dict() == {"squared": 8 + 6 + 4, "kl": 4 + 2, "machine": 3}
    assert set(zip(table["reading"], table["form"], strict=True)) - set(FORMS) == {
        ("machine", "gemm"),
        ("machine", "copy"),
    }
    assert set(table["dtype"]) == {"float32", "bfloat16"}
    assert set(table["commit"]) == {commit({"pfs"})[0]}
    assert table.loc[table["form"] == "gemm", "fraction_of_peak"].tolist() == [1, 1]


def test_skipped_rows_are_in_the_table(table: pd.DataFrame) -> None:
    skipped = table[table["repeats"] == 0]
    assert skipped[["form", "batch", "locations"]].to_numpy().tolist() == 2 * [["dense", 4, 1024], ["skd", 4, 1024]]
    assert set(skipped["status"]) == {"skipped: more than 0.05 GiB"}
    assert table.loc[table["repeats"] > 0, "milliseconds"].notna().all()


def test_the_summary_and_the_figure_are_there(folder: Path) -> None:
    summary = (folder / "kernels.md").read_text()
    assert summary.count("\n## ") == 4 and "| squared | dense | float32 | 1 | 256 | 16 |" in summary
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["kernels.pdf", "kernels.png"]


def test_the_figure_has_a_row_a_reading_and_a_cross_for_what_was_skipped(table: pd.DataFrame) -> None:
    alone = table.assign(batch=1)  # the skipped rows are of a batch of 4, which is not drawn
    axes = benchmark_figure(alone).axes
    assert [one.get_title("left") for one in axes[::2]] == ["squared differences: time", "divergence (KL): time"]
    assert all((one.get_xscale(), one.get_yscale()) == ("log", "log") for one in axes)
    others = [f"{form}, C = {c}" for c in (16, 8) for form in ("dense", "SKD's code")]
    drawn = [name for name in axes[1].get_legend_handles_labels()[1] if "skipped" not in name]
    assert sorted(drawn) == sorted(["ours, C = 8", "ours, C = 16", *others])
    assert all((np.diff(np.asarray(line.get_xdata())) >= 0).all() for line in axes[0].lines)
    crosses = [np.asarray(line.get_xydata()) for line in axes[1].lines if line.get_marker() == "x"]
    assert set(np.concatenate(crosses)[:, 0].tolist()) == {1024}


def test_the_command_runs_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pfs benchmark` takes no study."""
    called = []
    monkeypatch.setattr("pfs.commands.cost.run_notebook", lambda *arguments: called.append(arguments))
    assert main(["benchmark", "--results", str(tmp_path), "--threads", "2"]) == 0
    parameters = {"results": str(tmp_path), "threads": 2}
    assert called == [(notebook_path("benchmark"), tmp_path / "benchmark" / "benchmark.ipynb", parameters)]

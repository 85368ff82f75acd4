"""Tables of what losses, steps and runs cost, for docs/cost.md, from the committed measurements. No torch here."""

from pathlib import Path

import pandas as pd

from pfs.report.docs.scores import studies_with_runs
from pfs.report.tables.main import markdown_table
from pfs.study.places import TEACHER

# The aims of a step, as multiples of the case that each is measured by.
CASES = {
    "CE + PFS + WSP, cached teacher / student alone": ("cached", "student"),
    "PFS / KD, cached teacher": ("cached, PFS alone", "cached, KD alone"),
    "WSP / KD, cached teacher": ("cached, WSP alone", "cached, KD alone"),
    "torchdistill's loop / ours, cached teacher": ("torchdistill", "cached"),
}


def kernels(benchmark: Path) -> str:
    """Time and memory of PFS, forward and backward, beside the form that builds the N x N maps."""
    table = pd.read_csv(benchmark / "kernels.csv")
    case = ["reading", "dtype", "batch", "locations", "channels"]
    ours = table[table["form"] == "ours"].set_index(case)[["milliseconds", "peak_mib"]].add_suffix("_ours")
    dense = table[(table["form"] == "dense") & (table["repeats"] > 0)].join(ours, on=case)
    columns = [*case, "milliseconds_ours", "milliseconds", "ratio_time", "peak_mib_ours", "peak_mib", "ratio_memory"]
    head = ["`match`", "features", "images", "locations", "channels", "ms, ours", "ms, dense", "dense / ours"]
    head += ["MiB, ours", "MiB, dense", "dense / ours"]
    return markdown_table(head, [_rounded(row) for row in dense[columns].itertuples(index=False)])


def steps(benchmark: Path) -> str:
    """Whole training steps, as multiples of what they must cost at least."""
    table = pd.read_csv(benchmark / "steps.csv")
    limit = table.pivot_table(index="case", columns="setting", values="ratio_to_limit", sort=False)
    alone = table.pivot_table(index="case", columns="setting", values="ratio_to_student", sort=False)
    rows = {what: alone.loc[above] / alone.loc[below] for what, (above, below) in CASES.items()}
    rows["teacher asked at every step / student and teacher"] = limit.loc["online"]
    rows["torchdistill's loop / student alone, without a teacher"] = alone.loc["torchdistill"]
    lines = [(what, *(f"{value:.2f}" for value in values[alone.columns])) for what, values in rows.items()]
    return markdown_table(("step", *(f"`{setting}`" for setting in alone.columns)), lines)


def devices(benchmark: Path) -> str:
    """Training steps by one process and by several that share its threads."""
    table = pd.read_csv(benchmark / "devices.csv")
    rows = [
        (f"{size} x {size}", terms, str(processes), f"{milliseconds:,.0f}", f"{ratio:.2f}")
        for size, terms, processes, milliseconds, ratio in table[
            ["size", "terms", "processes", "milliseconds", "ratio"]
        ].itertuples(index=False)
    ]
    return markdown_table(("images", "terms", "processes", "ms a step", "ratio to one process"), rows)


def paces(benchmark: Path) -> str:
    """Training steps of networks of the field's size, and what the device computes in them."""
    table = pd.read_csv(benchmark / "paces.csv")
    rows = [
        (f"`{study}`", network, size, str(batch), f"{milliseconds:.0f}", f"{gflop / milliseconds:.0f}")
        for study, network, size, batch, gflop, milliseconds in table[
            ["study", "network", "size", "batch", "gflop", "milliseconds"]
        ].itertuples(index=False)
    ]
    return markdown_table(("study", "network", "images", "batch", "ms a step", "TFLOP/s"), rows, numbers=False)


def starts(benchmark: Path) -> str:
    """What a run costs besides its steps."""
    table = pd.read_csv(benchmark / "overhead.csv")
    # A table that was measured before runs had their name calls them cells.
    rows = [(what, each.replace("cell", "run"), f"{seconds:.2f}") for what, each, seconds in table.to_numpy()]
    return markdown_table(("start of", "once a", "seconds"), rows)


def runs(results: Path) -> str:
    """Minutes of the committed runs, summed, by the seconds in their records."""
    rows = []
    for study, table in studies_with_runs(results):
        test = table[table["split"] == "test"]
        teacher = test["method"] == TEACHER
        parts = (test.loc[teacher, "seconds"].sum(), test.loc[~teacher, "seconds"].sum())
        rows.append((f"`{study.name}`", *(f"{part / 60:.0f}" for part in parts), (~teacher).sum()))
    return markdown_table(("study", "teacher, minutes", "all students, minutes", "students"), rows)


def _rounded(row: tuple[object, ...]) -> list[str]:
    """Whole numbers as they are, others with as many digits as say something."""
    return [
        value if isinstance(value, str) else f"{value:,.1f}" if isinstance(value, float) else str(value)
        for value in row
    ]

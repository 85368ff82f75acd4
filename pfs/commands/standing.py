"""How the runs of a study stand: finished, stale and why, missing; and what it costs to bring them up to date.

In a clone there are no records, but the committed `runs.csv` of each study. What it says was measured, and it names the
code by its hash, so a run that stands in it alone is told as such, with whether its code is today's. No torch here.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pfs.config.files import repository
from pfs.config.study import Study
from pfs.data.install.state import current_checksum
from pfs.report.tables.changes import Provenance, code_change, read_provenance
from pfs.report.tables.collected import read_runs
from pfs.study.code.hashes import Code, run_codes
from pfs.study.cost import FLOP_PER_TRAINED_MAC
from pfs.study.places import TEACHER, run_folder, runs_of, study_folder
from pfs.study.staleness import why_stale

State = Literal["finished", "to score again", "stale", "in runs.csv only", "missing"]
STATES: tuple[State, ...] = ("finished", "to score again", "stale", "in runs.csv only", "missing")

Row = Mapping[Hashable, Any]  # of runs.csv


@dataclass(frozen=True)
class Standing:
    """How one run stands.

    Attributes:
        reason: why it is not finished, in a few words; "" for a finished or a missing one.
        tflop: what its training costs, if it must be trained; None where no finished run says how large the network is.
        seconds: what it took before; None where no run of its method says so.
    """

    state: State
    reason: str = ""
    tflop: float | None = 0.0
    seconds: float | None = 0.0


def standings(study: Study, results: str, data: str) -> dict[tuple[str, int], Standing]:
    """How each run of a study stands, as (method, seed).

    Args:
        study: the study.
        results: the folder of all results.
        data: the folder of all data sets. Data that are not there are not compared.

    Raises:
        RecordError: the study's `runs.csv` or `provenance.json` is damaged.
    """
    folder = study_folder(study, results)
    found = current_checksum(study.data, repository() / data)
    table, known = _table(folder), read_provenance(folder)
    codes = run_codes(study, {method for method, _ in _made(study, folder, table)})
    runs = {run: _standing(study, folder, run, codes.get(run[0]), found, table, known) for run in runs_of(study)}
    return {run: _with_costs(study, run, standing, table) for run, standing in runs.items()}


def made(study: Study, results: str) -> set[tuple[str, int]]:
    """The runs of a study, as (method, seed), that have a record or a row of `runs.csv`, whether or not of today."""
    folder = study_folder(study, results)
    return _made(study, folder, _table(folder))


def _made(study: Study, folder: Path, table: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
    return {
        run for run in runs_of(study) if run in table or (run_folder(study, folder, *run) / "record.json").is_file()
    }


def _table(folder: Path) -> dict[tuple[str, int], Row]:
    """A row of a study's `runs.csv` for each method and seed; none where there is no such table.

    Raises:
        RecordError: the table is damaged.
    """
    if not (folder / "runs.csv").is_file():
        return {}
    rows = read_runs(folder).drop_duplicates(["method", "seed"]).to_dict("records")
    return {(row["method"], row["seed"]): row for row in rows}


def _standing(
    study: Study,
    folder: Path,
    run: tuple[str, int],
    code: Code | None,
    data_checksum: str | None,
    table: Mapping[tuple[str, int], Row],
    known: Provenance,
) -> Standing:
    if code is None:
        return Standing("missing")
    stale = why_stale(study, folder, *run, code, data_checksum, check_cache=lambda _: None)  # not read: it may be large
    if stale is None:
        return Standing("finished")
    if stale.finished:
        reason = stale.reason.removeprefix(f"{run_folder(study, folder, *run)}: ").removeprefix("made with ")
        return Standing("stale" if stale.trains else "to score again", reason)
    if run not in table:
        return Standing("missing")
    return Standing("in runs.csv only", _of_table(table[run], code, data_checksum, known))


def _of_table(row: Row, code: Code, data_checksum: str | None, known: Provenance) -> str:
    """What a table, and the provenance beside it, say of a run whose record is not here."""
    age = code_change(row["code_hash"], code, known) or "today's code"
    other_data = data_checksum is not None and row["data_checksum"] != data_checksum
    return f"{'other data, ' * other_data}{age}"


def _with_costs(
    study: Study, run: tuple[str, int], standing: Standing, table: Mapping[tuple[str, int], Row]
) -> Standing:
    """The same, with what the training costs of a run that must be trained."""
    if standing.state in ("finished", "to score again"):
        return standing
    role = study.teacher if run[0] == TEACHER else study.student
    alike = [row for (method, _), row in table.items() if (method == TEACHER) == (run[0] == TEACHER)]
    seconds = [row["seconds"] for row in alike if row["method"] == run[0] and not pd.isna(row["seconds"])]
    macs = next((row["macs"] for row in alike if not pd.isna(row["macs"])), None)
    tflop = None if macs is None else FLOP_PER_TRAINED_MAC * macs * role.batch_size * role.steps / 1e12
    return Standing(standing.state, standing.reason, tflop, sum(seconds) / len(seconds) if seconds else None)

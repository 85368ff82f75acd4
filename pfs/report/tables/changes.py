"""What a study's committed results were made with, and what of it has changed since. No torch here.

`provenance.json` holds it for the table beside it, `runs.csv`: the hashes of the code, file by file, and the settings
of each method. A clone has both, and no records.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from pfs.config.files import repository
from pfs.config.study import Study
from pfs.data.install.state import current_checksum
from pfs.report.tables.collected import mend, read_runs
from pfs.study.code.earlier import code_at
from pfs.study.code.hashes import Code, code_of, run_codes
from pfs.study.places import TEACHER, notebook_path, runs_of, study_folder
from pfs.study.records import Record, RecordError
from pfs.study.staleness import changed_files, changed_keys, run_settings, that_decide

PROVENANCE = "provenance.json"
# The tables of `results/benchmark`, and the notebook that measures each.
MEASURED = {
    "kernels": "benchmark",
    "steps": "throughput",
    "devices": "devices",
    "latency": "latency",
    "paces": "paces",
}
NOT_RECORDED = "older code (which parts differ is not recorded)"


class Provenance(BaseModel):
    """What is behind the rows of a study's `runs.csv`.

    Attributes:
        code: the hash that the table has -> the code, by file.
        settings: method -> the part of the study that its runs depend on, but for their seed.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    code: dict[str, Code] = {}
    settings: dict[str, dict[str, Any]] = {}


def provenance(records: Iterable[Record]) -> dict[str, Any]:
    """The content of `provenance.json` for the runs that a table is made of."""
    code: dict[str, Code] = {}
    settings = {}
    for record in records:
        if record.provenance.code is not None:
            code[record.provenance.code_hash] = record.provenance.code
        settings[record.method] = without_seed(record.settings)
    return Provenance(code=code, settings=settings).model_dump(mode="json")


def without_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that all runs of one method have in common."""
    return {key: value for key, value in settings.items() if key != "seed"}


def read_provenance(folder: Path) -> Provenance:
    """What `folder/provenance.json` says; nothing where an older version has written the table and no such file.

    Raises:
        RecordError: the file is damaged; one line with the file and the mend.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        return Provenance()
    try:
        return Provenance.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RecordError(f"{path}: is damaged ({error.errors()[0]['msg']}): {mend(path)}") from None


def changes(study: Study, results: str, data: str | None = "data") -> list[str]:
    """What has changed since a study's committed results were made, a few words each; empty where nothing has.

    Args:
        study: the study.
        results: the folder of all results.
        data: the folder of all data sets. Data that are not there are not compared; None compares none.

    Raises:
        RecordError: the study has no `runs.csv`, or that or `provenance.json` is damaged.
    """
    folder = study_folder(study, results)
    runs = read_runs(folder).drop_duplicates(["method", "seed"])
    known = read_provenance(folder)
    return [
        *_changed_code(study, runs, known),
        *_changed_settings(study, runs, known),
        *(_changed_data(runs, current_checksum(study.data, repository() / data)) if data is not None else ()),
        *_changed_runs(study, runs),
    ]


def changes_since_measured(table: Path) -> list[str]:
    """How the code behind one of the tables `MEASURED` has changed since the commit that the table names.

    Args:
        table: its CSV file.

    Raises:
        CodeError: that commit is not at hand.
        RecordError: the table is damaged; one line.
    """
    notebook = notebook_path(MEASURED[table.stem])
    today = code_of(notebook)
    try:
        commits = pd.read_csv(table, usecols=["commit"], dtype=str, keep_default_na=False)["commit"].unique()
    except ValueError as error:
        raise RecordError(f"{table}: is damaged ({error}): restore it, with git for instance") from None
    files = {commit: changed_files(code_at(commit, notebook).training, today.training) for commit in commits}
    return [f"other code since {commit[:7]} ({_some(names.split(', '))})" for commit, names in files.items() if names]


def code_change(code_hash: str, today: Code, known: Provenance) -> str:
    """In what the code of a row differs from today's, in a few words; "" where it does not."""
    if code_hash == today.digest:
        return ""
    if (then := known.code.get(code_hash)) is None:
        return NOT_RECORDED
    parts = [(name, changed_files(getattr(then, name), getattr(today, name))) for name in ("training", "scoring")]
    return ", ".join(f"other {name} code ({files})" for name, files in parts if files)


def _changed_code(study: Study, runs: pd.DataFrame, known: Provenance) -> list[str]:
    """Each way in which code differs, with how many of the table's runs have it."""
    methods = [method for method in (TEACHER, *study.methods) if method in set(runs["method"])]
    today = run_codes(study, methods)
    own = runs[runs["method"].isin(methods)]
    pairs = zip(own["method"], own["code_hash"], strict=True)
    differ = pd.Series([code_change(code_hash, today[method], known) for method, code_hash in pairs], dtype=str)
    return [f"{count} of {len(runs)} runs: {what}" for what, count in differ[differ != ""].value_counts().items()]


def _changed_settings(study: Study, runs: pd.DataFrame, known: Provenance) -> list[str]:
    """The keys of the study's file that were others, each with the methods that they matter to."""
    if not known.settings:
        return ["the parameters of then are not recorded"]
    methods: dict[str, list[str]] = {}
    for method in dict.fromkeys(runs["method"]):
        if method in known.settings and method in (TEACHER, *study.methods):
            today = without_seed(run_settings(study, method, 0))
            if keys := changed_keys(that_decide(known.settings[method]), today):
                methods.setdefault(keys, []).append(method)
    return [f"parameters ({keys}) of {', '.join(names)}" for keys, names in methods.items()]


def _changed_data(runs: pd.DataFrame, found: str | None) -> list[str]:
    same = found is None or set(runs["data_checksum"]) == {found}
    return [] if same else [f"data (their checksum is now {str(found)[:12]})"]


def _changed_runs(study: Study, runs: pd.DataFrame) -> list[str]:
    """Runs that the study's file has and the table has not, and the other way round."""
    there, planned = set(zip(runs["method"], runs["seed"], strict=True)), set(runs_of(study))
    added, left_out = (_some([f"{m}/{s}" for m, s in sorted(runs)]) for runs in (planned - there, there - planned))
    return [
        *([f"runs that are not in the table: {added}"] if added else []),
        *([f"runs that the study no longer has: {left_out}"] if left_out else []),
    ]


def _some(names: Sequence[str]) -> str:
    """The first three of some names, and how many there are besides; "" of none."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more

"""`pfs collect`: what is kept of a study's runs, so that tables and figures need neither records nor checkpoints.

`pfs.report.tables.collected`, `counts` and `changes` read these files. No torch here.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfs.config.checksums import write_checksums
from pfs.config.files import atomic_write
from pfs.config.study import Study
from pfs.data.groups import ALONE, groups_of_test
from pfs.report.tables.changes import PROVENANCE, provenance
from pfs.report.tables.counts import COUNTS, ClassCounts, class_counts, counts_of, earlier_groups
from pfs.study.places import TEACHER, run_folder, runs_of
from pfs.study.records import COLLECTED, SPLITS, Record, RecordError, read_record, run_table, write_npz


def collect(study: Study, folder: Path, finished: Collection[tuple[str, int]], data: Path | None = None) -> list[str]:
    """Gather a study's records into files of its results folder, which are the ones that a clone has.

    `runs.csv`: the scores. `provenance.json`: the code and the settings behind them. `curves.csv`: the learning curves,
    if there are any. `examples.npz`: images and what the networks make of them. `test_counts.npz`: the counts of each
    test image. Of a tuning study, scores on val alone are gathered, and neither examples nor counts, for nothing shows
    them.

    Args:
        study: says which runs there should be.
        folder: the study's results.
        finished: the runs, as (method, seed), whose records are of today's settings and code.
        data: the folder of all data sets, which may say which test images belong together; None: not asked.

    Returns:
        The other runs of the study, as `method/seed`; they are left out.

    Raises:
        RecordError: a record is broken, there is none at all, or the runs are of several data sets or teachers.
    """
    paths = {run: run_folder(study, folder, *run) / "record.json" for run in runs_of(study)}
    found = {run: path for run, path in paths.items() if run in finished}
    if not found:
        raise RecordError(f"{folder}: no records yet; run the study first")
    records = [read_record(path) for path in found.values()]
    _refuse_mixture(folder, records, "data_checksum", "data sets")
    _refuse_mixture(folder, records, "teacher_checksum", "teachers")
    table = run_table(records, ["val"] if study.tuning else SPLITS)
    atomic_write(folder / "runs.csv", _csv(table))
    atomic_write(folder / PROVENANCE, json.dumps(provenance(records), indent=1) + "\n")
    written = [folder / "runs.csv", folder / PROVENANCE, *_write_curves(folder / "curves.csv", records)]
    if not study.tuning:
        written += _write_examples(study, folder, list(found))
        written += _write_counts(study, folder, {run: path.parent for run, path in found.items()}, data)
    write_checksums(folder / COLLECTED, written)
    return [f"{method}/{seed}" for method, seed in paths if (method, seed) not in found]


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.4f", lineterminator="\n")


def _write_curves(file: Path, records: Iterable[Record]) -> list[Path]:
    """The learning curves of all runs that have one, a row a run and step; the files written: this one, or none."""
    rows = [(r.method, r.seed, int(point["step"]), point["miou"]) for r in records for point in r.val_curve]
    if not rows:
        file.unlink(missing_ok=True)  # of an earlier version of the study
        return []
    atomic_write(file, _csv(pd.DataFrame(rows, columns=["method", "seed", "step", "val_miou"])))
    return [file]


def _refuse_mixture(folder: Path, records: Iterable[Record], key: str, what: str) -> None:
    """Numbers of runs on different data, or with different teachers, do not belong in one table."""
    runs: dict[str, list[str]] = {}
    for record in records:
        if (checksum := getattr(record.provenance, key)) is not None:  # a student without a teacher goes with any
            runs.setdefault(checksum, []).append(f"{record.method}/{record.seed}")
    if len(runs) > 1:
        shown = "; ".join(f"{value[:12]}: {', '.join(names)}" for value, names in runs.items())
        raise RecordError(f"{folder}: runs of {len(runs)} {what} make no one table ({shown}): run the study again")


def _write_examples(study: Study, folder: Path, found: Sequence[tuple[str, int]]) -> list[Path]:
    """The teacher's example images, and what it and each method (at the study's first seed) say of them."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for method, seed in found:
        if method != TEACHER and seed != study.seeds[0]:
            continue
        with np.load(run_folder(study, folder, method, seed) / "examples.npz") as examples:
            if method == TEACHER:
                arrays |= {name: examples[name] for name in ("image", "label", "probe")}
            arrays |= {f"{name}/{method}": examples[name] for name in ("prediction", "similarity")}
    write_npz(folder / "examples.npz", arrays)
    return [folder / "examples.npz"]


def _write_counts(study: Study, folder: Path, runs: Mapping[tuple[str, int], Path], data: Path | None) -> list[Path]:
    """The counts of each test image of the runs that have left any; the files written: this one, or none.

    Args:
        study: the study.
        folder: its results.
        runs: each run's own folder.
        data: see `collect`.
    """
    found = {run: _test_counts(own / "confusion.npz") for run, own in runs.items()}
    counts = {run: own for run, own in found.items() if own is not None}
    if not counts:
        (folder / COUNTS).unlink(missing_ok=True)  # of an earlier version of the study
        return []
    labelled = next(iter(counts.values())).labelled
    groups = groups_of_test(study.data, data, labelled.shape[1])
    if groups.kind == ALONE:  # the data may not be in place, whose sequences an earlier file may know
        groups = earlier_groups(folder, labelled) or groups
    write_npz(folder / COUNTS, counts_of(folder, counts, groups).arrays)
    return [folder / COUNTS]


def _test_counts(path: Path) -> ClassCounts | None:
    """The counts of a run's test images from its confusion matrices, which may be large; None if it has left none."""
    if not path.is_file():
        return None
    with np.load(path) as splits:
        return class_counts(splits["test"]) if "test" in splits else None

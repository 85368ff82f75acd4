"""Which data a study finds, without opening an image: by the checksums that lie beside them. No torch here."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pfs.config import data as config
from pfs.config.files import atomic_write

STAMP = "verified.json"  # what the files of a data set looked like when they were verified
# Of the recipe of Digit Scenes: raise it with any change of the pixels, so that old data are not taken for new.
DIGIT_SCENES_VERSION = 2
# Files of a data set's folder that this library writes itself.
OWN_FILES = {STAMP, "checksums.json", "contents.json", "origin.json", "decoded"}


def digit_scenes_counts(spec: config.DigitScenesConfig) -> dict[str, int]:
    """What the images of Digit Scenes depend on."""
    splits = {"train": spec.train, "val": spec.val, "test": spec.test}
    return {"version": DIGIT_SCENES_VERSION, "seed": spec.seed, **splits}


def digit_scenes_folder(spec: config.DigitScenesConfig, root: Path) -> Path:
    """Where the data of that recipe lie: its hash is in the name, so different data never mix."""
    counts = json.dumps(digit_scenes_counts(spec), sort_keys=True)
    return root / f"digit_scenes-{hashlib.sha256(counts.encode()).hexdigest()[:12]}"


def checksum_of(folder: Path, sums: Mapping[str, str]) -> str:
    """One sha256 for a data set: of the checksums of its splits, and of the names of its classes where a file has them.

    Args:
        folder: of the data set.
        sums: split -> sha256, as in its checksums.json.
    """
    content: dict[str, object] = dict(sums)
    classes = folder / "classes.txt"
    if classes.is_file():
        lines = classes.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        content["classes.txt"] = [name for line in lines if (name := line.strip())]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def current_checksum(spec: config.Data, root: Path) -> str | None:
    """The checksum of the data that a study finds now; None where there are none, or where they are broken."""
    folder = _folder(spec, root)
    try:
        sums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))["sha256"]
        return checksum_of(folder, sums)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # `changed_since_verified` tells data that are there and broken from those that are not there


def note_verified(folder: Path) -> None:
    """Write down what the files of a data set look like that has just been verified."""
    atomic_write(folder / STAMP, json.dumps(_files(folder), indent=0) + "\n")


def changed_since_verified(spec: config.Data, root: Path) -> str | None:
    """One line where data are not what was verified, else None; None for data that are not there at all.

    A file of theirs was added, removed or written since, or the checksums themselves are missing or broken.
    """
    folder = _folder(spec, root)
    if not folder.is_dir():
        return None
    if current_checksum(spec, root) is None:
        return f"{folder / 'checksums.json'} is missing or broken: nobody knows these data; {_again(spec, root)}"
    if not (folder / STAMP).exists():
        return None  # generated, or placed by an earlier version
    try:
        before = dict(json.loads((folder / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return f"{folder / STAMP} is broken; {_again(spec, root)}"
    now = _files(folder)
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if not changed:
        return None
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{folder / changed[0]}{more}: changed since the data were verified; {_again(spec, root)}"


def _again(spec: config.Data, root: Path) -> str:
    """How data that have changed are verified, or made, again."""
    folder = _folder(spec, root)
    if isinstance(spec, config.DigitScenesConfig):
        return f"delete {folder}, and they are generated anew"
    source = " --from FOLDER" if isinstance(spec, config.OwnFolderConfig) else ""
    if isinstance(spec, config.OwnFolderConfig) and (folder / "images").is_symlink():
        source = f" --from {(folder / 'images').resolve().parent}"
    return f"run `pfs data {spec.name}{source} --data {root}` again"


def _folder(spec: config.Data, root: Path) -> Path:
    match spec:
        case config.DigitScenesConfig():
            return digit_scenes_folder(spec, root)
        case config.OwnFolderConfig():
            return root / f"folder-{spec.folder}"
        case _:
            return root / spec.name


def _files(folder: Path) -> dict[str, list[int]]:
    """Each file of a data set, links followed: its size in bytes and the time of its last change in nanoseconds."""
    found: dict[str, list[int]] = {}
    pending, seen = [entry for entry in folder.iterdir() if entry.name not in OWN_FILES], set()
    while pending:
        path = pending.pop()
        if path.is_dir() and path.resolve() not in seen:  # a loop of links is followed once
            seen.add(path.resolve())
            pending += path.iterdir()
        elif path.is_file():
            status = path.stat()
            found[str(path.relative_to(folder))] = [status.st_size, status.st_mtime_ns]
    return found

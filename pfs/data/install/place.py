"""Data sets that are not made here: put into place from archives or from a folder that the user has, then verified.

<root>/<name>/…               the files, as the data set's archives lay them out; or links to those of the user
<root>/<name>/checksums.json  how many images each split has, and the sha256 of what they are
<root>/downloads/             archives, while they are fetched and until they are verified
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pfs.config.files import atomic_write
from pfs.data.dataset import DatasetError
from pfs.data.install.contents import FILE as CONTENTS
from pfs.data.install.contents import Contents, Tally, contents_of, refusals
from pfs.data.install.download import fetch, unpack
from pfs.data.install.own.conversion import Conversion
from pfs.data.install.own.layout import abridged
from pfs.data.install.state import note_verified
from pfs.data.sets.base import Archive, PlacedDataset

MOST_TOLD = 40  # lines of what is wrong with a data set: a fault that all its files have is seen from the first


def place(
    dataset: type[PlacedDataset],
    root: Path,
    *,
    source: Path | None = None,
    mirror: str | None = None,
    conversion: Conversion = Conversion(),  # noqa: B008  (it is frozen)
) -> Path:
    """Put a data set into place and verify it; verify it only, if it is there. Returns its folder.

    It appears whole and verified, or not at all.

    Args:
        dataset: which one.
        root: the folder that holds the data sets.
        source: a folder that has it already: it is used where it lies, by links. None: download it.
        mirror: the address of a folder with the archives, in place of the official ones.
        conversion: how a user's own masks are read; other data sets take none.

    Raises:
        DatasetError: everything that is wrong with it, one line each; or why it cannot be fetched or unpacked.
    """
    if source is not None and not source.is_dir():
        raise DatasetError(f"{source}: no such folder")
    if conversion != Conversion() and (source is None or dataset.counts):
        raise DatasetError(f"{conversion.flags}: only for one's own data, pfs data folder --from FOLDER")
    target = root / folder_name(dataset, source)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{target.name}.lock"):
        if not target.is_dir():
            if source is None:
                _download(dataset, target, mirror)
            else:
                _take(dataset, target, source.resolve(), conversion)
        else:
            if source is not None:
                dataset.check_source(source.resolve(), target, conversion)
            _verify_whole(dataset, target)
    return target


def _take(dataset: type[PlacedDataset], target: Path, source: Path, conversion: Conversion) -> None:
    """Put a user's folder into place."""
    with _atomic_folder(target) as partial:
        dataset.take(source, partial, conversion)
        _verify_whole(dataset, partial)


def _download(dataset: type[PlacedDataset], target: Path, mirror: str | None) -> None:
    """Put a data set into place from its archives, which are deleted once it is verified."""
    with _atomic_folder(target) as partial:
        archives = _fetched(dataset, target.parent / "downloads", mirror)
        for archive, file in archives:
            unpack(file, partial / archive.into)
        _verify_whole(dataset, partial)
    for _, file in archives:
        file.unlink()


def folder_name(dataset: type[PlacedDataset], source: Path | None) -> str:
    """A data set's folder; one's own data get their folder's name too, for there may be several."""
    return dataset.name if source is None or dataset.counts else f"{dataset.name}-{source.resolve().name}"


def verify(dataset: type[PlacedDataset], folder: Path) -> tuple[dict[str, str], Contents]:
    """Read all splits of a data set, and return the checksum of each, and what they hold.

    Raises:
        DatasetError: what is wrong, one line each, the same file once, at most 40 lines; or why nothing could be learnt
            from it, or scored on it.
    """
    found: dict[str, str] = {}
    tallies: dict[str, Tally] = {}
    problems: dict[str, None] = {}  # a set that keeps its order: splits may share files
    classes: Sequence[str] = ()
    for split in dataset.splits(folder):
        try:
            loaded = dataset(folder, split)
            classes = loaded.classes
            tallies[split] = Tally(len(classes))
            found[split] = loaded.verify(tallies[split])
        except DatasetError as error:
            problems |= dict.fromkeys(str(error).splitlines())
    if not problems:
        contents = contents_of(classes, tallies)
        problems |= {f"{folder.name.removesuffix('.partial')}: {refusal}": None for refusal in refusals(contents)}
    if problems:
        raise DatasetError("\n".join(abridged(list(problems), MOST_TOLD)))
    return found, contents


def _verify_whole(dataset: type[PlacedDataset], folder: Path) -> None:
    """Bring a data set into its form and verify it; write down what it holds, and its checksums unless they are."""
    dataset.convert(folder)
    found, contents = verify(dataset, folder)
    atomic_write(folder / CONTENTS, contents.model_dump_json(indent=1) + "\n")
    if not (file := folder / "checksums.json").is_file():
        counts = {split: len(dataset(folder, split)) for split in found}
        atomic_write(file, json.dumps({"recipe": counts, "sha256": found}, indent=2) + "\n")
    note_verified(folder)


@contextmanager
def _atomic_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the target's place when all went well and vanishes otherwise."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    partial.mkdir()
    try:
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetched(dataset: type[PlacedDataset], folder: Path, mirror: str | None) -> list[tuple[Archive, Path]]:
    if not dataset.archives:
        raise DatasetError(f"{dataset.name} cannot be downloaded: {dataset.advice}")
    return [(archive, fetch(archive, folder, mirror)) for archive in dataset.archives]

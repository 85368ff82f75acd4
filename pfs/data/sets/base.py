"""A data set that is not made here: where it comes from, and what its splits are."""

import os
from pathlib import Path
from typing import ClassVar, NamedTuple

from pfs.data.dataset import DatasetError, SegmentationDataset
from pfs.data.install.own.conversion import Conversion


class Archive(NamedTuple):
    """A file to fetch.

    Attributes:
        url: its official address.
        checksum: algorithm and hexadecimal digest, as "md5:6cd6...".
        into: the folder, in that of the data set, which it is unpacked into.
    """

    url: str
    checksum: str
    into: str = "."

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


class PlacedDataset(SegmentationDataset):
    """One split of a data set that `pfs data` has put into place.

    Args:
        folder: the folder that holds the data set, in the layout of its archives.
        split: one of `counts`.

    Raises:
        DatasetError: see `SegmentationDataset`.

    Attributes:
        name: of the folder, and of the data set on the command line.
        archives: where it comes from; none if nobody offers it whole and with a checksum.
        advice: for a data set without archives, how to come by it.
        counts: how many images each split has.
    """

    name: ClassVar[str]
    archives: ClassVar[tuple[Archive, ...]] = ()
    advice: ClassVar[str] = ""
    counts: ClassVar[dict[str, int]]

    def __init__(self, folder: str | Path, split: str) -> None:
        known = self.splits(Path(folder))
        if split not in known:
            raise DatasetError(f"{self.name} has no split {split!r}; valid choices: {', '.join(known)}")
        super().__init__(folder, split)

    @classmethod
    def splits(cls, folder: Path) -> list[str]:
        """The splits of the data set in that folder."""
        return list(cls.counts)

    @classmethod
    def required_paths(cls, folder: Path) -> list[str]:
        """The files and folders that a data set consists of, in a folder that may hold more."""
        raise NotImplementedError

    @classmethod
    def convert(cls, folder: Path) -> None:
        """Bring what the archives hold into the form that is read; most data sets are in it already."""

    @classmethod
    def take(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """Link a user's folder: nothing is copied, and nothing is ever written into it."""
        _link(cls, source, folder)

    @classmethod
    def check_source(cls, source: Path, folder: Path, conversion: Conversion) -> None:
        """Raise DatasetError if what is in place was not taken from that folder of the user's."""
        if not _is_linked(cls, source, folder):
            raise DatasetError(f"{folder} is there already; delete it first, to take {source} in its place")

    @property
    def repair_hint(self) -> str:
        """How to mend it. The files belong to the user, or came from an archive: they are never deleted here."""
        return f"restore it, then run the same command again, or: pfs data {self.name} --from FOLDER"

    def error(self, file: Path, problem: str) -> DatasetError:
        """One line: the file itself, not a link to it; what is wrong with it, how to mend it."""
        return super().error(Path(os.path.realpath(file)), problem)  # unlike `resolve`, it takes links in circles

    def _read_checksums(self) -> tuple[int | None, dict[str, str]]:
        placed = (self.folder / "checksums.json").is_file()
        return self._expected_count(), super()._read_checksums()[1] if placed else {}

    def _expected_count(self) -> int | None:
        return self.counts[self.split]


def _link(dataset: type[PlacedDataset], source: Path, folder: Path) -> None:
    required_paths = dataset.required_paths(source)
    if missing := [entry for entry in required_paths if not (source / entry).exists()]:
        origin = ", ".join(archive.url for archive in dataset.archives) or dataset.advice
        raise DatasetError(f"{source} lacks {', '.join(missing)}; {dataset.name} has them from: {origin}")
    for entry in required_paths:
        (folder / entry).parent.mkdir(parents=True, exist_ok=True)
        (folder / entry).symlink_to(source / entry)


def _is_linked(dataset: type[PlacedDataset], source: Path, folder: Path) -> bool:
    return all((folder / entry).resolve() == (source / entry).resolve() for entry in dataset.required_paths(source))

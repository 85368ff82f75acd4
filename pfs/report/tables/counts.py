"""`test_counts.npz`: what each run got right and wrong on each test image, small enough to be committed.

mIoU is made from three counts of a class: of its labelled pixels, of those that were found, and of the pixels that were
taken for it wrongly. With them for each image, anyone can recompute every test score of a study, and ask how much a
difference would vary with other test images. No torch here.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfs.data.groups import Groups
from pfs.report.tables.collected import ROUNDING, mend
from pfs.study.records import RecordError

COUNTS = "test_counts.npz"

Integers = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Run = tuple[str, int]  # method and seed


@dataclass(frozen=True)
class ImageCounts:
    """Pixel counts of C classes on N test images, for R runs.

    Attributes:
        runs: method and seed of each run.
        groups: which images belong together.
        labelled: (C, N): pixels that the label says are of the class; the same for all runs.
        hits: (C, N, R): those of them that the run says are of it too.
        false_positives: (C, N, R): pixels of other classes that the run says are of it.
    """

    runs: tuple[Run, ...]
    groups: Groups
    labelled: Integers
    hits: Integers
    false_positives: Integers

    @property
    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of the file, counts in the smallest integers that hold them."""
        methods, seeds = zip(*self.runs, strict=True)
        counts = {name: getattr(self, name) for name in ("labelled", "hits", "false_positives")}
        return {
            "method": np.array(methods),
            "seed": np.array(seeds, np.int32),
            "group_kind": np.array(self.groups.kind),
            "group": np.array(self.groups.names),
            **{name: array.astype(np.min_scalar_type(int(array.max(initial=0)))) for name, array in counts.items()},
        }

    @property
    def group_names(self) -> list[str]:
        """Each group once, sorted by name."""
        return sorted(set(self.groups.names))

    def of_groups(self, runs: Sequence[Run]) -> tuple[Floats, Floats]:
        """Hits and unions of some runs, added up over the images of each group: two arrays (G, R, C)."""
        _, group = np.unique(self.groups.names, return_inverse=True)  # in the order of `group_names`
        member = (group == np.arange(group.max() + 1)[:, None]).astype(np.float64)  # (G, N)
        columns = [self.runs.index(run) for run in runs]
        hits = self.hits[..., columns].astype(np.float64)  # (C, N, R)
        unions = self.labelled[..., None] + self.false_positives[..., columns].astype(np.float64)
        totals = [np.einsum("gn,cnr->grc", member, counts, optimize=True) for counts in (hits, unions)]
        return totals[0], totals[1]


class ClassCounts(NamedTuple):
    """Pixels of each class on each image, three arrays (C, N): labelled so, found, and predicted."""

    labelled: Integers
    hits: Integers
    predicted: Integers


def class_counts(matrices: Integers) -> ClassCounts:
    """The counts of one run from its confusion matrices (N, C, C); row: the label, column: the prediction."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return ClassCounts(matrices.sum(2).T, hits.T.copy(), matrices.sum(1).T)  # a copy lets go of the matrices


def counts_of(folder: Path, counts: Mapping[Run, ClassCounts], groups: Groups) -> ImageCounts:
    """The counts of several runs in one.

    Args:
        folder: the study's results, for the error.
        counts: of each run.
        groups: of the N images.

    Raises:
        RecordError: runs were scored on different labels.
    """
    labelled = next(iter(counts.values())).labelled
    for (method, seed), own in counts.items():
        if not np.array_equal(own.labelled, labelled):
            raise RecordError(f"{folder}: {method}/{seed} was scored on other labels than the first run: run it again")
    hits = np.stack([own.hits for own in counts.values()], axis=-1)
    false_positives = np.stack([own.predicted - own.hits for own in counts.values()], axis=-1)
    return ImageCounts(tuple(counts), groups, labelled, hits, false_positives)


def miou(hits: Floats, unions: Floats) -> Floats:
    """mIoU in percent of counts (..., C) that are summed over images; a class of an empty union does not count."""
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * np.nanmean(hits / unions, axis=-1))


def read_counts(folder: Path, runs: pd.DataFrame) -> ImageCounts | None:
    """The counts of a study's test images, checked against its table; None where there is no such file.

    Args:
        folder: the study's results.
        runs: its `runs.csv`.

    Raises:
        RecordError: the file is damaged, or a run's counts do not make the mIoU that the table has; one line.
    """
    path = folder / COUNTS
    if not path.is_file():
        return None
    counts = _read(path)
    _compare(path, counts, runs)
    return counts


def earlier_groups(folder: Path, labelled: Integers) -> Groups | None:
    """The groups that an earlier file of a study has of the same test images; None where none tells.

    Args:
        folder: the study's results.
        labelled: (C, N): labelled pixels of each class and image, by which images are known.
    """
    try:
        counts = _read(folder / COUNTS)
    except RecordError:
        return None
    return counts.groups if np.array_equal(counts.labelled, labelled) else None


def _read(path: Path) -> ImageCounts:
    """The counts of a file.

    Raises:
        RecordError: the file is missing or damaged; one line.
    """
    try:
        with np.load(path) as arrays:
            return _checked(dict(arrays))
    except (
        OSError,
        EOFError,
        ValueError,
        AttributeError,
        TypeError,
        KeyError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise RecordError(f"{path}: is damaged ({type(error).__name__}): {mend(path)}") from None


def _checked(arrays: Mapping[str, np.ndarray[Any, Any]]) -> ImageCounts:
    """The counts from the arrays of a file.

    Raises:
        KeyError: an array is missing.
        ValueError: their shapes or types are not those of `ImageCounts`.
    """
    runs = tuple(zip(map(str, arrays["method"]), map(int, arrays["seed"]), strict=True))
    groups = Groups(str(arrays["group_kind"]), tuple(map(str, arrays["group"])))
    labelled, hits, wrong = (arrays[name] for name in ("labelled", "hits", "false_positives"))
    shape = (len(labelled), len(groups.names))
    if labelled.shape != shape or not {hits.shape, wrong.shape} == {(*shape, len(runs))}:
        raise ValueError("arrays of other shapes")
    if not all(np.issubdtype(array.dtype, np.unsignedinteger) for array in (labelled, hits, wrong)):
        raise ValueError("counts that are no whole numbers of 0 or more")
    return ImageCounts(runs, groups, labelled, hits, wrong)


def _compare(path: Path, counts: ImageCounts, runs: pd.DataFrame) -> None:
    """Raise a RecordError where the table's mIoU of a run is not the one that its counts make."""
    test = runs[runs["split"] == "test"].set_index(["method", "seed"])["miou"]
    hits, unions = (totals.sum(0) for totals in counts.of_groups(counts.runs))  # (R, C)
    for run, score in zip(counts.runs, miou(hits, unions), strict=True):
        said = test.get(run)
        if said is None or not abs(said - score) <= ROUNDING:
            told = "has no row" if said is None else f"has {said:.4f}"
            name = f"{run[0]}, seed {run[1]}"
            raise RecordError(
                f"{path}: {name}: its counts make a test mIoU of {score:.4f}, runs.csv {told}: {mend(path)}"
            )

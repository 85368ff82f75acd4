"""Reads `walkthrough.npz`, which `pfs walkthrough quick` makes from the finished runs of `quick`.

The arrays of the file: `images` (S, H, W, 3) uint8 and `labels` (S, H, W) uint8; `logits/<network>` (S, C, h, w) and
`features/<layer>/<network>` (S, c, h', w') in fp16, and the same of snapshots of the training, `.../<step>`; and
`record`, JSON as bytes. torch is imported when a tensor is asked for, not before.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pfs.config.base import StudyError
from pfs.config.checksums import sha256
from pfs.config.files import repository

if TYPE_CHECKING:
    from torch import Tensor

Arrays = Mapping[str, npt.NDArray[Any]]
FILE = "walkthrough.npz"  # its name in the folder of a study's results
WEIGHTS = "walkthrough_weights"  # the folder beside it, with the weights of a few of its networks
COMMAND = "pfs walkthrough quick"


class WalkthroughError(StudyError):
    """The walkthroughs' data are missing or broken, or do not hold what is asked for."""


@dataclass(frozen=True)
class Walkthrough:
    """Scenes, and what each network makes of them.

    Attributes:
        file: where it was read from.
        images: (S, H, W, 3) uint8.
        labels: (S, H, W) int64; `ignore_index` where a pixel is not scored.
        classes: the names of the C classes, in the order of the labels.
        ignore_index: the label of pixels that are not scored.
        networks: "teacher", and the students by their methods.
        snapshots: the steps of the training, but for its end, after which the students' weights were kept.
        record: where the numbers come from: `study`, `seed`, `steps`, `layer` (which features are distilled), `scenes`
            (the rule by which they were taken), and `runs`: network -> commit and checksums of its weights.
        arrays: the outputs as they are in the file.
    """

    file: Path
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    ignore_index: int
    networks: tuple[str, ...]
    snapshots: tuple[int, ...]
    record: dict[str, Any]
    arrays: Arrays

    def logits(self, network: str, snapshot: int | None = None) -> "Tensor":
        """A network's logits (S, C, h, w) in fp32, at the end of its training or at a snapshot's step.

        Raises:
            WalkthroughError: the file holds none of this network and step.
        """
        return self._tensor("logits", network, snapshot)

    def features(self, network: str, snapshot: int | None = None, layer: str | None = None) -> "Tensor":
        """A network's features (S, c, h, w) in fp32, at the end of its training or at a snapshot's step.

        Args:
            network: one of `networks`.
            snapshot: one of `snapshots`; None: the end of the training.
            layer: one of `layers(network)`; None: the layer that the study distils.

        Raises:
            WalkthroughError: the file holds none of this network, step and layer.
        """
        return self._tensor(f"features/{layer or self.record['layer']}", network, snapshot)

    def layers(self, network: str, snapshot: int | None = None) -> tuple[str, ...]:
        """The layers whose features the file holds of a network, in the order of the network's layers."""
        end = _end(network, snapshot)
        return tuple(name.split("/")[1] for name in self.arrays if name.startswith("features/") and name.endswith(end))

    def weights(self, network: str) -> "dict[str, Tensor]":
        """The trained weights of a network, as `load_state_dict` takes them.

        Raises:
            WalkthroughError: the file of weights is missing or broken, or there is none of this network.
        """
        from safetensors.torch import load_file

        known = self.record["weights"]
        if network not in known:
            raise WalkthroughError(f"{self.file}: no weights of {network!r} are kept, only of {', '.join(known)}")
        file = self.file.parent / WEIGHTS / f"{network}.safetensors"
        if not file.is_file() or sha256(file) != known[network]:
            raise WalkthroughError(f"{file} is missing or not as it was written: run {COMMAND}, or restore it with git")
        return load_file(file)

    def _tensor(self, what: str, network: str, snapshot: int | None) -> "Tensor":
        import torch

        name = what + _end(network, snapshot)
        if name not in self.arrays:
            valid = [found.removeprefix(f"{what}/") for found in self.arrays if found.startswith(f"{what}/")]
            has = f"; it has {', '.join(valid)}" if valid else ""
            raise WalkthroughError(f"{self.file} holds no {what} of {name.removeprefix(f'{what}/')}{has}")
        return torch.from_numpy(self.arrays[name].astype(np.float32))


def _end(network: str, snapshot: int | None) -> str:
    """How the name of a network's array ends: `/pfs`, or `/pfs/40` after 40 steps."""
    return f"/{network}" if snapshot is None else f"/{network}/{snapshot}"


def load_walkthrough(file: Path | None = None) -> Walkthrough:
    """Read the walkthroughs' data and check them.

    Args:
        file: None: `results/quick/walkthrough.npz` of the clone.

    Raises:
        WalkthroughError: the file is missing or not as it was written; names it, and the command that makes it.
    """
    file = file or repository() / "results" / "quick" / FILE
    arrays = _read(file)
    try:
        record = json.loads(arrays.pop("record").tobytes())
        if record["sha256"] != arrays_checksum(arrays):
            raise ValueError("its checksum is another")
        images, labels = arrays.pop("images"), arrays.pop("labels").astype(np.int64)
        _check_shapes(images, labels, arrays, len(record["classes"]))
    except (ValueError, KeyError) as error:
        raise WalkthroughError(f"{file} is not as it was written ({error}): run {COMMAND}") from None
    return Walkthrough(
        file=file,
        images=images,
        labels=labels,
        classes=tuple(record["classes"]),
        ignore_index=record["ignore_index"],
        networks=tuple(record["runs"]),
        snapshots=tuple(record["snapshots"]),
        record=record,
        arrays=arrays,
    )


def _read(file: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a file; nothing in it is executed."""
    if not file.is_file():
        raise WalkthroughError(f"{file} is missing: run {COMMAND}, which makes it from the finished runs of that study")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (BadZipFile, ValueError, OSError, EOFError) as error:
        raise WalkthroughError(f"{file} cannot be read ({error}): run {COMMAND}") from None


def _check_shapes(images: npt.NDArray[Any], labels: npt.NDArray[Any], outputs: Arrays, classes: int) -> None:
    """Raise a ValueError that names the first array that does not fit the images and the classes."""
    if images.ndim != 4 or images.shape[3] != 3 or labels.shape != images.shape[:3]:
        raise ValueError(f"images {images.shape} and labels {labels.shape} do not belong together")
    for name, array in outputs.items():
        channels = classes if name.startswith("logits/") else array.shape[1] if array.ndim == 4 else None
        if array.ndim != 4 or array.shape[:2] != (len(images), channels):
            raise ValueError(f"{name} is {array.shape}, for {len(images)} images and {classes} classes")


def arrays_checksum(arrays: Arrays) -> str:
    """The sha256 of names, types, shapes and numbers, but for those of `record`."""
    digest = hashlib.sha256()
    for name in sorted({*arrays} - {"record"}):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

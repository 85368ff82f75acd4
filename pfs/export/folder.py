"""The folder of an exported network: which files it has, and what its config.json says. No torch here.

model.safetensors   the weights
model.onnx          the network as a program of its own: images in, logits out
model.int8.onnx     the same with weights and activations in 8 bits, where it was asked for
config.json         what is needed to use them, and the checksum of each; everything of ours is under "_pfs"
README.md           the model card
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from pfs.config.base import Strict, StudyError
from pfs.config.checksums import sha256
from pfs.config.files import atomic_write
from pfs.config.networks import Network

WEIGHTS, ONNX, INT8, CONFIG, CARD = "model.safetensors", "model.onnx", "model.int8.onnx", "config.json", "README.md"
# segmentation-models-pytorch hands each key of a config.json to a network, but for those that begin with "_".
BLOCK = "_pfs"


class ExportError(StudyError):
    """A network cannot be exported, or an exported one cannot be used; the message is one line."""


class Block(Strict):
    """A block of config.json: keys of later versions are passed over."""

    model_config = ConfigDict(extra="ignore")


class Normalisation(Block):
    """What the network is shown: (colour - mean) / deviation, of colours red, green and blue from 0 to 255."""

    mean: list[float]
    deviation: list[float]


class Quantised(Block):
    """What 8 bits cost: mIoU in percent of the fp32 and of the int8 network on whole images, by split."""

    fp32: dict[str, float]
    int8: dict[str, float]
    calibrated_on: int


class Description(Block):
    """What the config.json of an exported folder says.

    Attributes:
        classes: their names, in the order of the logits' channels.
        palette: a colour (red, green, blue) for each class.
        ignore_index: the label of pixels that are not scored.
        normalisation: is inside of the ONNX files, and is needed for the weights alone.
        buffers: what belongs to the network's state and is not in model.safetensors, by name.
        commit: of the code that trained the network.
        miou: in percent, by split, as the study scored the network.
        int8: None where there is no int8 network.
        sha256: the checksum of each file, by name.
    """

    study: str
    method: str
    seed: int
    commit: str
    network: Network
    classes: list[str]
    palette: list[list[int]]
    ignore_index: int
    normalisation: Normalisation
    buffers: dict[str, list[float]]
    data_checksum: str
    miou: dict[str, float]
    int8: Quantised | None = None
    sha256: dict[str, str]


def write_description(folder: Path, description: Description, library: dict[str, Any]) -> None:
    """Write config.json, whole, with what `library`, segmentation-models-pytorch, wants to read in it."""
    content = {**library, BLOCK: description.model_dump(mode="json", exclude_none=True)}
    atomic_write(folder / CONFIG, json.dumps(content, indent=1) + "\n")


def is_exported(folder: Path) -> bool:
    """Whether any version of `pfs export` wrote a folder."""
    try:
        return BLOCK in json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def read_description(folder: Path) -> Description:
    """What the config.json of an exported folder says.

    Raises:
        ExportError: there is none, or it is not one that `pfs export` wrote.
    """
    file = folder / CONFIG
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder: name one that `pfs export` wrote, or an .onnx file in it")
    if not file.is_file():
        raise ExportError(f"{file} is missing: name a folder that `pfs export` wrote, with all of its files")
    try:
        return Description.model_validate_json(json.dumps(json.loads(file.read_text(encoding="utf-8"))[BLOCK]))
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise ExportError(f"{file}: {key}: {fault['msg']}: it is not as `pfs export` wrote it; export again") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ExportError(f"{file} is none of `pfs export`'s ({type(error).__name__}: {error}); export again") from None


def checked_file(folder: Path, description: Description, name: str) -> Path:
    """A file of an exported folder, held against its checksum.

    Raises:
        ExportError: it is missing, the folder has no such file, or it is not as it was written.
    """
    file = folder / name
    if name not in description.sha256:
        known = ", ".join(description.sha256)
        raise ExportError(f"{file}: {folder / CONFIG} knows no such file, but {known}: name one of them, or the folder")
    if not file.is_file():
        raise ExportError(f"{file} is missing: copy the folder again, with all of its files, or export again")
    if sha256(file) != description.sha256[name]:
        raise ExportError(f"{file} is not as it was written: it was truncated, edited or damaged: export again")
    return file

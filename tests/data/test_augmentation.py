"""Augmented views of training images: fixed, drawn alike whenever they are drawn, and cached where they fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pfs.config import data as config
from pfs.data.augmentation import AugmentedSplit, AugmentedViews, augmented_split
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.data.splits import ImageSplit, batch_order, normalize
from pfs.study.trial import miniatures
from pfs.training.teacher import OnlineTeacher, cache_teacher, open_teacher_outputs
from tests.data.noise import small_teacher

# --- fixed views --------------------------------------------------------------------------------------------


class EvalSplit:
    """Two pictures of different sizes; the label of a pixel is its red value."""

    ignore_index = 255

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[Image.Image, Image.Image]:
        height, width = ((20, 30), (9, 40))[index]
        red = np.random.default_rng(index).integers(0, 5, (height, width)).astype(np.uint8)
        return Image.fromarray(np.stack([red] * 3, axis=2)), Image.fromarray(red, "P")


def views(**changes: object) -> AugmentedViews:
    spec = config.AugmentationConfig.model_validate(
        {"count": 3, "crop": [12, 16], "scale": [0.5, 2.0], "color": 0.4} | changes
    )
    return AugmentedViews(EvalSplit(), spec)  # type: ignore[arg-type]


def test_a_view_is_a_function_of_seed_scene_and_view() -> None:
    drawn, again = [views()[row] for row in range(6)], [views()[row] for row in (5, 4, 3, 2, 1, 0)][::-1]
    for (image, label), (same_image, same_label) in zip(drawn, again, strict=True):
        assert image.dtype == label.dtype == torch.uint8
        assert (tuple(image.shape), tuple(label.shape)) == ((3, 12, 16), (12, 16))
        assert torch.equal(image, same_image) and torch.equal(label, same_label)
    assert not any(torch.equal(drawn[0][0], other) for other, _ in drawn[1:])
    assert not torch.equal(views(seed=1)[0][0], drawn[0][0])


def test_drawing_a_view_leaves_torchs_random_state_alone() -> None:
    before = torch.get_rng_state()
    views()[0]
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_move_with_the_pixels_and_are_ignored_outside() -> None:
    for row in range(6):
        image, label = views(scale=[1.0, 1.0], color=0.0)[row]
        inside = label != 255
        assert torch.equal(image[0][inside], label[inside])
        assert image[0][~inside].eq(127).all()
        assert inside.all() == (row % 2 == 0)  # the second picture is lower than the crop


class Edges:
    """Images that are their own masks: class 1 in white at the right or below, class 0 in black elsewhere."""

    ignore_index = 255
    side = 96

    def __len__(self) -> int:
        return 48

    def __getitem__(self, index: int) -> tuple[Image.Image, Image.Image]:
        mask = np.zeros((self.side, self.side), np.uint8)
        mask[24 + index :] = 1
        mask = mask if index % 2 else mask.T
        return Image.fromarray(np.stack([255 * mask] * 3, axis=2)), Image.fromarray(mask, "P")


@pytest.mark.parametrize("scale", [0.6, 0.7, 0.8, 0.9, 1.1, 1.37, 1.7])
def test_labels_lie_where_their_image_does_at_every_scale(scale: float) -> None:
    """How far a label's edge lies behind its image's, to a fraction of a pixel: what the image has more in white."""
    side = round(scale * Edges.side)
    spec = config.AugmentationConfig(count=1, crop=[side, side], scale=[scale, scale], flip=False)
    drawn = AugmentedViews(Edges(), spec)  # type: ignore[arg-type]
    offsets = [
        float(image[0].double().sum() / 255 - label.sum()) / side for image, label in map(drawn.__getitem__, range(48))
    ]
    assert abs(np.mean(offsets)) < 0.1  # taken by their corners, labels lie 0.4 to 0.5 pixels behind


def test_views_come_in_the_order_that_is_asked_for() -> None:
    """Drawn by other processes, from any step on."""
    scenes = AugmentedSplit(views())
    order = batch_order(2, 2, 4, seed=0, views=3)
    whole = list(scenes.batches(order, torch.device("cpu")))
    resumed = list(scenes.batches(order[2:], torch.device("cpu")))
    for (image, _, label), (same_image, _, same_label) in zip(whole[2:], resumed, strict=True):
        assert torch.equal(image, same_image) and torch.equal(label, same_label)
    pixels, labels = scenes.read(order[3].tolist())
    assert torch.equal(whole[3][0], normalize(pixels)) and torch.equal(whole[3][2], labels.long())


def test_cached_answers_are_those_of_each_view(tmp_path: Path) -> None:
    scenes, teacher = AugmentedSplit(views()), small_teacher()
    cache_teacher(teacher, scenes, tmp_path / "outputs", batch_size=2)
    rows = torch.tensor([4, 1])
    inputs = normalize(scenes.read(rows.tolist())[0])
    cached = open_teacher_outputs(tmp_path / "outputs").outputs(rows, inputs)
    asked = OnlineTeacher(teacher).outputs(rows, inputs)
    torch.testing.assert_close(tuple(cached), tuple(asked), rtol=0.01, atol=1e-4)


# --- views that are kept ------------------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path: Path) -> OwnFolder:
    """Two small pictures on a disk, and room beside them."""
    source = tmp_path / "own"
    source.mkdir()
    return OwnFolder(place(OwnFolder, tmp_path, source=miniatures.own_folder(source)), "train")


def kept_views(dataset: OwnFolder, **changes: object) -> AugmentedViews:
    spec = {"count": 3, "crop": [12, 16], "scale": [0.5, 2.0], "color": 0.4} | changes
    return AugmentedViews(dataset, config.AugmentationConfig.model_validate(spec))


def test_kept_views_are_those_that_would_be_drawn(photographs: OwnFolder) -> None:
    drawn = kept_views(photographs)
    kept, fresh = augmented_split(drawn), AugmentedSplit(drawn)
    assert isinstance(kept, ImageSplit)
    assert (len(kept), kept.views, kept.size) == (len(fresh), fresh.views, fresh.size)
    order = batch_order(len(fresh), 2, 5, seed=0, views=fresh.views)
    device = torch.device("cpu")
    for (image, _, label), (same, _, same_label) in zip(
        kept.batches(order, device), fresh.batches(order, device), strict=True
    ):
        assert torch.equal(image, same) and torch.equal(label, same_label)


def test_views_are_drawn_once_until_anything_about_them_changes(
    photographs: OwnFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = photographs.folder / "decoded"
    augmented_split(kept_views(photographs))
    with monkeypatch.context() as nothing_is_read:
        nothing_is_read.setattr(OwnFolder, "__getitem__", None)
        augmented_split(kept_views(photographs))
    assert len(list(files.glob("*.pt"))) == 1
    augmented_split(kept_views(photographs, seed=1))
    augmented_split(kept_views(photographs.part(photographs.names[1:])))
    assert len(list(files.glob("*.pt"))) == 3


def test_many_views_are_drawn_anew_by_every_run(photographs: OwnFolder) -> None:
    many = augmented_split(kept_views(photographs, count=2**21))
    assert isinstance(many, AugmentedSplit)
    assert not (photographs.folder / "decoded").exists()

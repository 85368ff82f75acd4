"""The order of the scenes, their fixed views, and the teacher's cached outputs."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pfs.config import data as config
from pfs.config.checksums import LIST, files_under, write_checksums
from pfs.config.methods import Method
from pfs.data.augmentation import AugmentedSplit, AugmentedViews, augmented_split
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.data.splits import ImageSplit, batch_order, normalize
from pfs.losses import Prediction
from pfs.losses.pfs import squared_norm
from pfs.models.dilated_resnet import DilatedResNet
from pfs.study.trial import miniatures
from pfs.training.machine import autocast
from pfs.training.objective import Objective
from pfs.training.teacher import CacheError, CacheTooLargeError, OnlineTeacher, cache_teacher, open_teacher_outputs


def images(scenes: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (scenes, 3, 16, 16), generator=generator, dtype=torch.uint8)


def scenes_of(pixels: torch.Tensor) -> ImageSplit:
    return ImageSplit(pixels, torch.zeros(len(pixels), *pixels.shape[2:], dtype=torch.uint8))


def small_teacher() -> nn.Module:
    torch.manual_seed(0)
    return DilatedResNet(4, 11).eval()


def test_an_epoch_shows_every_scene_once_but_for_the_last_incomplete_batch() -> None:
    order = batch_order(10, 3, 7, seed=0)
    assert order.shape == (7, 3)
    for epoch in (order[:3], order[3:6]):
        assert len(torch.unique(epoch)) == 9
    assert not torch.equal(order[:3], order[3:6])


def test_each_epoch_shows_the_next_view_of_the_same_order() -> None:
    """Row: view times scenes, plus scene. The order of the scenes does not depend on how many views there are."""
    one, three = (batch_order(10, 3, 15, seed=0, views=views) for views in (1, 3))
    assert torch.equal(three % 10, one)
    assert (three // 10).view(5, 9).tolist() == [[epoch % 3] * 9 for epoch in range(5)]


def test_the_order_is_a_function_of_the_seed_alone() -> None:
    assert torch.equal(batch_order(10, 3, 7, seed=1), batch_order(10, 3, 7, seed=1))
    assert not torch.equal(batch_order(10, 3, 7, seed=1), batch_order(10, 3, 7, seed=2))
    # A longer schedule begins with the shorter one.
    assert torch.equal(batch_order(10, 3, 9, seed=1)[:7], batch_order(10, 3, 7, seed=1))


def test_fewer_scenes_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="a batch takes 16 images and the split has 10"):
        batch_order(10, 16, 1, seed=0)


def test_normalised_images_are_about_zero_mean_and_unit_variance() -> None:
    values = normalize(images(50))
    assert values.dtype == torch.float32
    assert abs(float(values.mean())) < 0.05
    assert 0.8 < float(values.std()) < 1.3


def test_cached_outputs_are_the_teachers_own(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes_of(scenes), tmp_path / "outputs", batch_size=2)
    chosen = torch.tensor([3, 0, 4])
    cached = open_teacher_outputs(tmp_path / "outputs").outputs(chosen, scenes)
    with torch.no_grad(), autocast(teacher):
        expected = teacher(normalize(scenes[chosen]))
    for kept, answer in ((cached.logits, expected.logits), (cached.features, expected.features)):
        assert kept.dtype == torch.float32
        torch.testing.assert_close(kept, answer.bfloat16().float(), rtol=0.01, atol=1e-4)
    torch.testing.assert_close(cached.teacher_terms, squared_norm(cached.features), rtol=1e-5, atol=0)


def test_a_cache_of_another_version_is_told(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    file = tmp_path / "outputs" / "shapes.json"
    file.write_text(file.read_text().replace("teacher_terms", "squared_norm"))
    write_checksums(file.with_name(LIST), files_under(file.parent))  # not broken: written so by other code
    with pytest.raises(CacheError, match=r"outputs: the teacher's outputs are of another version; run train_teacher"):
        open_teacher_outputs(tmp_path / "outputs")


def test_a_new_cache_takes_the_place_of_old_ones_and_of_what_a_killed_process_left(tmp_path: Path) -> None:
    for name in ("outputs-old", "outputs-new.unfinished"):
        (tmp_path / name).mkdir()
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs-new", batch_size=5)
    assert [folder.name for folder in tmp_path.iterdir()] == ["outputs-new"]


def test_what_a_reader_writes_stays_with_it(tmp_path: Path) -> None:
    cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    before = open_teacher_outputs(tmp_path / "outputs").logits.clone()
    open_teacher_outputs(tmp_path / "outputs").logits.zero_()
    assert torch.equal(open_teacher_outputs(tmp_path / "outputs").logits, before)


def test_a_loss_from_the_cache_is_the_loss_on_the_fly(tmp_path: Path) -> None:
    teacher, scenes = small_teacher(), images()
    cache_teacher(teacher, scenes_of(scenes), tmp_path / "outputs", batch_size=5)
    labels = torch.randint(0, 11, (5, 16, 16), dtype=torch.uint8)
    everything = torch.arange(5)
    inputs, cached, target = ImageSplit(scenes, labels, open_teacher_outputs(tmp_path / "outputs")).batch(
        everything, torch.device("cpu")
    )
    torch.manual_seed(1)
    with torch.no_grad():
        student, answer = DilatedResNet(4, 11)(inputs), teacher(inputs)
    method = Method.model_validate({"pfs": {"weight": 1.0}, "wsp": {"weight": 1.0}, "kd": {"weight": 1.0}})
    objective = Objective(method, ignore_index=255)
    from_cache, on_the_fly = objective(student, cached, target), objective(student, answer, target)
    for name, loss in on_the_fly.items():
        torch.testing.assert_close(from_cache[name], loss, rtol=0.02, atol=1e-5)


def test_an_output_that_is_not_finite_is_refused_and_leaves_no_cache(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> Prediction:
            return Prediction(x, x.new_full((len(x), 2, 4, 4), torch.nan))

    with pytest.raises(CacheError, match="features for rows 0 to 1 are not finite"):
        cache_teacher(Broken(), scenes_of(images()), tmp_path / "outputs", batch_size=2)
    assert not (tmp_path / "outputs").exists()
    with pytest.raises(CacheError, match=r"run train_teacher\.ipynb first"):
        open_teacher_outputs(tmp_path / "outputs")


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(CacheTooLargeError, match=r"outputs for 5 images take \S+ GiB, \S+ GiB are free$"):
        cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_cache_above_its_limit_is_refused_with_the_sizes(tmp_path: Path) -> None:
    limit = 1e-9
    with pytest.raises(CacheTooLargeError, match=r"the study's cache_gib allows 1e-09"):
        cache_teacher(small_teacher(), scenes_of(images()), tmp_path / "outputs", batch_size=5, limit_gib=limit)
    assert not any(tmp_path.iterdir())


# --- fixed views --------------------------------------------------------------------------------------------


class Pictures:
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
    return AugmentedViews(Pictures(), spec)  # type: ignore[arg-type]


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


def test_cached_outputs_are_those_of_each_view(tmp_path: Path) -> None:
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

"""The order in which training images are seen, and the splits that a study is scored on."""

from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from pfs.config import data as data_config
from pfs.data.build import build
from pfs.data.dataset import DatasetError
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.data.splits import batch_order, normalize
from pfs.study.trial import miniatures
from pfs.training.evaluation import ScoredSplit
from pfs.training.run import load_eval_splits, open_run
from tests.data.noise import images
from tests.data.trees import tree


def scored(spec: data_config.Data, root: Path, **changes: object) -> dict[str, ScoredSplit]:
    """The splits that a study of these data is scored on."""
    network = {"name": "dilated_resnet", "width": 4}
    schedule = {"network": network, "steps": 1, "batch_size": 2, "learning_rate": 0.1}
    content = {"name": "s", "data": spec.model_dump(exclude_none=True), "teacher": schedule, "student": schedule}
    methods = {"methods": {"ce": {}}, "reference": "ce", "seeds": [0]}
    file = root.with_name("s.yaml")
    file.write_text(yaml.safe_dump({**content, **methods, **changes}), encoding="utf-8")
    run = open_run(str(file), "ce", 0, str(root), threads=1)
    return load_eval_splits(run, build(spec, root), (miniatures.HEIGHT, miniatures.WIDTH))


def test_data_without_a_split_that_is_scored_are_told_before_training(tmp_path: Path) -> None:
    place(OwnFolder, tmp_path / "data", source=tree(OwnFolder, tmp_path))
    with pytest.raises(DatasetError, match=r"have no test \(only train, val\): say in the study's data, with holdout"):
        scored(data_config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")


def test_pictures_of_many_sizes_are_scored_where_the_study_says_how(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    for kind in ("images/val/02.jpeg", "masks/val/02.png"):
        Image.open(source / kind).resize((6, 5), Image.Resampling.NEAREST).save(source / kind.replace("02.", "03."))
    place(OwnFolder, tmp_path / "data", source=source)
    spec = data_config.OwnFolderConfig(name="folder", folder="own", holdout=1)
    with pytest.raises(DatasetError, match=r"03.jpeg is 6x5, .*; say augmentation, which crops them, and evaluation"):
        scored(spec, tmp_path / "data")
    pictures = scored(spec, tmp_path / "data", evaluation={})["test"]
    shapes = [tuple(label.shape) for _, _, label in pictures.batches(torch.arange(2).split(1), torch.device("cpu"))]  # type: ignore[no-untyped-call]
    assert shapes == [(1, miniatures.HEIGHT, miniatures.WIDTH), (1, 5, 6)]
    images, labels = pictures.read([0, 1])  # for the figures, in frames of one size
    assert images.shape == (2, 3, miniatures.HEIGHT, miniatures.WIDTH)
    assert (labels[1, :5, :6] != 255).any() and (labels[1, 5:] == 255).all() and (labels[1, :, 6:] == 255).all()


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

"""What the prose of walkthroughs 1 and 2, and of the page, says of the committed data is so."""

import pandas as pd
import pytest
import torch
from torch import Tensor

from pfs.config.files import repository
from pfs.losses import pfs_loss
from pfs.losses.baselines import skd_pairwise_loss
from pfs.losses.definition import similarity_maps
from pfs.losses.pfs import dense_is_cheaper
from pfs.walkthrough.arrays import Walkthrough, load_walkthrough
from pfs.walkthrough.lessons import alike, whom
from pfs.walkthrough.lessons.whom.numbers import likeness


@pytest.fixture(scope="module")
def committed() -> Walkthrough:
    return load_walkthrough()


@pytest.fixture(scope="module")
def teacher(committed: Walkthrough) -> Tensor:
    return committed.features("teacher")


def maps_of(features: Tensor, center: bool) -> Tensor:
    return torch.stack([alike.maps_of(image, alike.Reading(center=center)) for image in features])


# --- 1. What is alike? --------------------------------------------------------------------------------------


def test_at_the_start_the_means_are_most_of_the_uncentred_loss_and_none_of_the_centred_one(
    committed: Walkthrough, teacher: Tensor
) -> None:
    start = committed.features("ce", committed.snapshots[0])
    for image, taught in zip(start, teacher, strict=True):  # the page says it of each image
        assert alike.share_of_means(maps_of(image[None], False), maps_of(taught[None], False)) > 0.5
    assert alike.share_of_means(maps_of(start, True), maps_of(teacher, True)) < 0.01
    assert maps_of(start, False).mean() > 0.8 > 0.5 > maps_of(teacher, False).mean()


def test_in_the_end_the_student_alone_has_the_mean_similarity_nearly_right(
    committed: Walkthrough, teacher: Tensor
) -> None:
    alone = committed.features("ce")[:1]
    assert alike.share_of_means(maps_of(alone, False), maps_of(teacher[:1], False)) < 0.1
    assert pfs_loss(alone, teacher[:1]) > 1.5 * pfs_loss(alone, teacher[:1], center=False)


def test_the_loss_of_the_student_alone_rises_between_two_snapshots_in_fewer_directions(
    committed: Walkthrough, teacher: Tensor
) -> None:
    before, after = ([committed.features(name, step) for name in ("ce", "pfs")] for step in committed.snapshots[1:])
    for image in range(len(teacher)):
        taught = teacher[[image]]
        assert pfs_loss(after[0][[image]], taught) > pfs_loss(before[0][[image]], taught)
        assert pfs_loss(after[1][[image]], taught) < pfs_loss(before[1][[image]], taught)
    spread = [[alike.directions(similarity_maps(features)) for features in step] for step in (before, after)]
    assert spread[1][0] < spread[0][0] and spread[1][1] > spread[0][1]


def test_pfs_is_smaller_with_pfs_from_the_first_snapshot_on(committed: Walkthrough, teacher: Tensor) -> None:
    first, *others = committed.snapshots
    assert torch.equal(committed.features("ce", first), committed.features("pfs", first))
    for step in (*others, None):
        assert pfs_loss(committed.features("pfs", step), teacher) < pfs_loss(committed.features("ce", step), teacher)


def test_the_order_is_there_in_part_one_stage_before(committed: Walkthrough, teacher: Tensor) -> None:
    """Its maps resemble those of the last stage; those before the ReLU are nearly the same."""
    last = similarity_maps(teacher).flatten()
    likeness = {
        layer: float(
            torch.corrcoef(torch.stack([similarity_maps(committed.features("teacher", layer=layer)).flatten(), last]))[
                0, 1
            ]
        )
        for layer in ("stage3", "before_relu")
    }
    assert 0.6 < likeness["stage3"] < 0.9 < likeness["before_relu"]


def test_the_largest_losses_of_image_1_are_in_the_background(committed: Walkthrough, teacher: Tensor) -> None:
    losses = alike.rows_of_losses(committed.features("ce")[0], teacher[0], alike.Reading())
    label = torch.as_tensor(committed.labels[0])[2::4, 2::4]
    assert (label[losses >= losses.quantile(0.9)] == 0).all()


# --- 2. Whom to listen to? ----------------------------------------------------------------------------------


def test_the_teachers_errors_get_a_smaller_share_of_the_weight_than_of_the_pixels_but_some(
    committed: Walkthrough,
) -> None:
    for image in range(len(committed.images)):
        pair = whom.Pair.of(committed, image, "ce")
        pixels, weight = (whom.shares(whom.weights(pair, gap), whom.regions(pair)) for gap in ("uniform", "margin"))
        assert 0 < weight["the teacher's errors"] < pixels["the teacher's errors"]


def test_the_doubt_spends_a_large_part_of_its_weight_on_the_errors_of_the_image_shown(committed: Walkthrough) -> None:
    pair = whom.Pair.of(committed, whom.image_of_most_errors(committed), "ce")
    assert whom.shares(whom.weights(pair, "student"), whom.regions(pair))["the teacher's errors"] > 0.4
    assert likeness(pair, least=0.9) > 0.95


def test_the_student_that_learnt_by_wsp_has_a_smaller_gap_and_less_of_it_in_the_background(
    committed: Walkthrough,
) -> None:
    gaps, background = [], []
    for student in ("ce", "wsp"):
        pairs = [whom.Pair.of(committed, image, student) for image in range(len(committed.images))]
        weights = [whom.weights(pair, "margin", normalize=False) for pair in pairs]
        gaps.append(sum(float(weight.sum()) for weight in weights))
        masks = [whom.regions(pair)["background"] for pair in pairs]
        parts = (float(weight[mask].sum()) for weight, mask in zip(weights, masks, strict=True))
        background.append(sum(parts) / gaps[-1])
    assert gaps[1] < gaps[0] and background[1] < background[0]
    assert background[1] < 0.5


def test_the_student_that_learnt_by_its_own_doubt_did_not_end_below_the_other() -> None:
    runs = pd.read_csv(repository() / "results" / "digits_gaps" / "runs.csv")
    miou = runs[runs["split"] == "test"].set_index("method")["miou"]
    assert miou["student"] >= miou["margin"]


# --- 3. Sixteen nodes or every pixel ------------------------------------------------------------------------


def test_pfs_brings_the_maps_closer_on_every_grid_and_the_cheaper_way_changes_at_the_finest(
    committed: Walkthrough, teacher: Tensor
) -> None:
    alone, with_pfs = (committed.features(name) for name in ("ce", "pfs"))
    for grid in (2, 4, 8, 16):
        losses = [skd_pairwise_loss(student, teacher, grid=grid, center=True) for student in (alone, with_pfs)]
        assert losses[1] < losses[0]
    channels = alone.shape[1], teacher.shape[1]
    assert [dense_is_cheaper(grid**2, *channels) for grid in (2, 4, 8, 16)] == [True, True, True, False]
    assert [dense_is_cheaper(locations, 256, 256) for locations in (256, 1024)] == [True, False]

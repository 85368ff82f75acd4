"""The entries that the walkthrough shows add up to the loss that a study computes."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from pfs.losses import pfs_loss
from pfs.losses.definition import similarity_maps
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import (
    Reading,
    clearest_place,
    directions,
    entries_of_loss,
    loss_of,
    loss_of_rows,
    maps_of,
    rows_of_losses,
    share_of_means,
)

READINGS = [
    Reading(center, similarity, distance, temperature)  # type: ignore[arg-type]
    for center, similarity, distance, temperature in product(
        (True, False), ("cosine", "dot"), ("squared", "kl"), (0.05, 1.0)
    )
]


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_the_entries_join_to_pfs_loss(tiny: Walkthrough, reading: Reading) -> None:
    student, teacher = tiny.features("ce")[0], tiny.features("teacher")[0]
    entries = entries_of_loss(maps_of(student, reading), maps_of(teacher, reading), reading)
    expected = float(pfs_loss(student[None], teacher[None], **reading.options))
    assert float(loss_of_rows(entries, reading).mean()) == pytest.approx(expected, rel=1e-3, abs=1e-7)
    assert loss_of(student, teacher, reading) == expected


def test_the_default_reading_has_the_maps_of_the_definition(tiny: Walkthrough) -> None:
    features = tiny.features("pfs")
    torch.testing.assert_close(maps_of(features[1], Reading()), similarity_maps(features)[1], atol=1e-5, rtol=1e-4)


def test_losses_of_maps_lie_where_their_locations_do(tiny: Walkthrough) -> None:
    student, teacher = tiny.features("ce")[0], tiny.features("teacher")[0]
    losses = rows_of_losses(student, teacher, Reading())
    maps = [maps_of(x, Reading()) for x in (student, teacher)]
    assert losses.shape == (8, 8)
    assert float(losses[2, 3]) == pytest.approx(float((maps[0][2 * 8 + 3] - maps[1][2 * 8 + 3]).square().mean()))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_with_nothing_in_common_are_as_many_directions(groups: int) -> None:
    group = torch.arange(8) % groups
    maps = (group[:, None] == group).float()
    assert directions(maps) == directions(torch.stack([maps, maps])) == groups


def test_the_share_of_the_means_is_all_of_a_constant_difference_and_none_of_a_balanced_one() -> None:
    teacher = torch.eye(2)
    assert share_of_means(teacher + 0.5, teacher) == 1.0
    assert share_of_means(teacher + torch.tensor([[0.5, -0.5], [-0.5, 0.5]]), teacher) == 0.0
    assert share_of_means(teacher + torch.tensor([[1.0, 0.0], [0.0, 1.0]]), teacher) == 0.5


def test_the_walkthrough_begins_on_an_object_that_the_teacher_recognises(tiny: Walkthrough) -> None:
    image, row, column = clearest_place(tiny)
    assert tiny.labels[image, row, column] not in (0, 255) and row % 4 == column % 4 == 2
    losses = [
        rows_of_losses(tiny.features(name)[image], tiny.features("teacher")[image], Reading())[row // 4, column // 4]
        for name in ("ce", "pfs")
    ]
    assert losses[0] > losses[1]


def test_without_a_recognised_object_it_begins_in_the_middle(tiny: Walkthrough) -> None:
    assert clearest_place(replace(tiny, labels=np.zeros_like(tiny.labels))) == (0, 16, 16)

"""The entries that the walkthrough shows add up to the loss that a study computes."""

from itertools import product

import pytest
import torch

from pfs.losses import pfs_loss
from pfs.losses.definition import similarity_maps
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import Reading, entries_of_loss, loss_of, loss_of_rows, maps_of, rows_of_losses

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

"""The two ways to the loss give one number, and their costs are those by which `pfs_loss` decides."""

import itertools

import pytest
import torch

from pfs.losses import pfs_loss
from pfs.losses.baselines import skd_pairwise_loss
from pfs.losses.pfs import dense_is_cheaper
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.nodes.numbers import (
    agreeing_digits,
    compare,
    cost_of_channels,
    cost_of_maps,
    crossover,
    grids,
    node_of,
)


@pytest.fixture
def features(tiny: Walkthrough) -> tuple[torch.Tensor, torch.Tensor]:
    return tiny.features("ce")[:1], tiny.features("teacher")[:1]


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("grid", [2, 4, 8])
def test_both_ways_and_the_library_agree_in_twelve_digits(
    features: tuple[torch.Tensor, torch.Tensor], grid: int, center: bool
) -> None:
    student, teacher = features
    shown = compare(student, teacher, grid, center=center)
    expected = float(skd_pairwise_loss(student.double(), teacher.double(), grid=grid, center=center))
    assert shown.nodes == grid**2
    for number in (shown.from_maps, shown.from_channels, shown.library):
        assert agreeing_digits(number, expected) >= 11


def test_the_finest_grid_is_pfs(features: tuple[torch.Tensor, torch.Tensor]) -> None:
    student, teacher = features
    assert student.shape[-2:] == (8, 8)
    shown = compare(student, teacher, 8)
    assert shown.library == pytest.approx(float(pfs_loss(student.double(), teacher.double())), rel=1e-12)
    assert shown.SS.shape == (student.shape[1],) * 2 and shown.ST.shape == (student.shape[1], teacher.shape[1])


def test_grids_are_those_that_fit_the_features(tiny: Walkthrough) -> None:
    assert grids(tiny) == [2, 4, 8]


@pytest.mark.parametrize(("place", "node"), [((0, 0), 0), ((31, 31), 15), ((8, 0), 4), ((7, 31), 3)])
def test_a_pixel_lies_in_a_node(place: tuple[int, int], node: int) -> None:
    assert node_of(place, (32, 32), 4) == node


def test_digits_that_agree_are_counted() -> None:
    assert agreeing_digits(1.0, 1.0) == 15
    assert agreeing_digits(1.2345, 1.2346) == 4
    assert agreeing_digits(1.0, 5.0) == 0


def test_the_counts_decide_as_pfs_loss_does() -> None:
    for sizes in itertools.product((1, 5, 60, 700), (1, 8, 96), (1, 12, 300)):
        assert (cost_of_maps(*sizes).products < cost_of_channels(*sizes).products) == dense_is_cheaper(*sizes)


def test_the_crossover_is_the_first_number_of_locations_where_channels_are_taken() -> None:
    for C, C_teacher in itertools.product((1, 8, 256), (3, 256, 2048)):
        first = crossover(C, C_teacher)
        assert not dense_is_cheaper(first, C, C_teacher)
        assert first == 1 or dense_is_cheaper(first - 1, C, C_teacher)
    assert crossover(256, 256) == 427  # the notebook's number


def test_the_memory_is_that_of_both_maps_or_of_three_products() -> None:
    assert cost_of_maps(512, 1, 1).mebibytes == 2.0
    assert cost_of_channels(512, 256, 256).mebibytes == 0.75

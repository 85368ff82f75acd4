"""The checks of walkthrough 3 accept right answers, and tell why others are not."""

import pytest
from torch import Tensor

from pfs.walkthrough.lessons.nodes.exercises import check_crossover, check_identity, check_memory, check_way


def by_channels(S: Tensor, T: Tensor) -> Tensor:
    first, second, third = ((A.T @ B).square().sum() for A, B in ((S, S), (S, T), (T, T)))
    return (first - 2 * second + third) / len(S) ** 2


def test_the_identity_is_accepted() -> None:
    assert check_identity(by_channels).startswith("Right: ")


def test_the_maps_themselves_are_found_out() -> None:
    said = check_identity(lambda S, T: (S @ S.T - T @ T.T).square().mean())
    assert said.startswith("Not yet: the number is right, but you made a matrix of 1,600 numbers")


def test_a_wrong_formula_is_told_the_true_number() -> None:
    assert check_identity(lambda S, T: 2 * by_channels(S, T)).startswith("Not yet: for N = 40, C = 3, C' = 5")
    assert check_identity(lambda S, T: None).startswith("Not yet: in JupyterLab")


@pytest.mark.parametrize(("locations", "said"), [(427, "Right"), (426.7, "Right"), (256, "maps"), (600, "products")])
def test_the_crossover_is_five_thirds_of_the_channels(locations: float, said: str) -> None:
    assert said in check_crossover(locations, channels=256)


@pytest.mark.parametrize(("gibibytes", "said"), [(2.13, "Right"), (1.06, "too little"), (4.3, "too much")])
def test_the_maps_memory_is_counted(gibibytes: float, said: str) -> None:
    assert said in check_memory(gibibytes, side=65, batch=16)


@pytest.mark.parametrize(("way", "said"), [("maps", "Right"), ("channels", "Not yet")])
def test_many_channels_take_the_maps(way: str, said: str) -> None:
    assert check_way(way, locations=256, channels=512, teacher_channels=2048).startswith(said)

"""Charts as SVG: marks stand where their numbers are, and a chart says in words what it shows."""

import re
from xml.etree import ElementTree

import pytest

from pfs.walkthrough.lessons.runs.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    SHAPES,
    TOP,
    WIDTH,
    Frame,
    Row,
    hex_colour,
    rows_picture,
)


def test_the_corners_of_the_plane_are_the_ends_of_the_axes() -> None:
    frame = Frame((10, 20), (-1, 3), height=200)
    assert (frame.across(10), frame.across(20)) == (LEFT, WIDTH - RIGHT)
    assert (frame.down(-1), frame.down(3)) == (200 - BOTTOM, TOP)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mark_stands_at_its_numbers_and_is_hollow_when_faint(shape: str) -> None:
    frame = Frame((0, 1), (0, 1))
    solid, faint = (frame.mark(0.5, 0.5, "pfs", shape, faint=choice) for choice in (False, True))
    assert f"translate({frame.across(0.5):.1f} {frame.down(0.5):.1f})" in solid
    assert f'fill="{hex_colour("pfs")}"' in solid and 'fill="none"' in faint


def test_a_picture_is_well_formed_whatever_the_words_are() -> None:
    picture = Frame((0, 1), (0, 1)).picture([], 'a < b & "c"', name_of_y="p < 0.05", name_of_x="x & y")
    root = ElementTree.fromstring(picture)
    assert root.get("role") == "img" and root.get("aria-label") == 'a < b & "c"'


@pytest.mark.parametrize("top", [0.05, 0.9, 2.6, 7, 40, 95, 800])
def test_an_axis_has_a_few_round_numbers(top: float) -> None:
    picture = Frame((0, 1), (0, top)).picture([], "", name_of_y="")
    shown = [float(text) for text in re.findall(r'text-anchor="end">([\d.]+)<', picture)]
    assert 4 <= len(shown) <= 10 and shown[0] == 0 and shown[-1] <= top


def test_rows_lie_one_below_the_other_and_hold_all_their_numbers() -> None:
    rows = [
        Row("PFS", "pfs", ((31.0, "circle", False),), (30.0, 28.0, 33.0), "+1.0"),
        Row("KD", "kd", ((40.0, "square", True),)),
    ]
    root = ElementTree.fromstring(rows_picture(rows, "two methods", name_of_x="mIoU"))
    marks = [re.findall(r"[\d.]+", group.get("transform", "")) for group in root.iter("g")]
    (x1, y1), (x2, y2) = [(float(x), float(y)) for x, y in marks]
    assert 0 < x1 < x2 < WIDTH and y1 < y2
    lines = [line for line in root.iter("line") if line.get("opacity") is None]
    assert len(lines) == 2  # the interval, and the upright stroke of its mean


def test_an_interval_that_is_not_known_is_left_out() -> None:
    nan = float("nan")
    root = ElementTree.fromstring(rows_picture([Row("PFS", "pfs", (), (1.0, nan, nan))], "", name_of_x="", zero=True))
    lines = [line for line in root.iter("line") if line.get("opacity") is None]
    assert len(lines) == 2  # zero, and the mean

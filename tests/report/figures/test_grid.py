"""The headings above a grid of images."""

import numpy as np

from pfs.report.figures.grid import grid_of

IMAGES = np.zeros((2, 18, 24, 3), np.uint8)


def headings_of(*headings: str) -> list[str]:
    _, grid = grid_of(IMAGES, headings, foot=0.2)
    return [axes.get_title() for axes in grid[0]]


def test_a_word_that_is_wider_than_its_column_is_broken_after_its_hyphen() -> None:
    assert headings_of(*["KD, class-weighted"] * 11) == ["KD, class-\nweighted"] * 11


def test_parts_that_fit_one_line_are_not_torn() -> None:
    (broken, *_) = headings_of(*["state-of-the-art-by-imitation"] * 11)
    assert broken.replace("\n", "") == "state-of-the-art-by-imitation"


def test_a_word_that_fits_keeps_its_hyphen_inside() -> None:
    assert headings_of("KD, class-weighted", "SKD pair-wise") == ["KD, class-weighted", "SKD pair-wise"]

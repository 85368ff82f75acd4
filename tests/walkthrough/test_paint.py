"""Arrays as pictures."""

import io

import numpy as np
from PIL import Image

from pfs.report.pictures import class_palette
from pfs.walkthrough.paint import as_png, paint_amount, paint_labels, paint_signed, palette_bar


def test_a_png_holds_the_array_enlarged() -> None:
    random = np.random.default_rng(0)
    for channels in (3, 4):
        rgb = random.integers(0, 256, (4, 5, channels), np.uint8)
        decoded = np.asarray(Image.open(io.BytesIO(as_png(rgb, scale=3))))
        assert np.array_equal(decoded, rgb.repeat(3, 0).repeat(3, 1))


def test_colours_rise_in_lightness_with_the_value() -> None:
    """So they can be told apart in grey; beyond the limit they stay as they are there."""
    for picture in (
        paint_signed(np.linspace(-0.5, 0.5, 101)[None], 0.5),
        paint_amount(np.linspace(0, 3, 101)[None], 3),
    ):
        lightness = picture[0] @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(lightness) > -1.5).all() and lightness[-1] - lightness[0] > 150
    assert np.array_equal(paint_amount(np.array([[9.0]]), 3), paint_amount(np.array([[3.0]]), 3))


def test_zero_is_the_middle_of_signed_colours() -> None:
    assert np.ptp(paint_signed(np.zeros((1, 1)))[0, 0].astype(int)) < 12  # a grey


def test_what_is_no_number_is_grey() -> None:
    assert np.array_equal(paint_signed(np.array([[np.nan]])), np.full((1, 1, 3), 127))


def test_labels_have_the_figures_colours() -> None:
    picture = paint_labels(np.array([[0, 2, 255]]), 4)
    assert np.array_equal(picture[0], [*class_palette(4)[[0, 2]], [225] * 3])


def test_a_key_goes_through_all_colours() -> None:
    bar = palette_bar("magma", 256, 2)
    assert bar.shape == (2, 256, 3) and len(np.unique(bar[0], axis=0)) > 240

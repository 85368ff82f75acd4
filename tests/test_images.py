"""Image files as users have them: what is read, what is refused, and that nothing is changed in silence."""

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pfs.datasets.images import ImageError, as_mask, as_rgb, from_deep, open_image

COLOURS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
def test_colours_arrive_as_they_were_saved(tmp_path: Path, ending: str) -> None:
    Image.fromarray(COLOURS).save(tmp_path / f"image{ending}")
    assert np.array_equal(np.asarray(as_rgb(open_image(tmp_path / f"image{ending}"))), COLOURS)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "HSV"])
def test_opaque_images_of_any_mode_have_their_colours_in_rgb(mode: str) -> None:
    image = Image.new("RGB", (4, 2), (255, 255, 255)).convert("L" if mode in ("PA", "LA") else "RGB").convert(mode)
    assert (np.asarray(as_rgb(image)) == 255).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_8_bits_are_never_clipped(mode: str) -> None:
    """A 12-bit picture in a 16-bit file: 94 % of its pixels became white."""
    values = np.linspace(0, 4095, 8).reshape(2, 4)
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    image = Image.fromarray(values.astype(kind))
    assert image.mode == mode
    with pytest.raises(ImageError, match=r"more than 8 bits a pixel .*0(\.0)? to 4095.*--white N"):
        as_rgb(image)
    grey = np.asarray(from_deep(image, 4095))
    assert np.abs(grey - values / 4095 * 255).max() < 1
    with pytest.raises(ImageError, match="0 to 4095, and --white says that 1023 is white"):
        from_deep(image, 1023)


def test_what_is_transparent_somewhere_is_refused() -> None:
    image = Image.fromarray(np.dstack([COLOURS, np.full((2, 4), 255, np.uint8)]))
    assert np.array_equal(np.asarray(as_rgb(image)), COLOURS)
    image.putpixel((1, 1), (0, 0, 0, 254))
    with pytest.raises(ImageError, match="transparent somewhere"):
        as_rgb(image)
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = 0
    with pytest.raises(ImageError, match="transparent somewhere"):
        as_rgb(palette)


@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_masks_of_16_bits_are_read_where_their_values_fit(kind: type) -> None:
    labels: np.ndarray[Any, Any] = np.array([[0, 1], [254, 255]], kind)
    assert np.asarray(as_mask(Image.fromarray(labels))).tolist() == labels.tolist()
    labels[0, 0] = 300
    with pytest.raises(ImageError, match="values 1 to 300"):
        as_mask(Image.fromarray(labels))


def test_masks_of_one_bit_hold_0_and_1() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert np.asarray(as_mask(image)).tolist() == [[1, 0]]


def test_masks_that_have_colours_or_are_jpeg_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="mode RGB, not a mask"):
        as_mask(Image.fromarray(COLOURS))
    Image.new("L", (8, 8)).save(tmp_path / "mask.jpg")
    with pytest.raises(ImageError, match="JPEG, which keeps no exact values"):
        as_mask(open_image(tmp_path / "mask.jpg"))


def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name in ("pipe", "folder", "loop"):
        with pytest.raises(ImageError, match="no regular file"):
            open_image(tmp_path / f"{name}.png")
    with pytest.raises(ImageError, match="is missing"):
        open_image(tmp_path / "nothing.png")


def test_broken_files_are_told(tmp_path: Path) -> None:
    inflated = PngImagePlugin.PngInfo()
    inflated.add(b"zTXt", b"Comment\0\0" + zlib.compress(b" " * 2**21))
    Image.fromarray(COLOURS).save(tmp_path / "inflated.png", pnginfo=inflated)
    Image.fromarray(COLOURS).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:50])
    (tmp_path / "text.png").write_text("not an image")
    for name in ("inflated", "cut", "text"):
        with pytest.raises(ImageError, match="cannot be read as an image"):
            open_image(tmp_path / f"{name}.png")


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1].copy())]
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="several pictures"):
        open_image(tmp_path / "pages.tif")

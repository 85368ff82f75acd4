"""Image files as users have them: what is read, what is refused, and that nothing is changed in silence."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pfs.data.loading.images import ImageError, as_mask, as_rgb, from_deep, image_size, open_image

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


def png_of_16_bits(colour_type: int, values: np.ndarray[Any, Any]) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write in colour; values (H, W, channels)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)], ids=["RGB", "RGBA", "LA"])
def test_colours_of_16_bits_are_not_cut_to_their_upper_8(tmp_path: Path, colour_type: int, channels: int) -> None:
    """A 12-bit picture in a colour PNG of 16 bits: Pillow makes 0 to 15 of 0 to 4095, which is black."""
    values = np.full((2, 4, channels), 4095)
    (tmp_path / "deep.png").write_bytes(png_of_16_bits(colour_type, values))
    with pytest.raises(ImageError, match=r"colours of 16 bits a channel, .*; save it with 8"):
        open_image(tmp_path / "deep.png")


def test_colours_of_16_bits_in_tiff_are_not_cut_either(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "deep.tif", np.full((2, 4, 3), 4095, np.uint16), photometric="rgb")
    with pytest.raises(ImageError, match="colours of 16 bits a channel"):
        open_image(tmp_path / "deep.tif")


def test_of_a_phones_jpeg_of_two_pictures_the_first_is_read(tmp_path: Path) -> None:
    first, second = (Image.new("L", (8, 8), grey) for grey in (50, 200))
    first.save(tmp_path / "photo.mpo", save_all=True, append_images=[second])
    photo = open_image((tmp_path / "photo.mpo").rename(tmp_path / "photo.jpg"))
    assert photo.format == "MPO"
    assert np.abs(np.asarray(as_rgb(photo)).astype(int) - 50).max() <= 2


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
    grey = Image.new("L", (8, 8))
    grey.save(tmp_path / "mask.jpg")
    grey.save(tmp_path / "named.png", format="JPEG")
    grey.save(tmp_path / "inside.tif", compression="jpeg")
    for name in ("mask.jpg", "named.png", "inside.tif"):
        with pytest.raises(ImageError, match="JPEG, which keeps no exact values"):
            as_mask(open_image(tmp_path / name))


def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name in ("pipe", "folder", "loop"):
        for read in (open_image, image_size):
            with pytest.raises(ImageError, match="no regular file"):
                read(tmp_path / f"{name}.png")
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


def test_the_size_is_height_and_width(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "image.png")
    assert image_size(tmp_path / "image.png") == (2, 4)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1].copy())]
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="several images"):
        open_image(tmp_path / "pages.tif")

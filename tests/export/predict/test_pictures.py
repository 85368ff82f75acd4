"""Pictures of any kind become 8-bit RGB, upright; what cannot is told; and no two have predictions of one name."""

import errno
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pfs.data.loading.images import ImageError
from pfs.export.predict import pictures as module
from pfs.export.predict.pictures import BEHIND, find_pictures, numbered, output_names, pixels_of, read_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
WHITE = 65535


def saved(image: Image.Image, file: Path, **how: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **how)  # type: ignore[arg-type]
    return file


def read(file: Path, white: int = WHITE) -> np.ndarray:
    picture = read_picture(file, white)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_colours_stay_as_they_are(tmp_path: Path) -> None:
    assert (read(saved(Image.fromarray(PIXELS), tmp_path / "x.png")) == PIXELS).all()


def test_grey_has_its_value_in_each_colour(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    assert (read(saved(Image.fromarray(grey), tmp_path / "x.png")) == grey[..., None]).all()


def test_16_bits_are_converted_in_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision a picture of 12,000 x 9,000 would take three times 0.9 GB."""
    monkeypatch.setattr(module, "STRIP", 4)
    deep = PIXELS[..., 0].astype(np.uint16) * 257
    assert (read(saved(Image.fromarray(deep), tmp_path / "x.png")) == PIXELS[..., :1]).all()
    converted: list[tuple[int, int]] = []

    def convert(strip: Image.Image, _: int) -> Image.Image:
        converted.append(strip.size)
        return Image.new("L", strip.size)

    monkeypatch.setattr(module, "from_deep", convert)
    read(tmp_path / "x.png")
    assert converted == [(9, 4), (9, 2)]


@pytest.mark.parametrize("white", [65535, 4095])
def test_16_bits_are_scaled_by_what_is_white(tmp_path: Path, white: int) -> None:
    deep = np.round(PIXELS[..., 0] / 255 * white).astype(np.uint16)
    file = saved(Image.fromarray(deep), tmp_path / "x.png")
    assert (read(file, white) == PIXELS[..., :1]).all()
    if white == 65535:
        with pytest.raises(ImageError, match="--white says that 4095 is white"):
            read(file, 4095)


def test_colours_of_16_bits_lose_their_lower_8(tmp_path: Path) -> None:
    """Pillow writes none, so this one is put together by hand: one pixel of 0x1234, 0x5678, 0x9abc."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = zlib.compress(b"\0" + bytes.fromhex("123456789abc"))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(content)
    assert read(tmp_path / "x.png").tolist() == [[[0x12, 0x56, 0x9A]]]


def test_what_is_transparent_lies_over_grey(tmp_path: Path) -> None:
    alpha = np.zeros((6, 9), np.uint8)
    alpha[:, 4:] = 255
    file = saved(Image.fromarray(np.dstack([PIXELS, alpha])), tmp_path / "x.png")
    pixels = read(file)
    assert (pixels[:, :4] == BEHIND).all()
    assert (pixels[:, 4:] == PIXELS[:, 4:]).all()


def test_a_palette_and_its_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert read(saved(image, tmp_path / "x.png", transparency=0)).tolist() == [[list(BEHIND), [40, 50, 60]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_picture_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(PIXELS)
    file = saved(stored, tmp_path / "x.png", exif=exif)
    turned = {1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1]}
    across = PIXELS.transpose(1, 0, 2)
    turned |= {5: across, 6: across[:, ::-1], 7: across[::-1, ::-1], 8: across[::-1]}
    assert (read(file) == turned[orientation]).all()


def test_what_is_no_picture_is_told_as_the_end_of_a_sentence(tmp_path: Path) -> None:
    whole = saved(Image.fromarray(np.tile(PIXELS, (20, 20, 1))), tmp_path / "whole.png").read_bytes()
    broken = {"text.png": b"hello", "empty.png": b"", "cut.png": whole[: len(whole) // 2]}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match="cannot be read as an image") as raised:
            read(tmp_path / name)
        assert "\n" not in str(raised.value)
    with pytest.raises(ImageError, match="is missing"):
        read(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is no regular file"):
        read(tmp_path)
    (tmp_path / "link.png").symlink_to("gone.png")
    with pytest.raises(ImageError, match=r"is a link to gone\.png, which is not there"):
        read(tmp_path / "link.png")
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1])]
    with pytest.raises(ImageError, match="holds several images"):
        read(saved(frames[0], tmp_path / "x.gif", save_all=True, append_images=frames[1:]))


def test_a_box_of_a_picture() -> None:
    assert (pixels_of(Image.fromarray(PIXELS), (2, 1, 5, 6)) == PIXELS[1:6, 2:5]).all()


# --- finding and naming -------------------------------------------------------------------------------------


def test_files_folders_and_patterns_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = ("in/.hidden.png", "in/.thumbnails/a.png")
    for name in ("a.png", "in/b.JPG", "in/deep/c.tif", *hidden, "out/index/a.png"):
        saved(Image.fromarray(PIXELS), tmp_path / name, format="PNG")
    monkeypatch.chdir(tmp_path)
    everything = [Path("a.png"), Path("in/b.JPG"), Path("in/deep/c.tif")]
    assert find_pictures(["a.png", "in"], Path("out")) == (everything, [], [])
    patterns = ["in/**/*.[tJ][iP]*", "in/b.JPG"]
    assert find_pictures(patterns, Path("out")).pictures == [Path("in/b.JPG"), Path("in/deep/c.tif")]
    assert find_pictures(["."], Path("out")) == (everything, [], [])


def test_a_picture_that_is_named_by_several_paths_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(Image.fromarray(PIXELS), tmp_path / "a" / "x.png")
    monkeypatch.chdir(tmp_path)
    paths = ["a/x.png", "./a/x.png", "a/../a/x.png", str(file), "a", "a/*"]
    assert find_pictures(paths, Path("out")).pictures == [Path("a/x.png")]


def test_nothing_in_a_folder_is_left_out_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like a picture is taken, and told when it is read; other files are counted."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/moving.gif", "in/phone.HEIC", "in/notes.txt", "in/sub/raw.dng", "elsewhere/x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("in/broken.png").symlink_to("gone")
    Path("in/folder").symlink_to("gone")
    Path("in/others").symlink_to(tmp_path / "elsewhere")
    found = find_pictures(["in"], Path("out"))
    assert [file.name for file in found.pictures] == ["broken.png", "folder", "moving.gif", "phone.HEIC"]
    assert found.problems == ["in/others: is a link to a folder, and links are not followed: name it too"]
    assert found.notes == ["in: left out, without the ending of a picture: 2 (notes.txt, sub/raw.dng)"]
    assert find_pictures(["in/notes.txt"], Path("out")).pictures == [Path("in/notes.txt")]  # is told when it is read


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(Image.fromarray(PIXELS), tmp_path / "a" / "x.png")
    saved(Image.fromarray(PIXELS), tmp_path / "locked" / "y.png")
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may look everywhere
    found = find_pictures([str(tmp_path)], tmp_path / "out")
    assert [file.name for file in found.pictures] == ["x.png"]
    assert found.problems == [
        f"{tmp_path / 'locked'}: cannot be looked into (Permission denied): its pictures are left out"
    ]


def test_arguments_that_name_nothing_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = saved(Image.fromarray(PIXELS), tmp_path / "out/x.png")
    arguments = [str(tmp_path / "empty"), str(tmp_path / "*.bmp"), str(file)]
    found, problems, _ = find_pictures(arguments, tmp_path / "out")
    assert found == []
    assert [problem.split(": ")[0] for problem in problems] == arguments
    for problem, part in zip(problems, ("holds no picture", "no file, folder or pattern", "--out"), strict=True):
        assert part in problem


def test_predictions_are_called_as_pictures_are_from_the_folder_that_holds_all() -> None:
    assert output_names([Path("p/a/x.png"), Path("p/b/x.png")]) == ["a/x", "b/x"]
    assert output_names([Path("p/x.png")]) == ["x"]
    assert output_names([Path("p/x.png"), Path("p/x.jpg"), Path("p/y.jpg")]) == ["x.png", "x.jpg", "y"]
    assert output_names([]) == []


FILES = [
    f"{folder}{stem}{ending}"
    for folder in ("", "a/", "A/")
    for stem in ("x", "X", "x.png")
    for ending in ("", ".png", ".jpg", "-2")
]


@given(st.lists(st.sampled_from(FILES), unique=True))
def test_no_two_predictions_are_called_alike(files: list[str]) -> None:
    pictures = [Path("p") / file for file in files]
    names = output_names(pictures)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(files)


def test_a_number_in_a_prediction_s_name_is_told() -> None:
    pictures = [Path("p/x.png"), Path("p/X.png"), Path("p/caf\u00e9.png"), Path("p/cafe\u0301.png")]
    names = output_names(pictures)
    assert names == ["x.png", "X.png-2", "caf\u00e9.png", "cafe\u0301.png-2"]
    assert [line.split(":")[0] for line in numbered(pictures, names)] == [str(pictures[1]), str(pictures[3])]
    assert numbered(pictures[:1], output_names(pictures[:1])) == []

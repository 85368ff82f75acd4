"""What predictions need of an exported folder is read as it was written; what is wrong is one line with the file."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pfs.export.description import read_description
from pfs.export.folder import BLOCK, CONFIG, INCOMPLETE, ONNX, ExportError, checked_file, is_exported, read_legend


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_the_legend_is_that_of_the_description(exported: Path) -> None:
    legend, description = read_legend(exported), read_description(exported)
    assert legend == (description.classes, description.palette, description.sha256)


def test_a_file_is_held_against_its_checksum(copy: Path) -> None:
    sums = read_legend(copy).sha256
    assert checked_file(copy, sums, ONNX) == copy / ONNX
    content = (copy / ONNX).read_bytes()
    for broken in (content[:-10], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (copy / ONNX).write_bytes(broken)
        with pytest.raises(ExportError, match=r"model\.onnx is not as it was written"):
            checked_file(copy, sums, ONNX)
    (copy / ONNX).unlink()
    with pytest.raises(ExportError, match=r"model\.onnx is missing"):
        checked_file(copy, sums, ONNX)
    with pytest.raises(ExportError, match=r"knows no such file, but model\.safetensors, model\.onnx"):
        checked_file(copy, sums, "other.onnx")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", f'{{"{BLOCK}": 3}}', f'{{"{BLOCK}": {{"study": 1}}}}', "[" * 100_000]
)
def test_a_broken_config_is_told_in_one_line(copy: Path, content: str) -> None:
    (copy / CONFIG).write_text(content)
    for read in (read_legend, read_description):
        with pytest.raises(ExportError, match=r"config\.json") as raised:
            read(copy)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("classes", [], "are no list of 1 to 256 names"),
        ("classes", ["x"] * 257, "are no list of 1 to 256 names"),
        ("classes", ["ground", "tree", 3], "are no list of 1 to 256 names"),
        ("classes", "abc", "are no list of 1 to 256 names"),
        ("classes", ["ground", "tree"], "palette: has 3 colours for 2 classes"),
        ("palette", [[0, 0, 0]], "has 1 colours for 3 classes"),
        ("palette", [[0, 0, 0], [1, 1, 1], [2, 2, 256]], "each three numbers from 0 to 255"),
        ("palette", [[0, 0, 0], [1, 1, 1], [2, 2, -1]], "each three numbers from 0 to 255"),
        ("palette", [[0, 0, 0], [1, 1, 1], [2, 2]], "each three numbers from 0 to 255"),
        ("palette", None, "each three numbers from 0 to 255"),
        ("sha256", ["model.onnx"], "is no mapping of files to checksums"),
    ],
)
def test_a_config_that_was_changed_by_hand_is_told_with_the_key(copy: Path, key: str, value: Any, said: str) -> None:
    content = json.loads((copy / CONFIG).read_text())
    content[BLOCK][key] = value
    (copy / CONFIG).write_text(json.dumps(content))
    with pytest.raises(ExportError, match=rf"config\.json: .*{said}.*export again"):
        read_legend(copy)


def test_a_folder_whose_export_was_stopped_is_told(copy: Path) -> None:
    (copy / CONFIG).write_text(json.dumps({BLOCK: INCOMPLETE}))
    for read in (read_legend, read_description):
        with pytest.raises(ExportError, match=r"is incomplete: `pfs export` was stopped.*; export again"):
            read(copy)
    assert is_exported(copy)


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"config\.json is missing"):
        read_legend(tmp_path)
    with pytest.raises(ExportError, match="no such folder"):
        read_legend(tmp_path / "nothing")

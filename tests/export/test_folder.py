"""An exported folder is read as it was written, and whatever is wrong with it is one line that names the file."""

import json
import shutil
from pathlib import Path

import pytest

from pfs.export.folder import BLOCK, CONFIG, ONNX, ExportError, checked_file, read_description, write_description


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_a_description_is_read_as_it_was_written(exported: Path, tmp_path: Path) -> None:
    description = read_description(exported)
    write_description(tmp_path, description, {"encoder_name": "resnet18"})
    assert read_description(tmp_path) == description
    assert json.loads((tmp_path / CONFIG).read_text())["encoder_name"] == "resnet18"


def test_keys_of_a_later_version_are_passed_over(copy: Path) -> None:
    description = read_description(copy)
    content = json.loads((copy / CONFIG).read_text())
    content[BLOCK]["later"] = content[BLOCK]["normalisation"]["later"] = 1
    (copy / CONFIG).write_text(json.dumps(content))
    assert read_description(copy) == description


def test_a_file_is_held_against_its_checksum(copy: Path) -> None:
    description = read_description(copy)
    assert checked_file(copy, description, ONNX) == copy / ONNX
    content = (copy / ONNX).read_bytes()
    for broken in (content[:-10], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (copy / ONNX).write_bytes(broken)
        with pytest.raises(ExportError, match=r"model\.onnx is not as it was written"):
            checked_file(copy, description, ONNX)
    (copy / ONNX).unlink()
    with pytest.raises(ExportError, match=r"model\.onnx is missing"):
        checked_file(copy, description, ONNX)
    with pytest.raises(ExportError, match=r"knows no such file, but model\.safetensors, model\.onnx"):
        checked_file(copy, description, "other.onnx")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", f'{{"{BLOCK}": 3}}', f'{{"{BLOCK}": {{"study": 1}}}}', "[" * 100_000]
)
def test_a_broken_config_is_told_in_one_line(copy: Path, content: str) -> None:
    (copy / CONFIG).write_text(content)
    with pytest.raises(ExportError, match=r"config\.json") as raised:
        read_description(copy)
    assert "\n" not in str(raised.value)


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"config\.json is missing"):
        read_description(tmp_path)
    with pytest.raises(ExportError, match="no such folder"):
        read_description(tmp_path / "nothing")

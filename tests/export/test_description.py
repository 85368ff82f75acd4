"""All of config.json is read as it was written, keys of later versions are passed over, and impossible values told."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pfs.export.description import read_description, write_description
from pfs.export.folder import BLOCK, CONFIG, ExportError


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


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ignore_index", 256),
        ("ignore_index", -1),
        ("normalisation.mean", [127.5]),
        ("normalisation.deviation", [1.0, 1.0, 0.0]),
        ("network.width", 0),
        ("network.name", "unknown"),
        ("miou.val", "high"),
        ("seed", 1.5),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_key(copy: Path, path: str, value: Any) -> None:
    content = json.loads((copy / CONFIG).read_text())
    *blocks, key = path.split(".")
    block = content[BLOCK]
    for name in blocks:
        block = block[name]
    block[key] = value
    (copy / CONFIG).write_text(json.dumps(content))
    with pytest.raises(ExportError, match=rf"config\.json: {path.split('.')[0]}.*export again") as raised:
        read_description(copy)
    assert "\n" not in str(raised.value)

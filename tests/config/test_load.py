"""Whatever a study's file holds, what is wrong with it is told as lines that name the file; nothing hangs."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfs.config.base import StudyError
from pfs.config.load import load_study
from tests.config.test_study import STUDY, complaint, write

TEXT = yaml.safe_dump(STUDY, sort_keys=False)
ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def saved(folder: Path, content: str | bytes) -> Path:
    file = folder / "small.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(bytes(range(256)) * 8, ["line 2 is not UTF-8"], id="binary"),
        pytest.param("# größer\n".encode("latin-1"), ["line 1 is not UTF-8", "0xf6", "save the file"], id="latin-1"),
        pytest.param(TEXT.encode("utf-16"), ["not UTF-8"], id="utf-16"),
        pytest.param(TEXT.encode("utf-16-le"), ["line 1", "character"], id="utf-16 without a mark"),
        pytest.param("name: small\nx: " + "[" * 5000, ["nested too deeply"], id="nested in brackets"),
        pytest.param("- " * 5000, ["nested too deeply"], id="nested in lists"),
        pytest.param(ALIASES, ["more than 100,000 values"], id="alias bomb"),
        pytest.param("a: &a {b: *a}", ["more than 100,000 values"], id="alias of itself"),
        pytest.param(f"{TEXT}cache_gib: {'9' * 5000}", ["99... ", "cannot be read as int"], id="5,000 digits"),
        pytest.param(f"{TEXT}cache_gib: 0x{'f' * 5000}", ["line 3", "too large a number"], id="hexadecimal digits"),
        pytest.param(f"{TEXT}cache_gib: 2024-13-40", ["cannot be read as timestamp"], id="no date"),
        pytest.param(f"{TEXT}cache_gib: !!bool maybe", ["cannot be read as bool"], id="neither true nor false"),
        pytest.param(f"{TEXT}cache_gib: !!python/object:os.x 1", ["not YAML: line"], id="a tag of Python's"),
        pytest.param(f"{TEXT}{' ' * 2**20}", ["larger than 1 MiB"], id="too large"),
        pytest.param(f"{TEXT}---\na: 1", ["not YAML: line"], id="two documents"),
        pytest.param("a: [b\nc: d", ["not YAML: line 2"], id="unclosed"),
        pytest.param(f"{TEXT}1: x\n", ["Keys should be strings", "got 1"], id="a number for a key"),
    ],
)
def test_content_that_is_no_study_is_told_in_one_line(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    file = saved(tmp_path, content)
    message = complaint(file).splitlines()[0]
    assert message.startswith(f"{file}: ")
    assert len(message) < 400
    assert all(word.strip() in message for word in words), message


@pytest.mark.parametrize(
    ("content", "line", "first"),
    [
        (TEXT + "seeds: [5]\n", TEXT.count("\n") + 1, TEXT[: TEXT.index("seeds:")].count("\n") + 1),
        ("teacher:\n  steps: 1\n  'steps': 2\n", 3, 2),
        ("methods: {ce: {}, ce: {}}\n", 1, 1),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(
    tmp_path: Path, content: str, line: int, first: int
) -> None:
    message = complaint(saved(tmp_path, content))
    assert f"line {line}, column" in message
    assert f"stands twice (first in line {first}): keep one" in message


def test_anchors_and_merged_blocks_work_and_a_key_of_ones_own_counts_before_a_merged_one(tmp_path: Path) -> None:
    study = copy.deepcopy(STUDY)
    teacher = yaml.safe_dump({"t": study.pop("teacher")}).replace("t:", "teacher: &t", 1)
    del study["student"]
    file = saved(tmp_path, teacher + "student:\n  <<: *t\n  steps: 7\n" + yaml.safe_dump(study))
    read = load_study(file)
    assert (read.student.steps, read.student.network) == (7, read.teacher.network)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    assert load_study(saved(tmp_path, b"\xef\xbb\xbf" + TEXT.encode())).name == "small"


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
@pytest.mark.parametrize(
    "path",
    [
        "teacher.learning_rate",
        "student.weight_decay",
        "student.class_weights",
        "cache_gib",
        "methods.kd.kd.weight",
        "methods.kd.kd.temperature",
        "methods.both.pfs.temperature",
    ],
)
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, path: str, number: float) -> None:
    message = complaint(write(tmp_path, {path: number}))
    assert path in message
    assert f"finite number (got {number!r})" in message


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("augmentation", {"crop": [8, 8], "scale": [1.0, float("inf")]}, "augmentation.scale.1"),
        ("augmentation", {"crop": [8, 8], "color": float("nan")}, "augmentation.color"),
        ("evaluation", {"scales": [float("inf")]}, "evaluation.scales.0"),
        ("teacher.optimizer", {"name": "sgd", "momentum": float("nan")}, "teacher.optimizer.sgd.momentum"),
        ("teacher.schedule", {"name": "poly", "power": float("inf")}, "teacher.schedule.poly.power"),
    ],
)
def test_nor_is_one_in_a_block_taken(tmp_path: Path, path: str, value: object, key: str) -> None:
    assert f"{key}: Input should be a finite number" in complaint(write(tmp_path, {path: value}))


@pytest.mark.parametrize("seed", [-1, 2**32, 2**62])
@pytest.mark.parametrize("path", ["seeds", "teacher.seed", "data.seed"])
def test_seeds_are_what_every_generator_takes(tmp_path: Path, path: str, seed: int) -> None:
    message = complaint(write(tmp_path, {path: [seed] if path == "seeds" else seed}))
    assert path.split(".")[-1] in message.split(": Input should be ")[0]
    assert f"(got {seed})" in message


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_a_batch_is_no_larger_than_the_images_that_are_drawn(tmp_path: Path, role: str) -> None:
    message = complaint(write(tmp_path, {f"{role}.batch_size": 21}))
    assert f"{role}.batch_size: 21 is more than data.train, which is 20: lower the one" in message
    assert load_study(write(tmp_path, {f"{role}.batch_size": 20})).data.name == "digit_scenes"


@pytest.mark.parametrize("base", ["../x", "/etc/passwd", "a" * 5000, "a\0b", "x.yaml", ""])
def test_what_a_study_extends_is_a_bare_name(tmp_path: Path, base: str) -> None:
    message = complaint(saved(tmp_path, yaml.safe_dump({"name": "small", "extends": base})))
    assert len(message.splitlines()) == 1 and len(message) < 400
    assert "extends: " in message and "not the bare name of a study in the same folder" in message


@pytest.mark.parametrize("path", ["methods", "name"])
def test_names_fit_into_the_names_of_folders(tmp_path: Path, path: str) -> None:
    name = "a" * 101
    message = complaint(write(tmp_path, {path: {name: {}} if path == "methods" else name}))
    assert "at most 100 characters" in message


def test_a_file_name_that_is_too_long_and_a_folder_are_told(tmp_path: Path) -> None:
    assert "cannot be read (File name too long)" in complaint(tmp_path / ("a" * 500 + ".yaml"))
    (tmp_path / "small.yaml").mkdir()
    assert "is a folder, not a study's file: name a file" in complaint(tmp_path / "small.yaml")


def test_a_pipe_is_no_study_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "small.yaml")
    assert "no such study" in complaint(tmp_path / "small.yaml")


# --- any content ----------------------------------------------------------------------------------------------

ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from(
    [
        ("name",), ("data",), ("data", "name"), ("data", "train"), ("teacher",), ("teacher", "network"),
        ("teacher", "network", "name"), ("student", "steps"), ("student", "schedule"), ("methods",), ("methods", "kd"),
        ("methods", "kd", "kd"), ("methods", "kd", "kd", "weight"), ("seeds",), ("augmentation",), ("extends",),
        ("unknown",),
    ]
)  # fmt: skip


def read_or_refused(file: Path) -> None:
    """Read a study; of all errors only a StudyError will do, and each of its lines names the file."""
    try:
        load_study(file)
    except StudyError as error:
        assert all(line.startswith(f"{file}: ") for line in str(error).splitlines()), error


@ANY
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    read_or_refused(saved(tmp_path, content))


@ANY
@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 30), put=st.text(max_size=10) | st.sampled_from("*&![{-"))
def test_a_study_with_any_piece_replaced(tmp_path: Path, start: int, length: int, put: str) -> None:
    read_or_refused(saved(tmp_path, (TEXT[:start] + put + TEXT[start + length :]).encode()))


@ANY
@given(place=places, value=values)
def test_a_study_with_any_value_at_any_place(tmp_path: Path, place: tuple[str, ...], value: object) -> None:
    content: dict[str, Any] = copy.deepcopy(STUDY)
    block = content
    for key in place[:-1]:
        block = block[key]
    block[place[-1]] = value
    read_or_refused(saved(tmp_path, yaml.safe_dump(content)))

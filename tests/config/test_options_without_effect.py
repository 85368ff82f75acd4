"""An option that would change no number is refused in one line: the key, its value, and what to write instead."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.config.load import load_study
from tests.config.test_study import complaint, write

SGD = {"name": "sgd", "momentum": 0.5}
ONE_CYCLE, POLY = {"name": "one_cycle"}, {"name": "poly"}

REFUSED = [
    (
        "methods.kd",
        {"pfs": {"weight": 4.0, "temperature": 0.5}},
        "methods.kd.pfs.temperature: 0.5",
        "or write distance: kl",
    ),
    (
        "methods.kd",
        {"pfs": {"weight": 4.0, "distance": "squared", "temperature": 0.1}},
        "pfs.temperature: 0.1",
        "leave it out",
    ),
    ("methods.kd", {"wsp": {"weight": 1.0, "gap": "uniform", "normalize": False}}, "normalize: false", "leave it out"),
    ("methods.kd", {"wsp": {"weight": 1.0, "gap": "uniform", "normalize": True}}, "normalize: true", "leave it out"),
    ("methods.kd", {"skd": {"weight": 1.0, "grid": 1}}, "methods.kd.skd.grid", "greater than or equal to 2 (got 1)"),
    ("methods.kd", {"kd": {"weight": 0.0}}, "methods.kd.kd.weight", "greater than 0 (got 0.0)"),
    ("student.optimizer", SGD, "student.optimizer.momentum: 0.5", "write schedule: {name: poly}"),
    ("student.snapshots", [0, 9999], "student.snapshots: 9999", "the run never reaches it"),
    ("student.snapshots", [1, 0, 1], "student.snapshots: [1, 0, 1]", "write it once"),
    ("student.val_every", 9999, "student.val_every: 9999", "lower it, or leave it out"),
    ("evaluation", {}, "evaluation: {}", "leave it out, or say window, scales or flip"),
    ("evaluation", {"scales": [1.0, 1.0]}, "evaluation.scales: [1.0, 1.0]", "write it once"),
]
ACCEPTED = [
    ("methods.kd", {"pfs": {"weight": 4.0, "distance": "kl", "temperature": 0.5}}),
    ("methods.kd", {"wsp": {"weight": 1.0, "gap": "uniform"}}),
    ("methods.kd", {"wsp": {"weight": 1.0, "normalize": False}}),
    ("methods.kd", {"skd": {"weight": 1.0, "grid": 2}}),
    ("student.optimizer", {"name": "sgd"}),
    ("student.snapshots", [0, 1]),
    ("student.val_every", 1),
    ("evaluation", {"flip": True}),
    ("evaluation", {"scales": [0.5, 1.0]}),
]


@pytest.mark.parametrize(("path", "value", "named", "mend"), REFUSED)
def test_an_option_without_effect_is_refused(
    path: str, value: dict[str, Any], named: str, mend: str, tmp_path: Path
) -> None:
    message = complaint(file := write(tmp_path, {path: value}))
    assert message.startswith(f"{file}: ") and len(message.splitlines()) == 1
    assert named in message and mend in message


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_beside_what_it_needs_it_is_taken(path: str, value: dict[str, Any], tmp_path: Path) -> None:
    load_study(write(tmp_path, {path: value}))


def test_a_momentum_is_refused_with_one_cycle_and_taken_with_poly(tmp_path: Path) -> None:
    one_cycle = {"teacher.optimizer": SGD, "teacher.schedule": ONE_CYCLE}
    assert "teacher.optimizer.momentum: 0.5 has no effect" in complaint(write(tmp_path, one_cycle))
    load_study(write(tmp_path, {"teacher.optimizer": SGD, "teacher.schedule": POLY}))


def test_a_study_cannot_bound_the_cache_of_another_ones_teacher(tmp_path: Path) -> None:
    """The teacher's outputs lie beside the teacher, which may have been trained long before."""
    (tmp_path / "digits.yaml").write_text((repository() / "studies" / "digits.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"name": "mine", "extends": "digits", "cache_gib": 1.0}))
    with pytest.raises(StudyError, match="cache_gib: a study that extends digits has"):
        load_study(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("methods: {ce: {}, kd: {kd: }}", "methods.kd.kd"),  # was the student alone, without a word
        ("methods:\n  ce:\n", "methods.ce"),
        ("evaluation:\n", "evaluation"),  # was no evaluation, unlike {}
        ("augmentation:\n", "augmentation"),
        ("cache_gib:\n", "cache_gib"),
    ],
)
def test_a_key_without_a_value_is_refused(text: str, key: str, tmp_path: Path) -> None:
    own = yaml.safe_load(text)
    content = yaml.safe_load(write(tmp_path, {}).read_text())
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**content, **own}))
    message = complaint(tmp_path / "small.yaml")
    assert (
        f"{key} is empty: write its value ({{}} for a block that takes all defaults), or leave the key out" in message
    )
    assert len(message.splitlines()) == 1

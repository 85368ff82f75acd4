"""A small study of a folder of its own, for the checks that are made before anything is trained."""

from pathlib import Path
from typing import Any

import yaml

from pfs.config.load import load_study
from pfs.config.study import Study

SCHEDULE = {"steps": 2, "batch_size": 2, "learning_rate": 1.0e-3}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "folder", "folder": "own", "holdout": 2},
    "augmentation": {"crop": [16, 24]},
    "evaluation": {},
    "teacher": {"network": {"name": "dilated_resnet", "width": 2}, **SCHEDULE},
    "student": {"network": {"name": "dilated_resnet", "width": 1}, **SCHEDULE},
    "methods": {"ce": {}},
    "reference": "ce",
    "seeds": [0],
}
COUNTS = {"train": 9, "val": 300, "test": 500}  # of the digits below
DIGITS = {"name": "digit_scenes", "train": 9}


def study(folder: Path, **changes: Any) -> Study:
    """The study above with other blocks; None takes a block away."""
    content = {key: value for key, value in {**STUDY, **changes}.items() if value is not None}
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_study(file)

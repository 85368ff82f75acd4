"""What the data of a study do not allow is told before its first run starts."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pfs.config.base import StudyError
from pfs.data.sets.digit_drawing import SIZE
from pfs.study.places import runs_of
from pfs.study.trial import network_check
from pfs.study.trial.data_check import StudyImages, check_data
from pfs.study.trial.preflight import preflight
from tests.study.trial.small_study import COUNTS, DIGITS, STUDY, study


def test_sizes_and_classes_are_those_of_the_data(tmp_path: Path, data: Path) -> None:
    assert check_data(study(tmp_path), data) == StudyImages(
        3, (16, 24), ((20, 30), (40, 26)), {"train": 4, "val": 2, "test": 2}
    )


def test_digit_scenes_are_not_drawn_only_to_be_looked_at(tmp_path: Path) -> None:
    digits = study(tmp_path, data=DIGITS, augmentation=None, evaluation=None)
    assert check_data(digits, tmp_path / "none") == StudyImages(11, (SIZE, SIZE), ((SIZE, SIZE),), COUNTS)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"name": "folder", "folder": "other"}}, "data: .*folder-other has not been verified.*run pfs data"),
        ({"data": {"name": "folder", "folder": "own"}}, "data: there is no test split, only train, val: say .*holdout"),
        ({"data": {"name": "folder", "folder": "own", "holdout": 6}}, "data: .*holdout: 6 leaves none to learn from"),
        ({"student": {**STUDY["student"], "batch_size": 5}}, r"student.batch_size: 5 is more than the 4 images"),
        ({"teacher": {**STUDY["teacher"], "batch_size": 9}}, r"teacher.batch_size: 9 is more than the 4 images"),
        (
            {"augmentation": None},
            r"augmentation: images of train are of 2 sizes, from 20 x 30 to 40 x 26: say in augmentation a crop",
        ),
        ({"evaluation": None}, r"evaluation: images of val and test are of 2 sizes, from 20 x 30 to 40 x 26: say"),
    ],
)
def test_data_that_do_not_fit_the_study_are_told_before_a_network_is_built(
    tmp_path: Path, data: Path, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_check, "build_network", None)  # would be a TypeError
    spec = study(tmp_path, **changes)
    with pytest.raises(StudyError, match=f"^study tiny: {words}") as caught:
        preflight(spec, runs_of(spec), data)
    assert len(str(caught.value).splitlines()) == 1


def test_an_image_that_is_gone_or_no_image_is_named(tmp_path: Path, data: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root, symlinks=False)
    file = next((root / "folder-own" / "images" / "val").iterdir())
    file.write_bytes(b"no image")
    with pytest.raises(StudyError, match=f"data: {file} cannot be read as an image"):
        check_data(study(tmp_path), root)

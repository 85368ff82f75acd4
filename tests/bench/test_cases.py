"""The steps that are measured see the same images and compute the same loss, whatever else tells them apart."""

from pathlib import Path

import pytest
import torch

from pfs.bench.cases import Contiguous, InHalf, PlainCrossEntropy, bench, write_pictures
from pfs.config.methods import Method
from pfs.losses import Prediction
from pfs.models import build_network
from pfs.training.objective import Objective
from tests.bench.tiny import setting

pytestmark = pytest.mark.trains


def test_pictures_are_the_same_decoded_once_or_each_time(tmp_path: Path) -> None:
    files = write_pictures(setting(), tmp_path / "pictures", 3)
    (pixels, classes), (image, label) = files.read(1), files[1]
    assert (len(files), tuple(pixels.shape), tuple(classes.shape)) == (3, (3, 32, 32), (32, 32))
    torch.testing.assert_close(image * 63.75 + 127.5, pixels.float())
    assert torch.equal(label, classes.long()) and int(label.max()) < 5


def test_images_do_not_depend_on_what_is_written_beside_them(tmp_path: Path) -> None:
    few, more = (write_pictures(setting(), tmp_path / str(count), count) for count in (2, 4))
    for index in range(2):
        assert all(torch.equal(*pair) for pair in zip(few.read(index), more.read(index), strict=True))


def test_a_network_in_another_order_of_memory_or_precision_says_the_same() -> None:
    torch.manual_seed(0)
    network = build_network(setting().student, 5).eval().to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 32, 32)
    expected = network(images)
    for other, tolerance in ((Contiguous(network), 1e-4), (InHalf(network), 0.1)):
        for ours, theirs in zip(expected, other(images), strict=True):
            torch.testing.assert_close(theirs.float(), ours, rtol=tolerance, atol=tolerance)
    assert Contiguous(network)(images).logits.is_contiguous()


def test_the_cross_entropy_as_it_is_usually_written_is_ours() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = Prediction(torch.randn(2, 5, 8, 8, generator=generator), torch.zeros(2, 1, 8, 8))
    target = torch.randint(0, 5, (2, 32, 32), generator=generator)
    target[:, :4] = 255
    ours = Objective(Method(), ignore_index=255)(prediction, None, target)["total"]
    torch.testing.assert_close(PlainCrossEntropy()(prediction, None, target)["total"], ours)


def test_the_cached_teacher_of_a_setting_is_the_one_that_is_asked(tmp_path: Path) -> None:
    subject = bench(setting(), tmp_path, pictures=4, compiled=False)
    assert subject.student.training and not subject.teacher.training
    assert subject.split.teacher is not None
    rows = torch.arange(4)
    images, cached, _ = subject.split.batch(rows, torch.device("cpu"))
    assert cached is not None
    with torch.no_grad():
        for ours, asked in zip(cached, subject.teacher(images), strict=True):
            torch.testing.assert_close(ours, asked.float(), rtol=0.02, atol=0.02)  # both are kept as bf16

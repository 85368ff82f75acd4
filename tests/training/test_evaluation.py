"""mIoU is one number from one confusion matrix over the whole split."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score
from torch import Tensor

from pfs.data.splits import ImageSplit
from pfs.training.evaluation import confusion_counts, count_pairs, score
from tests.training.painter import Painter

NAMES = ("background", "one", "two", "three")


def maps(scenes: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(0, 4, (scenes, 8, 8), generator=generator) for _ in range(2))
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    return labels, torch.where(labels % 2 == 0, labels, predicted)


def test_counts_and_scores_equal_scikit_learns() -> None:
    labels, predicted = maps()
    counts = count_pairs(labels, predicted, classes=4, ignore_index=255)
    y, p = labels[labels != 255].numpy(), predicted[labels != 255].numpy()
    assert np.array_equal(counts.sum(0).numpy(), confusion_matrix(y, p, labels=range(4)))
    metrics = score(counts, NAMES)
    assert metrics.miou == pytest.approx(100 * jaccard_score(y, p, average="macro"))
    assert metrics.pixel_accuracy == pytest.approx(100 * accuracy_score(y, p))
    assert list(metrics.iou.values()) == pytest.approx(100 * jaccard_score(y, p, average=None))


def test_counts_are_kept_by_image() -> None:
    labels, predicted = maps()
    counts = count_pairs(labels, predicted, classes=4, ignore_index=255)
    for i in range(len(labels)):
        alone = count_pairs(labels[i : i + 1], predicted[i : i + 1], classes=4, ignore_index=255)
        assert torch.equal(counts[i], alone[0])


@pytest.mark.parametrize("strange", [-1, 4, 254])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int16])
def test_a_label_that_is_no_class_is_refused(strange: int, dtype: torch.dtype) -> None:
    """It would be counted in the matrix of another image."""
    labels, predicted = (x.to(dtype) for x in maps())
    labels[0, 0, :2] = strange
    with pytest.raises(ValueError, match=rf"label {strange} is no class: of \d+ pixels 2 .* 0 to 3; correct the masks"):
        count_pairs(labels, predicted, classes=4, ignore_index=255)


def test_a_prediction_that_is_no_class_is_refused_where_it_counts() -> None:
    labels, predicted = maps()
    labels[0, 0, 0], predicted[0, 0, 0] = 255, 7
    assert count_pairs(labels, predicted, classes=4, ignore_index=255).sum() == (labels != 255).sum()
    labels[0, 0, 0] = 1
    with pytest.raises(ValueError, match="prediction 7 is no class"):
        count_pairs(labels, predicted, classes=4, ignore_index=255)


def test_an_absent_class_has_no_iou_and_no_part_in_the_mean() -> None:
    labels = torch.tensor([[[0, 0], [1, 1]]])
    predicted = torch.tensor([[[0, 0], [1, 0]]])
    metrics = score(count_pairs(labels, predicted, classes=4, ignore_index=255), NAMES)
    assert metrics.iou["two"] is None
    assert metrics.miou == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


def test_a_network_is_counted_over_the_whole_split_in_any_batch_size() -> None:
    labels, predicted = maps()
    images = predicted[:, None].expand(-1, 3, -1, -1).to(torch.uint8)
    scenes = ImageSplit(images, labels.to(torch.uint8))
    expected = count_pairs(labels, predicted, classes=4, ignore_index=255)
    for batch_size in (2, 50):
        counts = confusion_counts(Painter(), scenes, classes=4, ignore_index=255, batch_size=batch_size)
        assert torch.equal(counts, expected)

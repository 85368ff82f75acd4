"""How good a network is: confusion counts of every image, and one mIoU from the counts of the whole split."""

import torch
from torch import Tensor, nn

from pfs.config.data import Evaluation
from pfs.data.dataset import SegmentationDataset
from pfs.data.splits import EvalSplit, ImageSplit
from pfs.models.inference import predict
from pfs.study.records import Metrics

ScoredSplit = ImageSplit | EvalSplit  # a split in memory, of images of one size; or read one by one, of any
SCORED_AT_ONCE = 50  # images in memory, of one size


def count_split(
    network: nn.Module, dataset: SegmentationDataset, images: ScoredSplit, evaluation: Evaluation | None
) -> Tensor:
    """`confusion_counts` of a split as a study has it scored: with its classes, and so many images at once as fit."""
    return confusion_counts(
        network,
        images,
        classes=len(dataset.classes),
        ignore_index=dataset.ignore_index,
        evaluation=evaluation,
        batch_size=SCORED_AT_ONCE if evaluation is None else 1,
    )


@torch.no_grad()
def confusion_counts(
    network: nn.Module,
    split: ScoredSplit,
    *,
    classes: int,
    ignore_index: int,
    evaluation: Evaluation | None = None,
    batch_size: int = 50,
) -> Tensor:
    """Count, for each of N images, which class's pixels got which prediction, at the labels' resolution.

    Args:
        network: evaluated in eval mode and left in it.
        split: the images, with labels.
        classes: C.
        ignore_index: pixels with this label are not counted.
        evaluation: the study's `evaluation`; None shows the network each image as it is.
        batch_size: images a forward pass, all of one size.

    Returns:
        (N, C, C) int64 on the CPU; row: the label, column: the prediction.
    """
    network.eval()
    device = next(network.parameters()).device
    counts = []
    order = torch.split(torch.arange(len(split)), batch_size)
    for images, _, labels in split.batches(order, device):
        predicted = predict(network, images, (labels.shape[1], labels.shape[2]), evaluation)
        counts.append(count_pairs(labels, predicted, classes=classes, ignore_index=ignore_index).cpu())
    return torch.cat(counts)


def count_pairs(labels: Tensor, predicted: Tensor, *, classes: int, ignore_index: int) -> Tensor:
    """The confusion matrices (B, C, C) of labels and predictions (B, H, W), in one pass of `bincount`.

    Raises:
        ValueError: a label or a prediction is no class, and the label is not `ignore_index`.
    """
    B = len(labels)
    valid = labels != ignore_index
    for name, values in (("label", labels[valid]), ("prediction", predicted[valid])):
        strange = values[(values < 0) | (values >= classes)]
        if len(strange):
            raise ValueError(
                f"{name} {int(strange[0])} is no class: of {len(values)} pixels {len(strange)} have a {name} not in "
                f"0 to {classes - 1}; correct the masks or the number of classes, or set such pixels to {ignore_index}"
            )
    image = torch.arange(B, device=labels.device).view(-1, 1, 1)
    entry = (image * classes + labels) * classes + predicted
    return entry[valid].bincount(minlength=B * classes**2).view(B, classes, classes)


def score(confusion: Tensor, names: tuple[str, ...]) -> Metrics:
    """mIoU, pixel accuracy and each class's IoU, in percent, from confusion counts (..., C, C) summed over
    all.

    IoU is intersection over union, TP / (TP + FP + FN); a class that neither labels nor predictions hold has
    none and does not count in the mean.
    """
    matrix = confusion.reshape(-1, *confusion.shape[-2:]).sum(0).double()
    hits = matrix.diagonal()
    iou = 100 * hits / (matrix.sum(0) + matrix.sum(1) - hits)  # 0 / 0 is NaN: the class is absent
    return Metrics(
        miou=float(iou.nanmean()),
        pixel_accuracy=float(100 * hits.sum() / matrix.sum()),
        iou={name: None if value.isnan() else float(value) for name, value in zip(names, iou, strict=True)},
    )

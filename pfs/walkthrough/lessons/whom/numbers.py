"""The numbers of walkthrough 2: weights, gradients and shares of the weight, by the functions of `pfs.losses`.

Everything is at the labels' resolution: H x W are the image's pixels, K its classes, y the label of a pixel,
p = softmax(logits), and T the temperature.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.losses import wsp_loss
from pfs.losses.pixelwise import Probabilities
from pfs.losses.prediction import upsample
from pfs.losses.wsp import GAPS
from pfs.walkthrough.arrays import Walkthrough

RULES = {
    "margin": "margin: max(0, p_T[y] - p_S[y])",
    "absolute": "absolute: |p_T[y] - p_S[y]|",
    "loss": "losses: 1 - exp(-CE_S / CE_T)",
    "divergence": "divergence: KL(p_T || p_S)",
    "correct": "1 where the teacher is right, else 0",
    "student": "the student's doubt: 1 - p_S[y]",
    "uniform": "1 everywhere: plain KD",
}
REGIONS = ("the teacher's errors", "borders", "background", "the rest")


@dataclass(frozen=True)
class Pair:
    """What a teacher and a student say of one image, at the labels' resolution.

    Attributes:
        label: (1, H, W).
        teacher: its logits (1, K, H, W).
        student: its logits (1, K, H, W).
        ignore_index: pixels with this label count nowhere.
    """

    label: Tensor
    teacher: Tensor
    student: Tensor
    ignore_index: int

    @classmethod
    def of(cls, walkthrough: Walkthrough, image: int, student: str) -> "Pair":
        """The teacher and one student on the image with this index."""
        label = torch.as_tensor(walkthrough.labels[image : image + 1]).long()
        size = (label.shape[1], label.shape[2])
        teacher, own = (upsample(walkthrough.logits(name)[image : image + 1], size) for name in ("teacher", student))
        return cls(label, teacher, own, walkthrough.ignore_index)

    @property
    def valid(self) -> Tensor:
        """The pixels that count, (H, W)."""
        return self.label[0] != self.ignore_index

    @property
    def known_label(self) -> Tensor:
        """The label (1, H, W), and class 0 where it is ignored: an index into the classes everywhere."""
        return self.label.where(self.label != self.ignore_index, 0)


# --- the numbers ----------------------------------------------------------------------------------------------


def image_of_most_errors(walkthrough: Walkthrough) -> int:
    """The image, from 0, on which the teacher is wrong at the largest share of the pixels that count."""
    labels = torch.as_tensor(walkthrough.labels)  # (S, H, W)
    said = upsample(walkthrough.logits("teacher"), (labels.shape[1], labels.shape[2])).argmax(1)
    valid = labels != walkthrough.ignore_index
    return int((((said != labels) & valid).sum((1, 2)) / valid.sum((1, 2))).argmax())


def label_probability(pair: Pair, network: str) -> Tensor:
    """p[y], (H, W), of the "teacher" or the "student", at temperature 1; 0 where the label is ignored."""
    logits = pair.teacher if network == "teacher" else pair.student
    return Probabilities(logits).label_prob(pair.known_label)[0] * pair.valid


def weights(pair: Pair, gap: str, normalize: bool = True) -> Tensor:
    """The weight w (H, W) of each pixel by a rule of `pfs.losses.wsp.GAPS`; 0 where the label is ignored.

    Normalised, it is divided by its mean over the pixels that count, unless that mean is 0.
    """
    weight = GAPS[gap](pair.known_label, Probabilities(pair.student), Probabilities(pair.teacher))[0] * pair.valid
    mean = weight.sum() / pair.valid.sum()
    return weight / mean if normalize and mean > 0 else weight


def gradient(pair: Pair, gap: str, temperature: float, normalize: bool = True) -> Tensor:
    """The gradient (K, H, W) of `wsp_loss` for the student's logits, times the number of pixels that count.

    The loss is a mean over pixels, so this factor makes the numbers of one pixel as large as if it were alone. With the
    gap "uniform" the loss is KD. Where a number is negative, a step of gradient descent raises that logit.
    """
    student = pair.student.clone().requires_grad_()
    options = {"gap": gap, "temperature": temperature, "normalize": normalize}
    loss = wsp_loss(student, pair.teacher, pair.label, ignore_index=pair.ignore_index, **options)  # type: ignore[arg-type]
    return torch.autograd.grad(loss, student)[0][0] * pair.valid.sum()


def borders(label: Tensor, ignore_index: int) -> Tensor:
    """The pixels (H, W) of a label map (H, W) that have another label within 1 pixel, diagonals included.

    "Ignored" is such another label: where a band of ignored pixels lies between two classes, the pixels beside it are
    borders. An ignored pixel itself is none.
    """
    largest, smallest = (
        sign * F.max_pool2d((sign * label).double()[None, None], 3, stride=1, padding=1)[0, 0] for sign in (1, -1)
    )
    return (largest != smallest) & (label != ignore_index)


def regions(pair: Pair) -> dict[str, Tensor]:
    """Masks (H, W) of the parts of an image, by the names in `REGIONS`: each pixel that counts is in exactly one.

    A pixel belongs to the first part whose description fits: the teacher's most likely class is not the label; another
    label is within 1 pixel; the label is class 0.
    """
    label = pair.label[0]
    fitting = (pair.teacher[0].argmax(0) != label, borders(label, pair.ignore_index), label == 0, label >= 0)
    remaining, parts = pair.valid.clone(), {}
    for name, fits in zip(REGIONS, fitting, strict=True):
        parts[name] = fits & remaining
        remaining &= ~fits
    return parts


def shares(weight: Tensor, parts: dict[str, Tensor]) -> dict[str, float]:
    """The share of the total weight (H, W) in each part of an image; 0 everywhere where there is no weight."""
    total = float(weight.sum()) or 1.0
    return {name: float((weight * mask).sum()) / total for name, mask in parts.items()}


def likeness(pair: Pair, least: float = 0.0) -> float:
    """The correlation of the margin with the student's doubt over the pixels where p_teacher[y] is at least `least`.

    NaN where one of the two is the same number everywhere.
    """
    chosen = pair.valid & (label_probability(pair, "teacher") >= least)
    margin, doubt = (weights(pair, gap)[chosen].double() for gap in ("margin", "student"))
    return float(torch.corrcoef(torch.stack([margin, doubt]))[0, 1]) if len(margin) > 1 else np.nan

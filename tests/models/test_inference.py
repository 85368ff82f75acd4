"""Pictures of many sizes are scored at their labels' own size, and mIoU is what counting pixel by pixel gives."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pfs.config.data import Evaluation
from pfs.data.install.place import place
from pfs.data.sets.folder import OwnFolder
from pfs.data.splits import EvalSplit
from pfs.losses import Prediction
from pfs.models.inference import class_probabilities, predict
from pfs.training.evaluation import confusion_counts, score

CLASSES = ("sky", "road", "tree")
SIZES = ((5, 7), (12, 4), (9, 16))
HOWS = [{}, {"window": [4, 6]}, {"flip": True}, {"window": [6, 3], "flip": True}]


class Painter(nn.Module):
    """Predicts the class that the image's red names, pixel by pixel; takes sizes that are multiples of 4 alone."""

    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.shown: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Prediction:
        assert images.shape[-2] % 4 == images.shape[-1] % 4 == 0
        self.shown.append((images.shape[-2], images.shape[-1]))
        classes = torch.arange(3.0).view(1, 3, 1, 1) * 60
        return Prediction(-(images[:, :1] * 63.75 + 127.5 - classes).abs(), images)


class Coarse(nn.Module):
    """Has an opinion on each block of 2 x 2 pixels, which depends on where in the image the block lies."""

    multiple = 2

    def forward(self, images: Tensor) -> Prediction:
        blocks = nn.functional.avg_pool2d(images, 2)
        place = torch.linspace(0, 1, blocks.shape[-1])
        return Prediction(torch.cat([blocks[:, :1], blocks[:, 1:2] * place, blocks[:, 2:]], 1), blocks)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> EvalSplit:
    """Three pictures of different sizes on disk; red tells the prediction of `Painter`, and often the label."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / "own" / kind / "train").mkdir(parents=True)
        (folder / "own" / kind / "val").mkdir()
    (folder / "own" / "classes.txt").write_text("\n".join(CLASSES))
    for number, size in enumerate((*SIZES, (3, 3))):
        split = "val" if number < len(SIZES) else "train"
        predicted = random.integers(0, 3, size)
        label = np.where(random.random(size) < 0.5, predicted, random.integers(0, 3, size))
        label[random.random(size) < 0.2] = 255
        image = np.stack([60 * predicted] * 3, axis=2).astype(np.uint8)
        Image.fromarray(image).save(folder / "own/images" / split / f"{number}.png")
        Image.fromarray(label.astype(np.uint8)).save(folder / "own/masks" / split / f"{number}.png")
    return EvalSplit(OwnFolder(place(OwnFolder, folder, source=folder / "own"), "val"), (8, 8))


def counted_by_hand(pictures: EvalSplit) -> tuple[np.ndarray, float]:
    """The confusion matrix and mIoU, one pixel after the other, from the files."""
    matrix = np.zeros((3, 3), int)
    for index in range(len(pictures)):
        image, mask = (np.asarray(x) for x in pictures.dataset[index])
        for row in range(mask.shape[0]):
            for column in range(mask.shape[1]):
                if mask[row, column] != 255:
                    matrix[mask[row, column], image[row, column, 0] // 60] += 1
    unions = [matrix[c].sum() + matrix[:, c].sum() - matrix[c, c] for c in range(3)]
    return matrix, float(np.mean([100 * matrix[c, c] / unions[c] for c in range(3)]))


@pytest.mark.parametrize("evaluation", HOWS, ids=str)
def test_miou_is_that_of_a_count_pixel_by_pixel(pictures: EvalSplit, evaluation: dict[str, object]) -> None:
    counts = confusion_counts(
        Painter(), pictures, classes=3, ignore_index=255, evaluation=Evaluation.model_validate(evaluation), batch_size=1
    )
    matrix, miou = counted_by_hand(pictures)
    assert counts.shape == (3, 3, 3)  # by picture
    np.testing.assert_array_equal(counts.sum(0).numpy(), matrix)
    assert score(counts, CLASSES).miou == pytest.approx(miou, abs=1e-12)


def test_a_whole_picture_is_padded_to_what_the_network_takes_and_cut_back() -> None:
    network, images = Painter(), torch.zeros(1, 3, 5, 7)
    assert class_probabilities(network, images, Evaluation()).shape == (1, 3, 5, 7)
    assert network.shown == [(8, 8)]


def test_windows_cover_the_picture_two_thirds_apart() -> None:
    network, images = Painter(), torch.zeros(1, 3, 20, 32)
    class_probabilities(network, images, Evaluation(window=[12, 12]))
    assert network.shown == [(12, 12)] * 2 * 4  # from rows 0 and 8; columns 0, 8, 16 and 20
    network.shown.clear()
    class_probabilities(network, images, Evaluation(window=[40, 12]))
    assert network.shown == [(20, 12)] * 4  # a lower picture is shown as it is


def test_windows_scales_and_mirror_images_are_averaged() -> None:
    images = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    network = Coarse()

    def alone(shown: Tensor) -> Tensor:
        logits = network(shown).logits
        fine = nn.functional.interpolate(logits, size=shown.shape[-2:], mode="bilinear", align_corners=False)
        return fine.softmax(1)

    mirrored = (alone(images) + alone(images.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(class_probabilities(network, images, Evaluation(flip=True)), mirrored)

    doubled = nn.functional.interpolate(images, scale_factor=2.0, mode="bilinear", align_corners=False)
    back = nn.functional.interpolate(alone(doubled), size=(8, 12), mode="bilinear", align_corners=False)
    both = class_probabilities(network, images, Evaluation(scales=[1.0, 2.0]))
    torch.testing.assert_close(both, (alone(images) + back) / 2)

    left, right = alone(images[..., :8]), alone(images[..., 4:])  # windows of 8 x 8 begin at 0 and 4
    expected = torch.cat([left[..., :4], (left[..., 4:] + right[..., :4]) / 2, right[..., 4:]], -1)
    windowed = class_probabilities(network, images, Evaluation(window=[8, 8]))
    torch.testing.assert_close(windowed, expected)
    torch.testing.assert_close(windowed.sum(1), torch.ones(2, 8, 12))


def test_without_an_evaluation_a_network_is_shown_what_there_is() -> None:
    network, images = Painter(), torch.zeros(2, 3, 4, 8)
    assert torch.equal(predict(network, images, (4, 8)), predict(network, images, (4, 8), Evaluation()))

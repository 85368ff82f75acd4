"""Whether a study's data are in place, and enough: told before anything trains. Image files are not decoded here."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pfs.config import data as data_config
from pfs.config import study
from pfs.config.base import StudyError
from pfs.data.build import PLACED, build
from pfs.data.dataset import SPLITS, DatasetError, SegmentationDataset
from pfs.data.loading.images import ImageError, image_size
from pfs.data.sets.digit_scenes import DigitScenes

Size = tuple[int, int]  # height and width in pixels
# Of the usual image; ADE20K's differ most.
PUBLISHED_SIZES: dict[str, Size] = {
    "voc2012": (375, 500),
    "ade20k": (512, 683),
    "pascal_context": (375, 500),
    "camvid": (360, 480),
}
DRAWN: Size = (64, 64)  # what `pfs.data.sets.digit_drawing` draws, which takes seconds to import


@dataclass(frozen=True)
class StudyImages:
    """What the networks of a study will be shown.

    Attributes:
        classes: how many the data set has.
        trained_at: height and width of the images that networks are trained on: those of the crop, if there is one.
        scored_at: the smallest and the largest image of val and test, or the one size that all have.
        counts: how many images the splits "train", "val" and "test" have.
    """

    classes: int
    trained_at: Size
    scored_at: tuple[Size, ...]
    counts: dict[str, int]


def check_data(spec: study.Study, root: Path) -> StudyImages:
    """Look at the data of a study, without decoding an image.

    Args:
        spec: the study.
        root: the folder of all data sets.

    Raises:
        StudyError: the data are not in place; they have no test split and the study holds no images out; a batch is
            larger than the training split; or images of several sizes would have to be taken whole.
    """
    if isinstance(
        spec.data, data_config.DigitScenesConfig
    ):  # they are drawn where they are needed; the YAML has their counts
        counts = {split: getattr(spec.data, split) for split in SPLITS}
        return StudyImages(len(DigitScenes.classes), _crop(spec) or DRAWN, (DRAWN,), counts)
    try:
        splits = build(spec.data, root)
        _check_splits(spec, splits)
        scored = _sizes(splits["val"], splits["test"])
        trained, counts = _trained_at(spec, splits["train"]), {split: len(splits[split]) for split in SPLITS}
        return StudyImages(len(splits["train"].classes), trained, _extremes(spec, scored), counts)
    except DatasetError as error:
        raise StudyError(f"study {spec.name}: data: {error}") from None


def published_images(spec: study.Study) -> StudyImages:
    """What a study's data are by their publication, for a study whose data are not in place.

    Raises:
        StudyError: the data are the user's own.
    """
    if isinstance(spec.data, data_config.DigitScenesConfig | data_config.OwnFolderConfig):
        raise StudyError(f"study {spec.name}: data: nobody has published {spec.data.name}: put them in place first")
    dataset, train = PLACED[spec.data.name], getattr(spec.data, "train", "train")
    held = getattr(spec.data, "holdout", None)
    counts = {"train": dataset.counts[train], "val": dataset.counts["val"], "test": dataset.counts.get("test", 0)}
    if held is not None:
        counts = {"train": counts["train"] - held, "val": held, "test": counts["val"]}
    size = PUBLISHED_SIZES[spec.data.name]
    classes = getattr(spec.data, "classes", len(dataset.classes))
    return StudyImages(classes, _crop(spec) or size, (size,), counts)


def _check_splits(spec: study.Study, splits: dict[str, SegmentationDataset]) -> None:
    if missing := [split for split in SPLITS if split not in splits]:
        raise StudyError(
            f"study {spec.name}: data: there is no {missing[0]} split, only {', '.join(splits)}: say in the study's "
            "data, with holdout, how many training images become val; their own val is then test"
        )
    count = len(splits["train"])
    for role, training in (("teacher", spec.teacher), ("student", spec.student)):
        if training.batch_size > count:
            raise StudyError(
                f"study {spec.name}: {role}.batch_size: {training.batch_size} is more than the {count} images to train "
                "on: lower it, or add images"
            )
    if empty := [split for split in ("val", "test") if not len(splits[split])]:
        raise StudyError(f"study {spec.name}: data: the {empty[0]} split has no image: add some")


def _trained_at(spec: study.Study, train: SegmentationDataset) -> Size:
    if crop := _crop(spec):
        return crop
    sizes = _sizes(train)
    if len(sizes) > 1:
        raise StudyError(
            f"study {spec.name}: augmentation: {_several(sizes, 'train')}: say in augmentation a crop of one size"
        )
    return min(sizes)


def _extremes(spec: study.Study, scored: set[Size]) -> tuple[Size, ...]:
    if spec.evaluation is None and len(scored) > 1:
        several = _several(scored, "val and test")
        raise StudyError(f"study {spec.name}: evaluation: {several}: say evaluation in the study, such as {{flip: no}}")
    by_area = sorted(scored, key=lambda size: (size[0] * size[1], size))
    return tuple(dict.fromkeys([by_area[0], by_area[-1]]))


def _several(sizes: set[Size], where: str) -> str:
    first, *_, last = sorted(sizes)
    return f"images of {where} are of {len(sizes)} sizes, from {first[0]} x {first[1]} to {last[0]} x {last[1]}"


def _crop(spec: study.Study) -> Size | None:
    return (spec.augmentation.crop[0], spec.augmentation.crop[1]) if spec.augmentation else None


def _sizes(*splits: SegmentationDataset) -> set[Size]:
    """Heights and widths of all images, from the first bytes of each file.

    Raises:
        DatasetError: a file is missing or no image.
    """
    return {_size(split, file) for split in splits for file in _image_files(split)}


def _image_files(split: SegmentationDataset) -> Iterable[Path]:
    return (split.files(index)[0] for index in range(len(split)))


def _size(split: SegmentationDataset, file: Path) -> Size:
    try:
        return image_size(file)
    except ImageError as error:
        raise split.error(file, str(error)) from None

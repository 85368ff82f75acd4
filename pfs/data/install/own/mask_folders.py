"""The layouts that have masks: VOC's, and a folder of images beside one of masks, under any of the usual names."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from PIL import Image

from pfs.data.dataset import LISTS, SPLITS, DatasetError
from pfs.data.install.own.layout import (
    SPLIT_NAMES,
    Item,
    Layout,
    Split,
    abridged,
    by_name,
    called,
    class_names,
    files_in,
    folders_in,
    read_lines,
)

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "frames", "rgb")
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclasspng", "segmentationclass"),
    *("gt", "groundtruth", "ground_truth", "segmentations", "segmentation", "seg"),
)
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg")
# What the name of a mask may have more than that of its image: cat_mask.png, 0001TP_006690_L.png.
MASK_AFFIX = re.compile(r"[-_. ](masks?|labels?|gt|seg|segmentation|annot|annotation|l|labelids|labeltrainids)$", re.I)
Folders = Iterator[tuple[Split, Path, Path]]


def as_voc(source: Path, endings: Collection[str]) -> Layout | None:
    """JPEGImages, and the masks in SegmentationClass or, as labelme writes them, in SegmentationClassPNG.

    Raises:
        DatasetError: a name that a list has is missing, or several masks have one name.
    """
    candidates = (source / "SegmentationClassPNG", source / "SegmentationClass")
    masks = next((folder for folder in candidates if files_in(folder, MASK_ENDINGS)), None)
    if masks is None or not (source / "JPEGImages").is_dir():
        return None
    pairs = _Pairs(None, source / "JPEGImages", masks, endings)
    says = f"VOC's layout (JPEGImages, {masks.name}"
    lists = {file.stem: file for file in files_in(source / LISTS, (".txt",))}
    splits: dict[Split, Path] = {split: lists[split] for split in SPLITS if split in lists}
    if not splits and lists:
        splits = {None: next(iter(lists.values()))}
    if not splits:
        return _joined(source, f"{says}, no lists)", [pairs])
    items = [item for split, file in splits.items() for item in pairs.listed(split, file)]
    names, file_name = class_names(source)
    return Layout(f"{says}, {', '.join(file.name for file in splits.values())})", items, names, file_name)


def as_folders(source: Path, endings: Collection[str]) -> Layout | None:
    """A folder of images and one of masks, with splits or without.

    Raises:
        DatasetError: the folders are there, but have no name in common; or several masks have one name.
    """
    for arrangement in (_by_kind, _by_split, _beside_each_other, _by_stems):
        pairs = [_Pairs(*folders, endings) for folders in arrangement(source)]
        pairs = [pair for pair in pairs if pair.images and pair.masks]
        if any(pair.common for pair in pairs):
            names = "; ".join(
                f"{pair.folders[0].relative_to(source)}, {pair.folders[1].relative_to(source)}" for pair in pairs
            )
            return _joined(source, f"images and masks ({names})", pairs)
        if pairs and arrangement is not _by_stems:
            raise DatasetError(pairs[0].apart())
    return None


def _by_kind(source: Path) -> Folders:
    """images/ and masks/, or images/train/ and masks/train/ and so on."""
    images, masks = called(source, IMAGE_FOLDERS), called(source, MASK_FOLDERS)
    if images is None or masks is None:
        return
    splits = _splits(images)
    if not splits:
        yield None, images, masks
    for split, folder in splits:
        if other := called(masks, [name for name, meant in SPLIT_NAMES.items() if meant == split]):
            yield split, folder, other


def _by_split(source: Path) -> Folders:
    """train/images/ and train/masks/, and so on."""
    for split, folder in _splits(source):
        images, masks = called(folder, IMAGE_FOLDERS), called(folder, MASK_FOLDERS)
        if images and masks:
            yield split, images, masks


def _beside_each_other(source: Path) -> Folders:
    """train/ and trainannot/, train_labels/ or train_masks/, and so on."""
    for split, folder in _splits(source):
        kinds = ("annot", *MASK_FOLDERS)
        names = [f"{folder.name.lower()}{mark}{kind}" for mark in ("", "_", "-") for kind in kinds]
        if masks := called(source, names):
            yield split, folder, masks


def _by_stems(source: Path) -> Folders:
    """Two folders of any names with images of the same names, if anything tells which of them has the masks."""
    folders = [folder for folder in folders_in(source) if files_in(folder, MASK_ENDINGS)]
    if len(folders) == 2:
        for tells in (_is_called_masks, _names_masks, _has_one_channel):
            masks = [folder for folder in folders if tells(folder)]
            if len(masks) == 1:
                yield None, next(folder for folder in folders if folder != masks[0]), masks[0]
                return


def _is_called_masks(folder: Path) -> bool:
    return folder.name.lower() in MASK_FOLDERS


def _names_masks(folder: Path) -> bool:
    return all(MASK_AFFIX.search(file.stem) for file in files_in(folder, MASK_ENDINGS))


def _has_one_channel(folder: Path) -> bool:
    try:
        with Image.open(files_in(folder, MASK_ENDINGS)[0]) as image:
            return image.mode in ("P", "L", "1", "I;16")
    except OSError:
        return False


def _splits(folder: Path) -> list[tuple[str, Path]]:
    """The folders in a folder that are called after a split."""
    named = [(SPLIT_NAMES.get(inner.name.lower()), inner) for inner in folders_in(folder)]
    return [(split, inner) for split, inner in named if split]


class _Pairs:
    """A folder of images and one of masks, joined by the names of the files without their endings.

    Attributes:
        common: the names that have both.

    Raises:
        DatasetError: several images or several masks have one of these names.
    """

    def __init__(self, split: Split, images: Path, masks: Path, endings: Collection[str]) -> None:
        self.split = split
        self.folders = images, masks
        self.images = by_name(files_in(images, endings))
        self.masks: dict[str, list[Path]] = defaultdict(list)
        for name, files in by_name(files_in(masks, MASK_ENDINGS)).items():
            self.masks[name if name in self.images else MASK_AFFIX.sub("", name)] += files
        self.common = sorted(self.images.keys() & self.masks.keys())
        self._refuse_several()

    def items(self, split: Split, names: Collection[str]) -> list[Item]:
        """The images of those names, with their masks."""
        return [Item(split, self.images[name][0], self.masks[name][0]) for name in names]

    def listed(self, split: Split, file: Path) -> list[Item]:
        """The images that a list names, with their masks.

        Raises:
            DatasetError: one has no image or no mask.
        """
        names = read_lines(file)
        if missing := [name for name in names if name not in self.common]:
            lines = [f"{file}: {name} has no image and mask of that name: put them there" for name in missing]
            raise DatasetError("\n".join(abridged(lines)))
        return self.items(split, names)

    def apart(self) -> str:
        """Says that no image has a mask, with the first name of each."""
        (images, masks), image, mask = self.folders, min(self.images), min(self.masks)
        return (
            f"{images} and {masks} have no name in common ({self.images[image][0].name}, {self.masks[mask][0].name}): "
            "call each mask as its image, but for the ending"
        )

    def _refuse_several(self) -> None:
        several = [
            (folder, files[name])
            for folder, files in zip(self.folders, (self.images, self.masks), strict=True)
            for name in self.common
            if len(files[name]) > 1
        ]
        lines = [f"{folder}: {', '.join(file.name for file in files)} are for one image" for folder, files in several]
        if lines:
            raise DatasetError("\n".join(abridged([f"{line}: keep one of them" for line in lines])))


def _joined(source: Path, says: str, pairs: list[_Pairs]) -> Layout:
    """A layout of all images in those folders that have a mask."""
    names, file_name = class_names(source)
    unlabelled = [
        file for pair in pairs for name in sorted(pair.images.keys() - pair.masks) for file in pair.images[name]
    ]
    orphans = [file for pair in pairs for name in sorted(pair.masks.keys() - pair.images) for file in pair.masks[name]]
    items = [item for pair in pairs for item in pair.items(pair.split, pair.common)]
    return Layout(says, items, names, file_name, tuple(unlabelled), tuple(orphans))

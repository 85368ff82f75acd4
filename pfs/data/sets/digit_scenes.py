"""Digit Scenes: handwritten digits over photographs, 64x64, for semantic segmentation without a download.

A scene is a function of (seed, split, index) alone: neither order nor the number of processes changes it.

<folder>/JPEGImages/<name>.png              the image, lossless
<folder>/SegmentationClass/<name>.png       its labels, a palette PNG; 255 is not scored
<folder>/ImageSets/Segmentation/<split>.txt one name a line
<folder>/checksums.json                     how many images a split has, and its pixels' sha256
"""

import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from pfs.config import data as config
from pfs.data.dataset import IMAGES, LABELS, LISTS, SPLITS, SegmentationDataset, checksum
from pfs.data.install.state import digit_scenes_counts, digit_scenes_folder

if TYPE_CHECKING:
    from pfs.data.sets.digit_drawing import Scene


class DigitScenes(SegmentationDataset):
    """One split of Digit Scenes, which `generate` has written.

    Args:
        root: the folder that holds the data sets.
        split: "train", "val" or "test".
        spec: the study's `data`: scenes a split, seed.

    Raises:
        DatasetError: see `SegmentationDataset`.
    """

    classes = ("background", *map(str, range(10)))

    def __init__(self, root: str | Path, split: str, spec: config.DigitScenesConfig) -> None:
        super().__init__(digit_scenes_folder(spec, Path(root)), split)

    @property
    def repair_hint(self) -> str:
        """Generated data are mended by generating them again."""
        return f"delete {self.folder} and run again: it is generated anew"


def generate(spec: config.DigitScenesConfig, root: str | Path) -> Path:
    """Write the data set unless it is there, and return its folder.

    It appears whole or not at all; a process that asks while another writes waits for it.
    """
    folder = digit_scenes_folder(spec, Path(root))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            try:
                _write(spec, partial)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write(spec: config.DigitScenesConfig, folder: Path) -> None:
    for name in (IMAGES, LABELS, LISTS):
        (folder / name).mkdir(parents=True)
    sums = {split: checksum(_write_split(spec, split, folder)) for split in SPLITS}
    content = {"recipe": digit_scenes_counts(spec), "sha256": sums}
    (folder / "checksums.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_split(spec: config.DigitScenesConfig, split: str, folder: Path) -> Iterator[tuple[bytes, bytes]]:
    """Draw the scenes in two processes, write them in this one, and pass each on for the checksum."""
    count = getattr(spec, split)
    batches = DataLoader(_Scenes(spec.seed, split, count), batch_size=20, num_workers=2, collate_fn=list)
    scenes = tqdm(chain.from_iterable(batches), desc=f"drawing {split}", unit="scene", total=count)
    names = [f"{split}_{index:05d}" for index in range(count)]
    (folder / LISTS / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for name, (image, label) in zip(names, scenes, strict=True):
        Image.fromarray(image).save(folder / IMAGES / f"{name}.png", compress_level=1)
        mask = Image.fromarray(label, "P")
        mask.putpalette(SegmentationDataset.palette.tobytes())
        mask.save(folder / LABELS / f"{name}.png")
        yield image.tobytes(), label.tobytes()


class _Scenes(Dataset["Scene"]):
    """The scenes of a split as they are drawn, for a DataLoader's processes."""

    def __init__(self, seed: int, split: str, count: int) -> None:
        self.seed, self.split, self.count = seed, split, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> "Scene":
        from pfs.data.sets.digit_drawing import draw_scene  # heavy: only where scenes are drawn

        return draw_scene(self.seed, self.split, index)

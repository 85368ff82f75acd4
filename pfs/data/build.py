"""Data sets for semantic segmentation, and the one call that a study needs: `build`."""

from pathlib import Path

from pfs.config import data as config
from pfs.data.dataset import SPLITS, DatasetError, SegmentationDataset, hold_out, hold_out_sequence
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.base import PlacedDataset
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.digit_scenes import DigitScenes, generate
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import PascalContext59, PascalContext60
from pfs.data.sets.voc2012 import Voc2012

# What `pfs data` can put into place, by name.
PLACED: dict[str, type[PlacedDataset]] = {
    dataset.name: dataset for dataset in (Voc2012, Ade20k, PascalContext60, CamVid, OwnFolder)
}


def build(spec: config.Data, root: str | Path) -> dict[str, SegmentationDataset]:
    """The data of a study by split: "train", "val", and "test" where its labels are public, or images are held out.

    Digit Scenes are generated first where they are not there yet; other data `pfs data` must have put into place.

    Args:
        spec: the study's `data`.
        root: the folder that holds the data sets.

    Raises:
        DatasetError: what is there is broken, or `holdout` does not fit it. Files are checked as they are read, the
            checksum by `decoded`.
    """
    splits = _found(spec, Path(root))
    held = spec.holdout if isinstance(spec, config.WithoutTest) else None
    if held is None:
        return splits
    if "test" in splits:
        raise DatasetError(f"{splits['test'].list_file}: there is a test split: take holdout out of the study's data")
    train, val = hold_out(splits["train"], held)
    return {"train": train, "val": val, "test": splits["val"]}


def _found(spec: config.Data, root: Path) -> dict[str, SegmentationDataset]:
    """The splits as the data set has them."""
    match spec:
        case config.DigitScenesConfig():
            generate(spec, root)
            return {split: DigitScenes(root, split, spec) for split in SPLITS}
        case config.Voc2012Config():
            folder = _placed(root / "voc2012", "voc2012")
            if spec.train not in Voc2012.splits(folder):
                raise DatasetError(
                    f"{folder} has no labels of SBD, which trainaug is made of: say train: train in the study's data, "
                    "or delete that folder and take VOC with SBD (docs/data.md)"
                )
            return {"train": Voc2012(folder, spec.train), "val": Voc2012(folder, "val")}
        case config.OwnFolderConfig():
            folder = _placed(root / f"folder-{spec.folder}", f"folder --from .../{spec.folder}")
            return _splits(OwnFolder, folder)
        case config.PascalContextConfig():
            context = PascalContext59 if spec.classes == 59 else PascalContext60
            return _splits(context, _placed(root / spec.name, spec.name))
        case config.Ade20kConfig():
            return _splits(Ade20k, _placed(root / spec.name, spec.name))
        case config.CamVidConfig():
            own = _splits(CamVid, _placed(root / spec.name, spec.name))
            if spec.holdout_sequence is None:
                return own
            train, val = hold_out_sequence(own["train"], spec.holdout_sequence)
            return {"train": train, "val": val, "test": own["test"]}


def _placed(folder: Path, arguments: str) -> Path:
    if not (folder / "checksums.json").is_file():
        run = f"pfs data {arguments} --data {folder.parent}"
        raise DatasetError(f"{folder} has not been verified, or is missing: run {run} (docs/data.md)")
    return folder


def _splits(dataset: type[PlacedDataset], folder: Path) -> dict[str, SegmentationDataset]:
    return {split: dataset(folder, split) for split in dataset.splits(folder)}

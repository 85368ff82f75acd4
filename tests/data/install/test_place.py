"""Public data sets and one's own: read as their archives have them, put into place whole or not at all, verified."""

import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import SBDataset, VOCSegmentation
from torchvision.datasets.voc import DATASET_YEAR_DICT
from torchvision.transforms.functional import pil_to_tensor

from pfs.__main__ import main
from pfs.config import data as data_config
from pfs.config import study
from pfs.config.data import PLACED_NAMES
from pfs.config.files import repository
from pfs.data.build import PLACED, build
from pfs.data.dataset import DatasetError, data_checksum, hold_out
from pfs.data.install.place import place
from pfs.data.loading.cache import decoded
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.base import Archive, PlacedDataset
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import IDS, PascalContext59, PascalContext60, decode_rle
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures
from pfs.training.evaluation import ScoredSplit
from pfs.training.run import Run, load_eval_splits

Kind = type[PlacedDataset]
TREES: dict[Kind, Callable[[Path], Path]] = {
    Voc2012: miniatures.voc2012,
    Ade20k: miniatures.ade20k,
    PascalContext60: miniatures.pascal_context,
    CamVid: miniatures.camvid,
    OwnFolder: miniatures.own_folder,
}
COUNTS: dict[Kind, dict[str, int]] = {
    Voc2012: {"train": 2, "trainaug": 4, "val": 1},
    Ade20k: {"train": 2, "val": 1},
    PascalContext60: {"train": 2, "val": 1},
    CamVid: {"train": 2, "val": 1, "test": 1},
}
OFFICIAL = {kind: kind.counts for kind in COUNTS}
every_kind = pytest.mark.parametrize("kind", TREES, ids=lambda kind: kind.name)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, counts in COUNTS.items():
        monkeypatch.setattr(kind, "counts", counts)


def tree(kind: Kind, folder: Path) -> Path:
    """The data set's miniature, in the form that its loader reads and in no other."""
    own = TREES[kind](folder / "own")
    kind.convert(own)
    for file in own.rglob("trainval_merged.json"):
        file.unlink()
    return own


# --- what the loaders read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "val"])
def test_voc_is_torchvisions_item_by_item(split: str, tmp_path: Path) -> None:
    folder = tree(Voc2012, tmp_path)
    ours, theirs = Voc2012(folder, split), VOCSegmentation(folder, image_set=split)
    assert len(ours) == len(theirs) == COUNTS[Voc2012][split]
    for index in range(len(theirs)):
        for mine, other in zip(ours[index], theirs[index], strict=True):
            assert torch.equal(pil_to_tensor(mine), pil_to_tensor(other))


def test_voc_trainaug_is_the_union_less_vocs_val(tmp_path: Path) -> None:
    folder = tree(Voc2012, tmp_path)
    dataset = Voc2012(folder, "trainaug")
    assert dataset.names == ["2007_01", "2007_02", "2008_01", "2008_02"]
    assert [dataset.files(index)[1].suffix for index in range(4)] == [".png", ".png", ".mat", ".mat"]
    shutil.copytree(folder / "VOCdevkit/VOC2012/JPEGImages", folder / "benchmark_RELEASE/dataset/img")
    theirs = SBDataset(folder / "benchmark_RELEASE/dataset", "train", mode="segmentation")
    for mine, other in zip(dataset[2], theirs[0], strict=True):
        assert torch.equal(pil_to_tensor(mine), pil_to_tensor(other))


def test_the_archives_are_those_that_torchvision_knows() -> None:
    teacher_terms = [
        (entry["url"], f"md5:{entry['md5']}") for entry in (DATASET_YEAR_DICT["2012"], DATASET_YEAR_DICT["2010"])
    ]
    teacher_terms.append((SBDataset.url, f"md5:{SBDataset.md5}"))
    ours = [Voc2012.archives[0], PascalContext60.archives[0], Voc2012.archives[1]]
    assert [(archive.url, archive.checksum) for archive in ours] == teacher_terms


def test_the_official_counts_are_the_literatures() -> None:
    assert OFFICIAL[Voc2012] == {"train": 1464, "trainaug": 10582, "val": 1449}
    assert OFFICIAL[Ade20k] == {"train": 20210, "val": 2000}
    assert OFFICIAL[PascalContext60] == {"train": 4998, "val": 5105}
    assert OFFICIAL[CamVid] == {"train": 367, "val": 101, "test": 233}


def test_each_has_its_number_of_classes() -> None:
    kinds = (Voc2012, Ade20k, PascalContext59, PascalContext60, CamVid)
    assert [len(set(kind.classes)) for kind in kinds] == [21, 150, 59, 60, 11]
    assert (Ade20k.classes[0], Ade20k.classes[149], Voc2012.classes[15]) == ("wall", "flag", "person")


@pytest.mark.parametrize(("kind", "void", "first"), [(Ade20k, 0, 1), (CamVid, 11, 0), (PascalContext59, 0, 1)])
def test_void_becomes_255_and_classes_begin_at_0(kind: Kind, void: int, first: int, tmp_path: Path) -> None:
    dataset = kind(tree(PascalContext60 if kind is PascalContext59 else kind, tmp_path), "train")
    raw = np.asarray(Image.open(dataset.files(0)[1])).astype(int)
    expected = np.where(raw == void, 255, raw - first)
    np.testing.assert_array_equal(np.asarray(dataset[0][1]), expected)
    assert set(np.unique(expected)) <= {*range(len(kind.classes)), 255}


def test_pascal_context_is_made_from_the_json_file(tmp_path: Path) -> None:
    folder = tree(PascalContext60, tmp_path)
    dataset = PascalContext60(folder, "train")
    assert dataset.names == ["2008_000001", "2008_000002"]
    expected = np.zeros((miniatures.HEIGHT, miniatures.WIDTH), np.uint8)
    for row, name in enumerate(("aeroplane", "mountain", "wood")):  # later parts lie over earlier ones
        expected[row * 2 : row * 2 + 3, 1:] = dataset.classes.index(name)
    np.testing.assert_array_equal(np.asarray(dataset[0][1]), expected)
    assert PascalContext59(folder, "train").classes[expected[0, 1] - 1] == "aeroplane"


def test_pascal_contexts_names_follow_the_ids() -> None:
    assert list(IDS) == sorted(IDS)
    assert list(IDS.values())[1:] == sorted(list(IDS.values())[1:])  # the 459 names stand in alphabetical order


def test_pascal_context_refuses_other_names(tmp_path: Path) -> None:
    source = miniatures.pascal_context(tmp_path / "own")
    file = source / "VOCdevkit/VOC2010/trainval_merged.json"
    file.write_text(file.read_text().replace('"mountain"', '"motorbike"'))
    with pytest.raises(DatasetError, match=r"merged.json names .* otherwise than we do: 259 is 'motorbike', not 'mou"):
        place(PascalContext60, tmp_path / "data", source=source)
    assert not list((tmp_path / "data").glob("pascal_context*/"))


def test_run_lengths_are_read_as_pycocotools_does() -> None:
    expected = np.zeros((40, 50), bool)
    expected[3:30, 5:20] = expected[10:12, 8:40] = expected[0, 49] = expected[39, 0] = True
    # What pycocotools 2.0.11 makes of this mask.
    counts = "W11S5j0ZK0000000000000000000000000007WOb00000000000000000000000000000000000000n:OSE"
    np.testing.assert_array_equal(decode_rle(counts, 40, 50), expected)
    assert miniatures.run_lengths(expected) == counts
    with pytest.raises(ValueError, match="2000 pixels for a mask of 51x40"):
        decode_rle(counts, 40, 51)


@pytest.mark.parametrize("json_too", [False, True])
def test_masks_that_a_toolbox_made_are_taken_where_there_is_no_json_file(json_too: bool, tmp_path: Path) -> None:
    source = miniatures.pascal_context(tmp_path / "own")
    PascalContext60.convert(source)
    if not json_too:
        (source / "VOCdevkit/VOC2010/trainval_merged.json").unlink()
    dataset = PascalContext59(place(PascalContext60, tmp_path / "data", source=source), "val")
    assert dataset.files(0)[1].resolve().is_relative_to(source) is not json_too


def test_ones_own_folder_names_its_classes(tmp_path: Path) -> None:
    folder = tree(OwnFolder, tmp_path)
    dataset = OwnFolder(folder, "train")
    assert dataset.classes == ("sky", "road", "tree and bush")
    assert dataset.names == ["00.JPG", "01.png"]
    assert OwnFolder.splits(folder) == ["train", "val"]
    (folder / "classes.txt").write_text("sky\nsky\n")
    with pytest.raises(DatasetError, match=r"classes.txt has 2 names, 1 of them different, not 2 to 255"):
        OwnFolder(folder, "train")


def test_an_unknown_split_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="voc2012 has no split 'test'; valid choices: train, val"):
        Voc2012(tmp_path, "test")


SHARED = repository().parent / "shared" / "data" / "camvid_240x180"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs CamVid in {SHARED.relative_to(repository().parent)}")
def test_the_real_camvid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CamVid, "counts", OFFICIAL[CamVid])
    place(CamVid, tmp_path, source=SHARED)
    splits = build(data_config.CamVidConfig(name="camvid"), tmp_path)
    assert {split: len(dataset) for split, dataset in splits.items()} == OFFICIAL[CamVid]
    images, labels = decoded(splits["val"])
    assert (tuple(images.shape), tuple(labels.shape)) == ((101, 3, 180, 240), (101, 180, 240))
    assert np.unique(labels).tolist() == [*range(11), 255]
    shares = torch.bincount(labels.flatten(), minlength=256)[:11]
    assert [splits["val"].classes[index] for index in shares.topk(3).indices] == ["road", "building", "tree"]


# --- broken data: everything is told at once, and nothing half-done remains -------------------------------------------


def truncate(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[0]
    file.write_bytes(file.read_bytes()[:-100])
    return f"{file.name} cannot be read as an image"


def shrink(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    Image.open(file).resize((6, 5)).save(file)
    return f"{file.name} is 6x5, but its image is 12x10"


def label_200(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    changed = Image.open(file)
    changed.putpixel((3, 4), 200)
    changed.save(file)
    return f"{file.name} holds the label 200, which is neither a class"


def colour(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    Image.open(file).convert("RGB").save(file)
    return f"{file.name} is of mode RGB, not a mask with one label a pixel"


def remove(dataset: PlacedDataset) -> str:
    file = dataset.files(0)[1]
    file.unlink()
    return f"{file.name} is missing"


def empty(dataset: PlacedDataset) -> str:
    if dataset.list_file.is_dir():
        for file in dataset.list_file.iterdir():
            file.unlink()
    else:
        dataset.list_file.write_text("")
    expected = "no image: the split is empty" if dataset.count is None else f"0 images instead of {dataset.count}"
    return f"{dataset.list_file.name} lists {expected}"


@every_kind
@pytest.mark.parametrize("damage", [truncate, shrink, label_200, colour, remove, empty])
def test_every_damage_is_told_with_the_files_name(
    kind: Kind, damage: Callable[[PlacedDataset], str], tmp_path: Path
) -> None:
    source = tree(kind, tmp_path)
    expected = [damage(kind(source, split)) for split in ("train", "val")]
    with pytest.raises(DatasetError) as error:
        place(kind, tmp_path / "data", source=source)
    lines = str(error.value).splitlines()
    for part in expected:
        assert any(part in line and str(source) in line and "pfs data" in line for line in lines), (part, lines)
    assert [path.suffix for path in (tmp_path / "data").iterdir()] == [".lock"]


def test_a_broken_mat_file_is_named(tmp_path: Path) -> None:
    source = tree(Voc2012, tmp_path)
    file = source / "benchmark_RELEASE/dataset/cls/2008_01.mat"
    file.write_bytes(file.read_bytes()[:200])
    (source / "benchmark_RELEASE/dataset/cls/2008_02.mat").unlink()
    with pytest.raises(DatasetError) as error:
        place(Voc2012, tmp_path / "data", source=source)
    broken, missing = str(error.value).splitlines()
    assert f"{file} cannot be read as SBD's labels" in broken
    assert "2008_02.mat is missing" in missing


@pytest.mark.parametrize(
    ("line", "said"), [("a.png", "in line 2"), ("/x/train/a.png /x/trainannot/b.png", "in line 2")]
)
def test_a_strange_line_of_camvids_list_is_named(line: str, said: str, tmp_path: Path) -> None:
    source = tree(CamVid, tmp_path)
    (source / "train.txt").write_text(f"/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n{line}\n")
    with pytest.raises(DatasetError, match=f"train.txt is, {said}, not an image in train/ and its mask"):
        CamVid(source, "train")


def test_two_images_that_share_a_mask_are_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    shutil.copy(source / "images/train/01.png", source / "images/train/00.png")
    with pytest.raises(DatasetError, match=r"images/train has two images called 00, and there is one mask; mend it"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_photograph_that_is_turned_when_it_is_shown_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    picture = Image.open(source / "images/train/00.JPG")
    exif = picture.getexif()
    exif[0x0112] = 3  # upside down: its size fits the mask's
    picture.save(source / "images/train/00.JPG", exif=exif)
    with pytest.raises(DatasetError, match=r"00.JPG is stored turned \(EXIF orientation 3\): save it upright"):
        place(OwnFolder, tmp_path / "data", source=source)


def test_a_mask_without_an_image_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    (source / "images/train/00.JPG").unlink()
    with pytest.raises(DatasetError, match=r"masks/train/00.png has no image; mend it"):
        place(OwnFolder, tmp_path / "data", source=source)


@pytest.mark.parametrize("content", ["{", '{"images": []}', "[" * 100_000], ids=["cut", "other", "nested"])
def test_another_json_file_is_refused(content: str, tmp_path: Path) -> None:
    source = miniatures.pascal_context(tmp_path / "own")
    (source / "VOCdevkit/VOC2010/trainval_merged.json").write_text(content)
    with pytest.raises(DatasetError, match=r"trainval_merged.json is not what PASCAL in Detail gives"):
        place(PascalContext60, tmp_path / "data", source=source)
    assert not list((tmp_path / "data").glob("pascal_context*/"))


# --- putting into place -----------------------------------------------------------------------------------------------


@every_kind
def test_a_folder_is_used_where_it_lies(kind: Kind, tmp_path: Path) -> None:
    source = TREES[kind](tmp_path / "own")
    before = sorted(source.rglob("*"))
    folder = place(kind, tmp_path / "data", source=source)
    assert sorted(source.rglob("*")) == before  # nothing is ever written into it
    splits = {split: kind(folder, split) for split in kind.splits(folder)}
    assert json.loads((folder / "checksums.json").read_text())["recipe"] == {
        split: len(dataset) for split, dataset in splits.items()
    }
    for dataset in splits.values():
        dataset.verify()
    assert place(kind, tmp_path / "data", source=source) == folder  # verified again
    assert len({data_checksum(dataset) for dataset in splits.values()}) == 1


@every_kind
def test_what_was_put_there_by_hand_is_verified(kind: Kind, tmp_path: Path) -> None:
    TREES[kind](tmp_path / kind.name)
    folder = place(kind, tmp_path)
    assert folder == tmp_path / kind.name
    assert kind(folder, "train").checksums.keys() == set(kind.splits(folder))


def test_a_file_that_has_changed_since_is_noticed(tmp_path: Path) -> None:
    source = tree(Voc2012, tmp_path)
    folder = place(Voc2012, tmp_path / "data", source=source)
    Image.new("RGB", (miniatures.WIDTH, miniatures.HEIGHT)).save(Voc2012(folder, "val").files(0)[0])
    with pytest.raises(DatasetError, match=r"the val split's checksum is .*: a pixel or label has changed"):
        place(Voc2012, tmp_path / "data")


def test_another_folder_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    place(CamVid, tmp_path / "data", source=tree(CamVid, tmp_path))
    with pytest.raises(DatasetError, match="is there already; delete it first"):
        place(CamVid, tmp_path / "data", source=tree(CamVid, tmp_path / "other"))


@pytest.mark.parametrize(("kind", "origin"), [(Voc2012, "VOCtrainval_11-May-2012.tar"), (CamVid, CamVid.advice)])
def test_all_that_a_folder_lacks_is_told_once_with_where_to_get_it(kind: Kind, origin: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(DatasetError) as error:
        place(kind, tmp_path / "data", source=tmp_path / "own")
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{tmp_path / 'own'} lacks {', '.join(kind.required_paths(tmp_path / 'own'))}; ")
    assert line.count(origin) == 1


def archived(kind: Kind, folder: Path) -> tuple[Archive, ...]:
    """The miniature in the archives that the data set really comes in, with their checksums."""
    source = TREES[kind](folder / "own")
    archives = []
    for archive in reversed(kind.archives):  # the JSON file first, so that the tar beside it does not hold it
        file = folder / archive.name
        if file.suffix == ".json":
            shutil.move(source / archive.into / file.name, file)
        elif file.suffix == ".zip":
            with zipfile.ZipFile(file, "w") as zipped:
                for path in sorted(source.rglob("*")):
                    zipped.write(path, path.relative_to(source))
        else:
            top = "benchmark_RELEASE" if file.suffix == ".tgz" else "VOCdevkit"
            with tarfile.open(file, "w:gz" if file.suffix == ".tgz" else "w") as tar:
                tar.add(source / top, top)
        algorithm = archive.checksum.split(":")[0]
        digest = hashlib.new(algorithm, file.read_bytes()).hexdigest()
        archives.append(archive._replace(checksum=f"{algorithm}:{digest}"))
    return tuple(reversed(archives))


@pytest.mark.parametrize("kind", [Voc2012, Ade20k, PascalContext60], ids=lambda kind: kind.name)
def test_archives_are_fetched_unpacked_and_verified(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = archived(kind, tmp_path)
    monkeypatch.setattr(kind, "archives", archives)
    folder = place(kind, tmp_path / "data", mirror=tmp_path.as_uri())
    kind(folder, "train").verify()
    assert kind(folder, "train").checksums.keys() == COUNTS[kind].keys()
    assert not list((tmp_path / "data/downloads").iterdir())


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    archived(Ade20k, tmp_path)
    with pytest.raises(DatasetError, match=r"ADEChallengeData2016.zip: its sha1 is .*, not 219e1696.* --mirror URL"):
        place(Ade20k, tmp_path / "data", mirror=tmp_path.as_uri())
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not (tmp_path / "data/ade20k").exists()


@pytest.mark.parametrize("kind", [CamVid, OwnFolder], ids=lambda kind: kind.name)
def test_what_nobody_offers_says_how_to_come_by_it(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"{kind.name} cannot be downloaded: .*--from"):
        place(kind, tmp_path)


# --- from a study, and from the command line --------------------------------------------------------------------------


def test_a_study_finds_what_is_in_place(tmp_path: Path) -> None:
    for kind in TREES:
        place(kind, tmp_path / "data", source=tree(kind, tmp_path / kind.name))
    specs: list[tuple[data_config.Placed, Kind, int]] = [
        (data_config.Voc2012Config(name="voc2012"), Voc2012, 4),
        (data_config.Voc2012Config(name="voc2012", train="train"), Voc2012, 2),
        (data_config.Ade20kConfig(name="ade20k"), Ade20k, 2),
        (data_config.PascalContextConfig(name="pascal_context"), PascalContext59, 2),
        (data_config.PascalContextConfig(name="pascal_context", classes=60), PascalContext60, 2),
        (data_config.CamVidConfig(name="camvid"), CamVid, 2),
        (data_config.OwnFolderConfig(name="folder", folder="own"), OwnFolder, 2),
    ]
    for spec, kind, count in specs:
        splits = build(spec, tmp_path / "data")  # type: ignore[arg-type]
        assert type(splits["train"]) is kind
        assert len(splits["train"]) == count
        assert set(splits) == {"train", "val"} | ({"test"} if kind is CamVid else set())
        images, labels = decoded(splits["train"])
        assert images.shape == (count, 3, miniatures.HEIGHT, miniatures.WIDTH)
        np.testing.assert_array_equal(labels[1], np.asarray(splits["train"][1][1]))


def test_a_study_says_how_to_put_its_data_into_place(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"voc2012 has not been verified, or is missing: run pfs data voc2012"):
        build(data_config.Voc2012Config(name="voc2012"), tmp_path)


def test_images_of_several_sizes_make_no_tensor(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    for file in (source / "images/train/01.png", source / "masks/train/01.png"):
        Image.open(file).resize((6, 5), Image.Resampling.NEAREST).save(file)
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match=r"01.png is 6x5, but the split's first is of another size"):
        decoded(build(data_config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")["train"])


def test_the_command_line_knows_the_data_sets_that_there_are() -> None:
    assert list(PLACED) == PLACED_NAMES


def test_the_command_verifies_and_says_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(OwnFolder, tmp_path)
    monkeypatch.chdir(repository() / "tests")  # a relative folder is the caller's, wherever in the clone that is
    relative = os.path.relpath(tmp_path / "own")
    assert main(["data", "folder", "--from", relative, "--data", str(tmp_path / "data")]) == 0
    assert "folder-own: 2 train, 1 val images, all verified" in capsys.readouterr().out
    assert main(["data", "camvid", "--data", str(tmp_path / "data")]) == 1
    assert "camvid cannot be downloaded" in capsys.readouterr().err
    assert main(["data", "voc"]) == 1
    assert "unknown data set 'voc'; did you mean voc2012? valid choices: voc2012, ade20k" in capsys.readouterr().err


def scored(spec: data_config.Data, root: Path, **changes: object) -> dict[str, ScoredSplit]:
    """The splits that a study of these data is scored on."""
    network = {"name": "dilated_resnet", "width": 4}
    schedule = {"network": network, "steps": 1, "learning_rate": 0.1}
    content = {"name": "s", "data": spec.model_dump(), "teacher": schedule, "student": schedule}
    methods = {"methods": {"ce": {}}, "reference": "ce", "seeds": [0]}
    plan = study.Study.model_validate({**content, **methods, **changes})
    run = Run(plan, "ce", 0, root, settings={}, code_hash="", commit=("", False))
    return load_eval_splits(run, build(spec, root), (miniatures.HEIGHT, miniatures.WIDTH))


def test_data_without_a_split_that_is_scored_are_told_before_training(tmp_path: Path) -> None:
    place(OwnFolder, tmp_path / "data", source=tree(OwnFolder, tmp_path))
    with pytest.raises(DatasetError, match=r"have no test \(only train, val\): say in the study's data, with holdout"):
        scored(data_config.OwnFolderConfig(name="folder", folder="own"), tmp_path / "data")


# --- what is held out -------------------------------------------------------------------------------------------------


def test_training_images_are_held_out_where_test_labels_are_not_public(tmp_path: Path) -> None:
    for kind in (Voc2012, OwnFolder):
        place(kind, tmp_path / "data", source=tree(kind, tmp_path / kind.name))
    specs: list[data_config.Voc2012Config | data_config.OwnFolderConfig] = [
        data_config.Voc2012Config(name="voc2012", holdout=1)
    ]
    specs.append(data_config.OwnFolderConfig(name="folder", folder="own", holdout=1))
    for spec in specs:
        whole = build(spec.model_copy(update={"holdout": None}), tmp_path / "data")
        splits = build(spec, tmp_path / "data")
        assert list(splits) == ["train", "val", "test"]
        assert splits["test"].names == whole["val"].names
        assert sorted(splits["train"].names + splits["val"].names) == sorted(whole["train"].names)
        assert data_checksum(splits["train"]) == data_checksum(whole["train"])
        for split in ("train", "val"):  # the pixels go with the names
            images, _ = decoded(splits[split])
            everything, _ = decoded(whole["train"])
            rows = [whole["train"].names.index(name) for name in splits[split].names]
            assert torch.equal(images, everything[rows])
            np.testing.assert_array_equal(images[0].permute(1, 2, 0), np.asarray(splits[split][0][0]))


def test_what_is_held_out_is_the_same_for_every_order_and_grows_with_the_count(tmp_path: Path) -> None:
    dataset = Voc2012(tree(Voc2012, tmp_path), "trainaug")
    _, one = hold_out(dataset, 1)
    dataset.names = dataset.listed = dataset.names[::-1]
    _, two = hold_out(dataset, 2)
    assert set(one.names) < set(two.names)
    assert one.names == [min(dataset.names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())]


def test_a_holdout_that_does_not_fit_is_told(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match="train has 2 images: holdout: 2 leaves none to learn from"):
        build(data_config.OwnFolderConfig(name="folder", folder="own", holdout=2), tmp_path / "data")
    for kind in ("images", "masks"):
        shutil.copytree(source / kind / "val", source / kind / "test")
    shutil.rmtree(tmp_path / "data")
    place(OwnFolder, tmp_path / "data", source=source)
    with pytest.raises(DatasetError, match=r"test: there is a test split: take holdout out of the study's data"):
        build(data_config.OwnFolderConfig(name="folder", folder="own", holdout=1), tmp_path / "data")


def test_pictures_of_many_sizes_are_scored_where_the_study_says_how(tmp_path: Path) -> None:
    source = tree(OwnFolder, tmp_path)
    for kind in ("images/val/02.jpeg", "masks/val/02.png"):
        Image.open(source / kind).resize((6, 5), Image.Resampling.NEAREST).save(source / kind.replace("02.", "03."))
    place(OwnFolder, tmp_path / "data", source=source)
    spec = data_config.OwnFolderConfig(name="folder", folder="own", holdout=1)
    with pytest.raises(DatasetError, match=r"03.jpeg is 6x5, .*; say views, which crop them, and evaluation in the"):
        scored(spec, tmp_path / "data")
    pictures = scored(spec, tmp_path / "data", evaluation={})["test"]
    shapes = [tuple(label.shape) for _, _, label in pictures.batches(torch.arange(2).split(1), torch.device("cpu"))]  # type: ignore[no-untyped-call]
    assert shapes == [(1, miniatures.HEIGHT, miniatures.WIDTH), (1, 5, 6)]
    images, labels = pictures.read([0, 1])  # for the figures, in frames of one size
    assert images.shape == (2, 3, miniatures.HEIGHT, miniatures.WIDTH)
    assert (labels[1, :5, :6] != 255).any() and (labels[1, 5:] == 255).all() and (labels[1, :, 6:] == 255).all()

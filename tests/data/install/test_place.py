"""Data sets are put into place from archives or from a user's folder: whole or not at all, and verified."""

import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from pfs.__main__ import main
from pfs.config.data import PLACED_NAMES
from pfs.config.files import repository
from pfs.data.build import PLACED
from pfs.data.dataset import DatasetError, data_checksum
from pfs.data.install.place import place
from pfs.data.sets.ade20k import Ade20k
from pfs.data.sets.base import Archive
from pfs.data.sets.camvid import CamVid
from pfs.data.sets.folder import OwnFolder
from pfs.data.sets.pascal_context import PascalContext60
from pfs.data.sets.voc2012 import Voc2012
from pfs.study.trial import miniatures
from tests.data.trees import COUNTS, TREES, Kind, every_kind, tree

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

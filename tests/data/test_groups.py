"""Which test images belong together: scenes over one photograph, frames of one sequence."""

from pathlib import Path

import numpy as np
import pytest

from pfs.config import data as config
from pfs.data import groups
from pfs.data.dataset import SPLITS, Pixels
from pfs.data.groups import groups_of_test
from pfs.data.sets import digit_drawing

LIST = "/SegNet/CamVid/test/{0}.png /SegNet/CamVid/testannot/{0}.png\n"


class Seen(dict[str, Pixels]):
    """Photographs that note which of them were looked at."""

    def __init__(self) -> None:
        super().__init__({name: np.zeros((70, 70, 3), np.uint8) for name in digit_drawing.PHOTOGRAPHS})
        self.names: list[str] = []

    def __getitem__(self, name: str) -> Pixels:
        self.names.append(name)
        return super().__getitem__(name)


def test_a_digit_scene_s_group_is_the_photograph_that_it_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    monkeypatch.setattr(digit_drawing, "photographs", lambda split: seen)
    monkeypatch.setattr(digit_drawing, "load_photograph", lambda name: np.zeros((70, 300, 3), np.uint8))
    for index in range(12):
        digit_drawing.draw_scene(3, "test", index)
    found = groups_of_test(config.DigitScenesConfig(name="digit_scenes", seed=3), None, 12)
    assert found.kind == "photograph"
    assert [digit_drawing.PHOTOGRAPHS[int(name)] for name in found.names] == seen.names
    assert (groups.PHOTOGRAPHS, SPLITS[groups.TEST]) == (len(digit_drawing.PHOTOGRAPHS), "test")


def test_frames_of_camvid_belong_to_their_sequence(tmp_path: Path) -> None:
    (tmp_path / "camvid").mkdir()
    names = ("0001TP_008550", "0001TP_008580", "Seq05VD_f00000")
    (tmp_path / "camvid" / "test.txt").write_text("".join(map(LIST.format, names)))
    spec = config.CamVidConfig(name="camvid")
    assert groups_of_test(spec, tmp_path, 3) == ("sequence", ("0001TP", "0001TP", "Seq05VD"))
    for root, count in ((tmp_path, 4), (tmp_path / "elsewhere", 3), (None, 3)):  # another list, none, and not asked
        assert groups_of_test(spec, root, count).kind == "image"


def test_images_of_other_data_stand_alone(tmp_path: Path) -> None:
    assert groups_of_test(config.Voc2012Config(name="voc2012"), tmp_path, 2) == ("image", ("0", "1"))

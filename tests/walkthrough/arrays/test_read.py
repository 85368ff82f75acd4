"""The walkthroughs' data come back as they were written, and a broken file is told in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pfs.study.records import write_npz
from pfs.walkthrough.arrays import Walkthrough, WalkthroughError, load_walkthrough
from tests.walkthrough.conftest import CLASSES, SIDE, write_tiny


def test_what_is_read(tiny: Walkthrough) -> None:
    assert tiny.images.shape == (2, SIDE, SIDE, 3) and tiny.images.dtype == np.uint8
    assert tiny.labels.shape == (2, SIDE, SIDE) and tiny.labels.dtype == np.int64 and tiny.labels[0, 0, 0] == 255
    assert (tiny.classes, tiny.ignore_index, tiny.snapshots) == (CLASSES, 255, (0, 40))
    assert tiny.networks == ("teacher", "ce", "kd", "pfs", "wsp", "pfs_wsp")


def test_outputs_are_those_of_the_network_step_and_layer(tiny: Walkthrough) -> None:
    logits, features = tiny.logits("pfs"), tiny.features("teacher")
    assert (logits.shape, logits.dtype) == ((2, 4, 8, 8), torch.float32)
    assert (features.shape, features.dtype) == ((2, 16, 8, 8), torch.float32)
    assert torch.equal(features, tiny.features("teacher", layer="before_relu").relu())  # the layer that is distilled
    assert not torch.equal(tiny.logits("pfs", 0), tiny.logits("pfs", 40))
    assert tiny.layers("pfs") == ("stage3", "stage4", "before_relu")
    assert tiny.layers("pfs", 40) == tiny.layers("kd") == ("stage4",)


def test_what_is_not_there_is_told_with_what_is(tiny: Walkthrough) -> None:
    with pytest.raises(WalkthroughError, match=r"npz holds no logits of cwd; it has teacher, ce, ce/0, ce/40, kd"):
        tiny.logits("cwd")
    with pytest.raises(WalkthroughError, match=r"no features/stage3 of kd; it has teacher, ce, pfs$"):
        tiny.features("kd", layer="stage3")
    with pytest.raises(WalkthroughError, match="no weights of 'kd' are kept"):
        tiny.weights("kd")


def test_a_missing_file_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(WalkthroughError, match=f"^{tmp_path}/none.npz is missing: run pfs walkthrough quick"):
        load_walkthrough(tmp_path / "none.npz")


def test_a_broken_file_is_told(tiny_file: Path, tmp_path: Path) -> None:
    """Cut off; with another number in it; with too few classes; without its record."""
    cut, edited, record = tmp_path / "cut.npz", tmp_path / "edited.npz", tmp_path / "record.npz"
    cut.write_bytes(tiny_file.read_bytes()[:-99])
    arrays = dict(np.load(tiny_file))
    write_npz(edited, {**arrays, "logits/pfs": arrays["logits/pfs"] + np.float16(1)})
    del arrays["record"]
    write_npz(record, arrays)
    few = write_tiny(tmp_path / "few.npz", classes=["background"])
    faults = {cut: "cannot be read", edited: "its checksum", record: "record", few: r"logits/teacher is \(2, 4, 8, 8\)"}
    for file, fault in faults.items():
        with pytest.raises(WalkthroughError, match=f"^{file} .*{fault}.*: run pfs walkthrough quick$"):
            load_walkthrough(file)


def test_torch_is_not_imported_for_reading(tiny_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pfs.walkthrough.arrays import load_walkthrough\n"
        f"load_walkthrough(Path({str(tiny_file)!r})); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"

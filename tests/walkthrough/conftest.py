"""A tiny walkthrough of random networks, which has the form of the real one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from pfs.config.checksums import sha256
from pfs.config.files import atomic_write
from pfs.models.dilated_resnet import DilatedResNet
from pfs.study.records import write_npz
from pfs.walkthrough.arrays import Walkthrough, load_walkthrough
from pfs.walkthrough.arrays.read import FILE, WEIGHTS, arrays_checksum

LAYERS = ("stage3", "stage4", "before_relu")
STUDENTS = ("ce", "kd", "pfs", "wsp", "pfs_wsp")
SNAPSHOTS = (0, 40)
CLASSES = ("background", "0", "1", "2")
SCENES, SIDE = 2, 32


@torch.no_grad()
def outputs(name: str, width: int, images: torch.Tensor, seed: int, layers: tuple[str, ...]) -> dict[str, Any]:
    """What a random network makes of images, by the names of the file."""
    torch.manual_seed(seed)
    network = DilatedResNet(width, len(CLASSES)).train()  # normalised over the batch, so that random features differ
    arrays = {}
    for layer in layers:
        network.feature_layer = layer
        prediction = network(images)
        arrays[f"features/{layer}/{name}"] = prediction.features.half().numpy()
        arrays[f"logits/{name}"] = prediction.logits.half().numpy()
    return arrays


def write_tiny(file: Path, **changes: Any) -> Path:
    """Write a walkthrough of random networks; `changes` replace or add entries of its record."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (SCENES, SIDE, SIDE, 3), np.uint8)
    labels = random.integers(0, len(CLASSES), (SCENES, SIDE, SIDE), np.uint8)
    labels[0, 0, :3] = 255
    images = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - 0.5) * 4
    arrays = {"images": pictures, "labels": labels, **outputs("teacher", 4, images, 0, LAYERS)}
    for seed, name in enumerate(STUDENTS, 1):
        arrays |= outputs(name, 2, images, seed, LAYERS if name in ("ce", "pfs") else ("stage4",))
        for step in SNAPSHOTS:
            arrays |= outputs(f"{name}/{step}", 2, images, 10 * seed + step, ("stage4",))
    record = {
        "study": "quick",
        "seed": 0,
        "steps": 640,
        "layer": "stage4",
        "scenes": "random",
        "classes": CLASSES,
        "ignore_index": 255,
        "snapshots": SNAPSHOTS,
        "runs": {name: {"commit": "0" * 40, "test_miou": 30.0} for name in ("teacher", *STUDENTS)},
        "weights": {},
        "sha256": arrays_checksum(arrays),
        **changes,
    }
    write_npz(file, {**arrays, "record": np.frombuffer(json.dumps(record).encode(), np.uint8)})
    return file


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a tiny walkthrough."""
    return write_tiny(tmp_path_factory.mktemp("walkthrough") / FILE)


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> Walkthrough:
    """A tiny walkthrough."""
    return load_walkthrough(tiny_file)


@pytest.fixture(scope="session")
def walkthrough_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny walkthrough and, beside it, weights of random networks for all classes of Digit Scenes."""
    folder = tmp_path_factory.mktemp("with_weights")
    checksums = {}
    for seed, name in enumerate(("teacher", "ce", "pfs_wsp")):
        torch.manual_seed(seed)
        file = folder / WEIGHTS / f"{name}.safetensors"
        atomic_write(file, save(DilatedResNet(4 if name == "teacher" else 2, 11).state_dict()))
        checksums[name] = sha256(file)
    write_tiny(folder / FILE, weights=checksums)
    return folder

"""Makes the walkthroughs' data, `walkthrough.npz`, from the finished runs of a study."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor

from pfs.config.checksums import sha256
from pfs.config.files import atomic_write
from pfs.config.networks import Network
from pfs.config.study import Study, Training
from pfs.data.dataset import SegmentationDataset
from pfs.data.splits import normalize
from pfs.losses import Prediction
from pfs.models import build_network
from pfs.study.places import TEACHER, run_folder
from pfs.study.records import read_record, write_npz
from pfs.study.staleness import stale_runs
from pfs.training.checkpoint import snapshot_file
from pfs.walkthrough.arrays.read import FILE, WEIGHTS, WalkthroughError, arrays_checksum

METHODS = ("ce", "kd", "pfs", "wsp", "pfs_wsp")  # the students that walkthroughs show
COMPARED = (TEACHER, "ce", "pfs")  # the networks of which the file holds the features of every layer, and of snapshots
WITH_WEIGHTS = (TEACHER, "ce", "pfs_wsp")  # the networks that a walkthrough runs itself
SCENES = 6
RULE = f"the first {SCENES} images of the test split; none was chosen"

Outputs = dict[str, npt.NDArray[Any]]


def write_walkthrough(study: Study, folder: Path) -> Path:
    """Write `walkthrough.npz` and the weights beside it into a study's results, and return the file.

    Args:
        study: with the methods of `METHODS`; the students are those of its first seed.
        folder: the study's results.

    Raises:
        WalkthroughError: a method is missing, or a run that is needed has not finished or is stale.
    """
    runs = _finished(study, folder)
    with np.load(runs[TEACHER] / "examples.npz") as examples:
        images, labels = examples["image"][:SCENES], examples["label"][:SCENES]
    inputs = normalize(torch.from_numpy(images).permute(0, 3, 1, 2))
    arrays: Outputs = {"images": images, "labels": labels}
    for network, run in runs.items():
        arrays |= _outputs(study, network, run, inputs)
    record = _record(study, runs)
    record["weights"] = {network: _write_weights(network, runs[network], folder) for network in WITH_WEIGHTS}
    record["sha256"] = arrays_checksum(arrays)
    arrays["record"] = np.frombuffer(json.dumps(record, indent=1).encode(), np.uint8)
    write_npz(folder / FILE, arrays)
    return folder / FILE


def _finished(study: Study, folder: Path) -> dict[str, Path]:
    """The folder of each network's run, the teacher first; all of them are finished and up to date."""
    if missing := [method for method in METHODS if method not in study.methods]:
        raise WalkthroughError(f"{study.name} has no method {missing[0]}; walkthroughs show {', '.join(METHODS)}")
    names = {TEACHER: study.teacher.seed, **dict.fromkeys(METHODS, study.seeds[0])}
    stale = stale_runs(study, folder)
    for network, seed in names.items():
        if (reason := stale.get((network, seed))) is not None:
            raise WalkthroughError(f"{reason}: run pfs study {study.name} first")
    return {network: run_folder(study, folder, network, seed) for network, seed in names.items()}


def _training(study: Study, network: str) -> Training:
    return study.teacher if network == TEACHER else study.student


def _outputs(study: Study, network: str, run: Path, inputs: Tensor) -> Outputs:
    """A network's logits and features for normalised images, of its last weights and of a student's snapshots."""
    spec = _training(study, network).network
    layers = layers_of(spec) if network in COMPARED else (spec.feature_layer,)
    classes = len(_classes(run))
    outputs: Outputs = {}
    for layer in layers:
        prediction = _predict(spec, layer, classes, run / "checkpoint.pt", inputs)
        outputs |= {
            f"logits/{network}": _half(prediction.logits),
            f"features/{layer}/{network}": _half(prediction.features),
        }
    for step, file in _snapshots(study, network, run):
        prediction = _predict(spec, spec.feature_layer, classes, file, inputs)
        outputs[f"logits/{network}/{step}"] = _half(prediction.logits)
        if network in COMPARED:
            outputs[f"features/{spec.feature_layer}/{network}/{step}"] = _half(prediction.features)
    return outputs


def layers_of(spec: Network) -> tuple[str, ...]:
    """The layers whose features a network of this kind can be asked for."""
    return get_args(type(spec).model_fields["feature_layer"].annotation)


def _snapshots(study: Study, network: str, run: Path) -> Iterator[tuple[int, Path]]:
    """The steps of a student's training after which its study keeps the weights, but for the last, and their files."""
    for step in sorted(study.student.snapshots or []) if network != TEACHER else ():
        if step < study.student.steps:
            yield step, run / snapshot_file(step)


@torch.no_grad()
def _predict(spec: Network, layer: str, classes: int, weights: Path, inputs: Tensor) -> Prediction:
    """What the network with these weights makes of images (S, 3, H, W), its features taken at a layer."""
    chosen = spec.model_copy(update={"feature_layer": layer})
    network = build_network(chosen, classes, pretrained=False)
    network.load_state_dict(torch.load(weights, weights_only=True))
    prediction: Prediction = network.eval()(inputs)
    return prediction


def _classes(run: Path) -> list[str]:
    """The names of the classes that a finished run tells apart, in the order of the labels."""
    return list(read_record(run / "record.json").metrics["test"].iou)


def _half(x: Tensor) -> npt.NDArray[Any]:
    return x.half().numpy()


def _write_weights(network: str, run: Path, folder: Path) -> str:
    """Write a network's weights as a file that holds numbers alone; returns the file's checksum."""
    file = folder / WEIGHTS / f"{network}.safetensors"
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    atomic_write(file, save({name: tensor.contiguous() for name, tensor in state.items()}))
    return sha256(file)


def _record(study: Study, runs: dict[str, Path]) -> dict[str, Any]:
    """Where the numbers come from, as `Walkthrough.record` has it."""
    return {
        "study": study.name,
        "seed": study.seeds[0],
        "steps": study.student.steps,
        "layer": study.student.network.feature_layer,
        "scenes": RULE,
        "classes": _classes(runs[TEACHER]),
        "ignore_index": SegmentationDataset.ignore_index,
        "snapshots": [step for step, _ in _snapshots(study, METHODS[0], runs[METHODS[0]])],
        "runs": {network: _provenance(study, network, run) for network, run in runs.items()},
    }


def _provenance(study: Study, network: str, run: Path) -> dict[str, Any]:
    """The commit that a run was made from, its score, and the checksums of the weights that were read."""
    record = read_record(run / "record.json")
    snapshots = {str(step): sha256(file) for step, file in _snapshots(study, network, run)}
    return {
        "commit": record.provenance.commit,
        "dirty": record.provenance.dirty,
        "test_miou": record.metrics["test"].miou,
        "checkpoint": sha256(run / "checkpoint.pt"),
        **({"snapshots": snapshots} if snapshots else {}),
    }

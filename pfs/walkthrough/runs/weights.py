"""The trained networks that the walkthroughs load: the teacher of a study and some of its students, in one small file.

Nobody has to train for minutes in order to learn, and a clone holds no checkpoints: this file is committed instead.
"""

import json
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pfs.config.files import atomic_write, repository
from pfs.config.load import load_study
from pfs.config.networks import Network
from pfs.models import build_network
from pfs.study.places import TEACHER, run_folder, study_folder
from pfs.study.records import read_record
from pfs.training.checkpoint import weights_checksum

STUDENTS = ("ce", "pfs_wsp")
SEED = 0  # of the students
MEND = "restore it by git, or make it from the finished runs of `quick`: pfs walkthrough quick"


class WeightsFileError(ValueError):
    """The file of trained networks is missing, or is not one that `write_weights` has written."""


def default_file() -> Path:
    """Where the committed networks of `quick` lie in this clone."""
    return repository() / "results" / "quick" / "weights.safetensors"


def write_weights(study_file: str, results: str = "results", file: Path | None = None) -> Path:
    """Write the teacher and the students of seed 0 of a study's finished runs into one file, whole.

    Its metadata say of each network how it is built, from which commit its run is, and the checksum of its weights.

    Args:
        study_file: the study's YAML.
        results: the folder of all results; the runs lie in `<results>/<study>`.
        file: where to write; `<results>/<study>/weights.safetensors` where none is given.

    Raises:
        RecordError: a run is not finished.
        OSError: a checkpoint is missing.
    """
    study = load_study(study_file)
    folder = study_folder(study, results)
    tensors: dict[str, Tensor] = {}
    metadata = {"study": study.name}
    for name in (TEACHER, *STUDENTS):
        spec = (study.teacher if name == TEACHER else study.student).network
        run = run_folder(study, folder, name, SEED)
        commit = read_record(run / "record.json").provenance.commit
        network = _with_weights(spec, torch.load(run / "checkpoint.pt", weights_only=True), run / "checkpoint.pt")
        tensors |= {f"{name}/{key}": tensor.contiguous() for key, tensor in network.state_dict().items()}
        about = {"network": spec.model_dump(mode="json"), "commit": commit, "sha256": weights_checksum(network)}
        metadata[name] = json.dumps(about)
    file = file or folder / "weights.safetensors"
    atomic_write(file, save(tensors, metadata))
    return file


def load_network(name: str, file: str | Path | None = None) -> nn.Module:
    """A trained network in eval mode.

    Args:
        name: "teacher", or the method of a student: "ce" or "pfs_wsp".
        file: as `write_weights` has written it; the clone's own where none is given.

    Raises:
        WeightsFileError: the file is missing or broken, has no such network, or its weights are not those written.
    """
    file = Path(file) if file else default_file()
    metadata, weights = _read(file)
    if name not in metadata:
        held = ", ".join(key for key in metadata if key != "study") or "none"
        raise WeightsFileError(f"{file}: has no network {name!r}; it holds {held}")
    about = json.loads(metadata[name])
    own = {key.removeprefix(f"{name}/"): tensor for key, tensor in weights.items() if key.startswith(f"{name}/")}
    network = _with_weights(TypeAdapter[Network](Network).validate_python(about["network"]), own, file)
    if weights_checksum(network) != about["sha256"]:
        raise WeightsFileError(f"{file}: the weights of {name!r} are not those that were written; {MEND}")
    return network


def _read(file: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a file of networks."""
    if not file.is_file():
        raise WeightsFileError(f"{file}: is missing; {MEND}")
    try:
        with safe_open(file, "pt") as opened:
            return opened.metadata() or {}, {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsFileError(f"{file}: cannot be read ({error}); {MEND}") from None


def _with_weights(spec: Network, weights: dict[str, Tensor], file: Path) -> nn.Module:
    """A network with these weights, in eval mode; its classifier's bias says how many classes it has."""
    try:
        network = build_network(spec, len(weights["classifier.bias"]), pretrained=False)
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise WeightsFileError(f"{file}: its weights do not fit {spec.name} ({error}); {MEND}") from None
    return network.eval()

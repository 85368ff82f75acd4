"""A study tried at its true size before anybody waits for it: two steps of each network on images of noise.

The study's own networks, crop, batch, schedules, views and scoring go the whole way through workflow and notebooks;
only the steps, the data, the number of students and of views are others. All of it lies in a folder of its own:
nobody's result.
"""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from pfs.config.base import StudyError
from pfs.config.data import AugmentationConfig, CamVidConfig, DigitScenesConfig, OwnFolderConfig, Placed, WithoutTest
from pfs.config.networks import SegmentationModelConfig
from pfs.config.study import Study, Training
from pfs.data.augmentation import CACHED_BYTES, views_bytes
from pfs.data.build import PLACED
from pfs.data.install.place import place
from pfs.data.sets.base import PlacedDataset
from pfs.models import build_network
from pfs.study.places import TEACHER, run_folder, runs_of
from pfs.study.records import Timing, read_record
from pfs.study.trial import miniatures

STEPS = 2
SCORED = 1  # images of val, and of test
METHOD = "all_terms"
PHOTOGRAPHS = ((375, 500), (500, 375), (512, 683))  # height, width: VOC's, upright and lying, and one of ADE20K's
FRAMES = ((360, 480),)  # CamVid's
TREES = {
    "voc2012": miniatures.voc2012,
    "ade20k": miniatures.ade20k,
    "pascal_context": miniatures.pascal_context,
    "camvid": miniatures.camvid,
    "folder": miniatures.own_folder,
}


def write_trial(study: Study, folder: Path) -> tuple[Path, list[str]]:
    """Write a study's dry run into an empty folder: its YAML file, and its data in `data/`.

    Its one student learns from every term that any of the study's methods has; of a term that several have, as the
    first of them has it.

    Returns:
        The file, and what is said of the trial: a line each.
    """
    content = study.model_dump(mode="json", exclude_none=True, exclude_unset=True)  # what the study itself says
    content.pop("extends", None)
    terms = _all_terms(content["methods"])
    content |= {"name": f"{study.name}_dry_run", "methods": {METHOD: terms}, "reference": METHOD, "seeds": [0]}
    content["data"] |= _smaller(study)
    if study.augmentation is not None:
        content["augmentation"]["count"] = _views(study.augmentation, study)
    said = [_size(study), *_shorten(content, study), f"one student with all terms: {', '.join(terms) or 'none'}"]
    if isinstance(study.data, Placed):
        _place(study, folder / "data")
    if isinstance(study.data, OwnFolderConfig):
        said.append("images of noise have three classes and sizes of VOC's; yours may take more memory, or less")
    file = folder / f"{content['name']}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file, said


def _all_terms(methods: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Every term that any of the methods has, with the options of the first method that has it."""
    terms: dict[str, Any] = {}
    for method in methods.values():
        terms |= {term: options for term, options in method.items() if term not in terms}
    return terms


def _shorten(content: dict[str, Any], study: Study) -> list[str]:
    """Give both networks two steps, and random weights where theirs cannot be had, which is said in a line each."""
    said = []
    for name, training in (("teacher", study.teacher), ("student", study.student)):
        content[name]["steps"] = STEPS
        for kept in ("snapshots", "val_every"):  # at steps that a trial does not reach
            content[name].pop(kept, None)
        if missing := _missing_weights(training):
            del content[name]["network"]["weights"]
            said.append(f"{name}: from scratch, and the study itself will stop, for {missing}")
    return said


def report(study: Study, results: Path) -> list[str]:
    """What a finished trial took: a line a network.

    Args:
        study: the trial, as `write_trial` has written it.
        results: the folder of its results.
    """
    lines = []
    for method, seed in runs_of(study):
        record = read_record(run_folder(study, results / study.name, method, seed) / "record.json")
        timing, name = record.timing, "teacher" if method == TEACHER else "student"
        assert timing.peak_memory_mib is not None  # this version has just written it
        lines.append(
            f"{name}: {timing.total_seconds:.0f} s, {timing.training_seconds:.1f} of them for {STEPS} steps; at most "
            f"{timing.peak_memory_mib / 1024:.1f} GiB of main memory{_of_the_gpu(timing)}; {record.provenance.device}, "
            f"{record.provenance.precision.replace('no', 'fp32')}, {record.provenance.threads} threads"
        )
    return lines


def _of_the_gpu(timing: Timing) -> str:
    return (
        "" if timing.peak_gpu_memory_mib is None else f" and {timing.peak_gpu_memory_mib / 1024:.1f} GiB of the GPU's"
    )


def _size(study: Study) -> str:
    crop = f"crop {study.augmentation.crop[0]} x {study.augmentation.crop[1]}" if study.augmentation else "whole images"
    batches = dict.fromkeys([study.teacher.batch_size, study.student.batch_size])
    return f"{crop}, batch {' and '.join(map(str, batches))}, as in the study; {STEPS} steps, images of noise"


def _missing_weights(training: Training) -> str:
    """Why pre-trained weights cannot be had here; nothing where they can, or none are asked for."""
    network = training.network
    if not isinstance(network, SegmentationModelConfig) or network.weights is None:
        return ""
    try:
        build_network(network, classes=2)
    except StudyError as error:
        return str(error).splitlines()[0].split("; ")[0]  # without how to go on
    return ""


def _pictures(study: Study) -> int:
    """For training: a batch, and a few more for the views to choose from."""
    return max(study.teacher.batch_size, study.student.batch_size) + 2


def _views(views: AugmentationConfig, study: Study) -> int:
    """How many views of an image the dry run has: enough for its steps, or so many that they cannot all be cached.

    The latter where the study itself has too many for a cache, so that the dry run draws them at each step as the
    study does. Not for one's own folder, whose size is not known here.
    """
    asked_at_each_step = study.cache_gib == 0
    if asked_at_each_step and isinstance(study.data, Placed) and not isinstance(study.data, OwnFolderConfig):
        scenes = PLACED[study.data.name].counts[getattr(study.data, "train", "train")]
        if views_bytes(views, scenes) > CACHED_BYTES:
            return views.count * -(-scenes // _pictures(study))
    return min(views.count, STEPS)


def _smaller(study: Study) -> dict[str, int]:
    """What the data's block says otherwise than the study's."""
    match study.data:
        case DigitScenesConfig():
            return {"train": _pictures(study), "val": SCORED, "test": SCORED}
        case WithoutTest():
            return {"holdout": SCORED}
        case _:
            return {}


def _place(study: Study, root: Path) -> None:
    """Put a miniature of the study's data into place, as `pfs data` does with the data set."""
    name = study.data.name
    source = root / "source" / (study.data.folder if isinstance(study.data, OwnFolderConfig) else name)
    sizes = FRAMES if isinstance(study.data, CamVidConfig) else PHOTOGRAPHS
    TREES[name](source, train=_pictures(study) + SCORED, val=SCORED, sizes=sizes)
    with redirect_stdout(StringIO()):  # what it took is no user's folder
        place(_of_any_count(PLACED[name]), root, source=source)


def _of_any_count(dataset: type[PlacedDataset]) -> type[PlacedDataset]:
    """The same data set, of which a miniature may have as many images as it has."""
    return type(dataset.__name__, (dataset,), {"_expected_count": lambda _: None})

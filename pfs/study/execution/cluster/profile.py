"""Which profile of Snakemake a study is run with, and whether this machine can use it. No torch here."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from pfs.config.base import StudyError, shown, suggest
from pfs.config.files import repository

NAMES = ("config.yaml", "config.v8+.yaml")  # of a profile's file, as Snakemake looks for it
LOCAL = "default"  # the profile that Snakemake finds by itself: runs on this machine
SLURM, KUBERNETES = "slurm", "kubernetes"  # executors, and the extras that install them


@dataclass(frozen=True)
class Profile:
    """A profile of Snakemake that hands jobs to a cluster.

    Attributes:
        folder: where its `config.yaml` lies.
        executor: the plugin that hands them over, such as "slurm".
        defaults: what it asks for every job, its `default-resources`.
    """

    folder: Path
    executor: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gpus(self) -> int:
        """How many GPUs a job on one device is given."""
        return int(self.defaults.get("gpu", 0))


def read_profile(given: str) -> Profile:
    """The profile of that name in the clone's `profiles/`, or in a folder of the user's own, ready to be used.

    Args:
        given: such as "slurm", or the path of a folder (relative: from the clone's root).

    Raises:
        StudyError: there is no such profile, it names no executor, or what the executor needs is not installed.
    """
    folder, settings = _settings(given)
    executor = settings.get("executor")
    if not isinstance(executor, str):
        raise StudyError(f"--profile {given}: {folder} names no executor: write `executor: slurm` into it")
    _check_installed(given, executor)
    defaults = settings.get("default-resources") or {}
    if not isinstance(defaults, Mapping):
        raise StudyError(f"--profile {given}: default-resources is {shown(defaults)}: write `name: value` lines")
    if not isinstance(gpus := defaults.get("gpu", 0), int) or gpus < 0:
        raise StudyError(f"--profile {given}: default-resources: gpu is {shown(gpus)}: write a number of GPUs")
    if "gpu" in str(defaults.get("gres", "")):
        raise StudyError(
            f"--profile {given}: default-resources: gres is {shown(defaults['gres'])}: write `gpu: 1`, and the kind as "
            "`gpu_model`, from which follows what a run on several devices asks for"
        )
    return Profile(folder, executor, defaults)


def _settings(given: str) -> tuple[Path, Mapping[str, Any]]:
    """The folder of a profile, and what its file says."""
    for folder in (repository() / "profiles" / given, repository() / given):
        for file in (folder / name for name in NAMES):
            if file.is_file() and given != LOCAL:
                return folder, _mapping(file)
    raise StudyError(
        f"--profile {shown(given)}: no such profile, nor a folder with a config.yaml{suggest(given, _known())}"
    )


def _known() -> list[str]:
    """The names of the clone's profiles for clusters."""
    folders = sorted((repository() / "profiles").glob(f"*/{NAMES[0]}"))
    return [file.parent.name for file in folders if file.parent.name != LOCAL]


def _mapping(file: Path) -> Mapping[str, Any]:
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(read, Mapping):
        raise StudyError(f"{file}: is no list of `name: value` lines, as a profile of Snakemake is")
    return read


def _check_installed(given: str, executor: str) -> None:
    """Raise a StudyError unless Snakemake's plugin is installed, and the commands that it calls."""
    if find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
        extra = f"'pfs[{executor}]'" if executor in (SLURM, KUBERNETES) else f"snakemake-executor-plugin-{executor}"
        install = f".venv/bin/pip install -c requirements.lock {extra}".replace("'pfs[", "-e '.[")
        raise StudyError(f"--profile {given}: Snakemake's plugin for {executor} is not installed: {install}")
    missing = [name for name in ("sbatch", "squeue", "scancel") if executor == SLURM and shutil.which(name) is None]
    if missing:
        raise StudyError(
            f"--profile {given}: {missing[0]} is not found: run the study on a machine from which Slurm takes jobs, "
            "such as the cluster's login node"
        )

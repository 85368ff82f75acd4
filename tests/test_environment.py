"""All that names the environment agrees: pyproject.toml, environment.yml, requirements.lock, CI, README."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pfs.config.files import repository

# Where conda-forge calls a package otherwise.
CONDA_NAMES = {"torch": "pytorch"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((repository() / "pyproject.toml").read_text())["project"]
    return content


@pytest.fixture(scope="module")
def conda() -> list[Any]:
    dependencies: list[Any] = yaml.safe_load((repository() / "environment.yml").read_text())["dependencies"]
    return dependencies


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    """Package -> its pinned version."""
    lines = (repository() / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_conda_has_every_dependency_with_the_same_bound(project: dict[str, Any], conda: list[Any]) -> None:
    by_conda = {entry for entry in conda if isinstance(entry, str)}
    (by_pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    expected = {f"python{project['requires-python']}"}
    for dependency in map(Requirement, project["dependencies"]):
        if str(dependency) not in by_pip:
            expected.add(f"{CONDA_NAMES.get(dependency.name, dependency.name)}{dependency.specifier}")
    assert by_conda == expected | {"pip"}


def test_conda_installs_this_package_with_its_tools(conda: list[Any]) -> None:
    assert "-e .[dev]" in conda[-1]["pip"]


def test_what_conda_leaves_to_pip_is_a_dependency(project: dict[str, Any], conda: list[Any]) -> None:
    assert set(conda[-1]["pip"]) - {"-e .[dev]"} <= set(project["dependencies"])


def test_the_lock_pins_every_dependency_within_its_bounds(project: dict[str, Any], lock: dict[str, str]) -> None:
    optional = [line for extra in project["optional-dependencies"].values() for line in extra]
    for dependency in map(Requirement, project["dependencies"] + optional):
        if dependency.name != project["name"]:  # an extra that takes in another
            assert lock[canonicalize_name(dependency.name)] in dependency.specifier, dependency


def test_the_lock_names_no_machine(lock: dict[str, str]) -> None:
    text = (repository() / "requirements.lock").read_text()
    assert not re.search(r"://|/home|@|^-", text, flags=re.MULTILINE)
    assert not [name for name in lock if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.parametrize("file", ["README.md", ".ci/run"])
def test_the_test_command_is_the_same_everywhere(file: str) -> None:
    assert "make test" in (repository() / file).read_text()


def dry_make(*arguments: str) -> str:
    """What `make env` would do in a clone without an environment."""
    command = ["make", "-n", "-B", "env", *arguments]
    return subprocess.run(command, cwd=repository(), capture_output=True, text=True, check=True).stdout


def test_make_env_tells_its_size_first() -> None:
    said = dry_make()
    assert re.search(r"echo 'The environment takes about \d\.\d GB", said)
    assert said.index("GB") < said.index("-m venv") < said.index("pip install")
    assert "+cpu" not in said


def test_make_env_takes_torch_s_cpu_build_of_the_locked_versions(lock: dict[str, str]) -> None:
    (install,) = [line for line in dry_make("TORCH=cpu").splitlines() if "pip install" in line]
    assert install.endswith(f" torch=={lock['torch']}+cpu torchvision=={lock['torchvision']}+cpu")
    assert "-c requirements.lock" in install


def test_the_cpu_build_satisfies_the_lock(lock: dict[str, str]) -> None:
    assert Version(f"{lock['torch']}+cpu") in SpecifierSet(f"=={lock['torch']}")


def test_another_build_of_torch_is_refused(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(repository() / name)
    ended = subprocess.run(["make", "env", "TORCH=gpu"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "TORCH=gpu: the only other build is TORCH=cpu" in ended.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        ("results/digits/examples.npz", True),
        ("results/digits_gaps/figures/qualitative.png", True),
        ("results/benchmark/figures/steps.png", True),
        ("results/voc2012/runs.csv", True),
        ("results/voc2012/provenance.json", True),
        ("results/voc2012/test_counts.npz", True),
        ("results/voc2012/tables/main.md", True),
        ("results/voc2012/figures/methods.png", True),
        ("results/voc2012/examples.npz", False),
        ("results/voc2012/figures/qualitative.png", False),
        ("results/digits/runs/ce/0/checkpoint.pt", False),
        ("data/voc2012/checksums.json", False),
    ],
)
def test_git_keeps_results_and_no_pictures_of_others(file: str, kept: bool) -> None:
    if not (repository() / ".git").exists():
        pytest.skip("not a clone: nothing here is git's")
    asked = subprocess.run(["git", "check-ignore", "--no-index", "-q", file], cwd=repository(), check=False)
    assert asked.returncode == (1 if kept else 0)

"""A profile that cannot be used is told in one line, before anything else is asked or made."""

from pathlib import Path

import pytest

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.study.execution.cluster import profile
from pfs.study.execution.cluster.profile import read_profile


@pytest.fixture
def _slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


def own(folder: Path, text: str) -> str:
    (folder / "config.yaml").write_text(text)
    return str(folder)


@pytest.mark.usefixtures("_slurm")
@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_the_profiles_of_the_clone_name_their_executor(name: str) -> None:
    assert read_profile(name).executor == name
    assert read_profile(name).gpus == 0


@pytest.mark.usefixtures("_slurm")
def test_a_profile_of_ones_own_is_a_folder(tmp_path: Path) -> None:
    read = read_profile(own(tmp_path, "executor: slurm\ndefault-resources: {gpu: 2}\n"))
    assert (read.folder, read.executor, read.gpus) == (tmp_path, "slurm", 2)


@pytest.mark.usefixtures("_slurm")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jobs: 3", "names no executor: write `executor: slurm` into it"),
        ("executor: slrum", "Snakemake's plugin for slrum is not installed: .* snakemake-executor-plugin-slrum"),
        ("executor: slurm\ndefault-resources: [a]", r"default-resources is \['a'\]: write `name: value` lines"),
        (
            "executor: slurm\ndefault-resources: {gres: 'gpu:a100:1'}",
            "gres is 'gpu:a100:1': write `gpu: 1`, and the kind",
        ),
        ("executor: slurm\ndefault-resources: {gpu: many}", "gpu is 'many': write a number of GPUs"),
        ("a: [", "config.yaml: cannot be read as YAML"),
        ("- a", "config.yaml: is no list of `name: value` lines"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(StudyError, match=told) as error:
        read_profile(own(tmp_path, text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", ["slrum", "default", "nowhere/slurm"])
def test_a_profile_that_does_not_exist_is_told_before_the_study_begins(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`default` is what Snakemake uses on one machine, and no cluster's."""
    assert main(["study", "quick", "--results", str(tmp_path / "results"), "--profile", given]) == 1
    told = capsys.readouterr().err
    assert f"--profile '{given}': no such profile" in told and "valid choices: kubernetes, slurm" in told
    assert ("did you mean slurm?" in told) == (given == "slrum")
    assert told.count("\n") == 1 and not (tmp_path / "results").exists()


def test_a_plugin_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "find_spec", lambda _: None)
    with pytest.raises(
        StudyError, match=r"plugin for kubernetes is not installed: .*pip install .*-e '\.\[kubernetes\]'"
    ):
        read_profile("kubernetes")


def test_slurm_is_asked_for_where_its_commands_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "sbatch" else f"/usr/bin/{name}")
    with pytest.raises(StudyError, match=r"sbatch is not found: run the study on .* login node"):
        read_profile("slurm")

"""What Snakemake is given for a cluster, and what a node's Snakemake reads of it."""

import json
from pathlib import Path

import pytest

from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.study.execution.cluster import handover
from pfs.study.execution.cluster.handover import CONFIG, Cluster
from pfs.study.execution.cluster.profile import Profile
from pfs.study.execution.cluster.slurm import SlurmJobs
from pfs.study.places import TEACHER
from pfs.study.records import Timing
from tests.study.execution.cluster.test_resources import COSTS, STUDY, record

SETTINGS = {"study": "studies/tiny.yaml", "results": "re: sults", "data": "5"}


class Queue(SlurmJobs):
    """Of an earlier start: a job that waits, and one that makes `kd`, seed 1."""

    def cancel_waiting(self) -> int:
        return 1

    def left_of(self, runs: object) -> dict[tuple[str, int], int]:
        return {("kd", 1): 7}


def handed_over(cluster: Cluster, folder: Path) -> tuple[list[str], dict[str, object]]:
    arguments = cluster.arguments(STUDY, folder, SETTINGS, COSTS, cores="8", threads=None)
    return arguments, json.loads((folder / CONFIG).read_text())


def test_the_jobs_read_what_they_ask_for_from_a_file(tmp_path: Path) -> None:
    cluster = Cluster(Profile(tmp_path / "own", "htcondor"), None)
    arguments, config = handed_over(cluster, tmp_path)
    assert arguments[:4] == ["--workflow-profile", str(tmp_path / "own"), "--configfile", str(tmp_path / CONFIG)]
    assert not [argument for argument in arguments if "slurm" in argument or argument == "--cores"]
    asked = config.pop("cluster")
    assert config == SETTINGS  # as text, where Snakemake would read a number from a command line
    assert asked["cores"] == {TEACHER: 8, "student": 1}  # type: ignore[index]
    assert set(asked["resources"]) == {TEACHER, "ce", "kd"}  # type: ignore[index]


def test_before_the_first_record_it_is_told_how_many_minutes_jobs_ask_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(Profile(tmp_path / "own", "htcondor", {"runtime": 60}), None)
    handed_over(cluster, tmp_path)
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "a run of teacher, ce, kd takes" in told and "ask for 60 minutes" in told
    cluster.arguments(STUDY, tmp_path, SETTINGS, {}, cores="8", threads=None)  # nothing to train
    assert capsys.readouterr().err == ""


def test_what_jobs_on_several_hosts_ask_for_is_that_of_each_node(tmp_path: Path) -> None:
    cluster = Cluster(Profile(tmp_path, "slurm"), Queue("pfs-1"), hosts=2)
    cluster.arguments(STUDY, tmp_path, {**SETTINGS, "devices": "4"}, COSTS, cores="all", threads=None)
    asked = json.loads((tmp_path / CONFIG).read_text())["cluster"]
    assert asked["cores"] == {TEACHER: 8, "student": 2}
    assert {each["nodes"] for each in asked["resources"].values()} == {2}


def test_several_hosts_are_those_of_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(handover, "read_profile", lambda _: Profile(tmp_path, "kubernetes"))
    with pytest.raises(StudyError, match="--hosts 2: one run is shared among several nodes by Slurm alone"):
        Cluster.of("kubernetes", tmp_path, hosts=2)


def test_a_job_of_unknown_minutes_asks_for_those_of_the_profile_where_others_are_known(tmp_path: Path) -> None:
    """A rule of Snakemake asks for the same kinds of resources for all of its jobs."""
    record(tmp_path, "ce", 0, Timing(total_seconds=600.0))
    handed_over(Cluster(Profile(tmp_path, "slurm", {"runtime": 60, "gpu": 0}), Queue("pfs-1")), tmp_path)
    asked = json.loads((tmp_path / CONFIG).read_text())["cluster"]["resources"]
    assert asked[TEACHER]["runtime"] == 60 and asked["ce"]["runtime"] > 0
    assert "gpu" not in asked[TEACHER]  # which no job asks for by itself: the profile says it


def test_a_pod_begins_in_the_clone(tmp_path: Path) -> None:
    arguments, _ = handed_over(Cluster(Profile(tmp_path, "kubernetes"), None), tmp_path)
    assert arguments[-2:] == ["--precommand", f"cd {repository()}"]


def test_a_run_which_a_job_is_making_already_waits_for_that_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = Profile(tmp_path, "slurm", {"slurm_extra": "--nice"})
    arguments, config = handed_over(Cluster(profile, Queue("pfs-1")), tmp_path)
    assert config["cluster"]["slurm_extra"] == {"kd/1": "--nice --dependency=afterany:7"}  # type: ignore[index]
    assert arguments[arguments.index("--slurm-jobname-prefix") + 1] == "pfs-1"
    assert (
        "1 go on with their runs, 1 that had not begun are cancelled and handed over again" in capsys.readouterr().err
    )

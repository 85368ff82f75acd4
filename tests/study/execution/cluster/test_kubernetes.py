"""A study's jobs as Kubernetes would get them, checked by its own client and run as processes; there is no cluster."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pfs.__main__ import main
from pfs.config.files import repository
from pfs.study.execution.cluster.kubernetes import share_files
from tests.whole_study import Clone

PROFILE = repository() / "profiles" / "kubernetes" / "config.yaml"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a study that went through, by what they make."""
    folder = tmp_path_factory.mktemp("kubernetes")
    changes = {"methods": {"kd": {"kd": {"weight": 1.0}}}, "reference": "kd", "seeds": [0], "tuning": True}  # no pages
    clone = Clone(folder, data, **changes)
    (folder / "config.yaml").write_text(PROFILE.read_text().replace("# gpu", "gpu").replace("gpu: 1", "gpu: 2"))
    (folder / "sent").mkdir()
    command = [sys.executable, "-m", "tests.cluster.fake_kubernetes", str(folder / "sent"), *clone.command()[3:]]
    how = {"cwd": repository(), "capture_output": True, "text": True, "timeout": 400}
    ended = subprocess.run([*command[:-1], "1", "--profile", str(folder)], **how)  # type: ignore[call-overload]
    assert ended.returncode == 0, ended.stderr + (clone.results / "tiny" / "snakemake.log").read_text()
    assert (clone.results / "tiny" / "runs.csv").is_file()
    files = sorted((folder / "sent").glob("*.json"), key=os.path.getmtime)
    return dict(zip(("teacher", "student"), map(json.loads, map(Path.read_text, files)), strict=True))


@pytest.mark.timeout(500)
def test_each_run_is_one_job_which_asks_for_what_the_study_needs(jobs: dict[str, dict[str, Any]]) -> None:
    for job in jobs.values():
        assert (job["namespace"], job["spec"]["backoffLimit"]) == ("default", 0)
        pod = job["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        assert {"name": "pfs", "persistentVolumeClaim": {"claimName": "pfs"}} in pod["volumes"]
        [container] = pod["containers"]
        assert container["image"] == "registry.example.org/pfs:latest"
        assert {"name": "pfs", "mountPath": "/shared"} in container["volumeMounts"]
        requests, limits = (container["resources"][name] for name in ("requests", "limits"))
        assert limits["nvidia.com/gpu"] == requests["nvidia.com/gpu"]  # or Kubernetes refuses the job
        assert requests["cpu"] == "950m" and requests["nvidia.com/gpu"] == "2"
        assert 1000 < int(requests["memory"].removesuffix("M")) < 10_000


@pytest.mark.timeout(500)
def test_a_job_works_in_the_clone_with_its_environment(jobs: dict[str, dict[str, Any]]) -> None:
    """Which is that of this machine: nothing is copied, and nothing installed."""
    for job in jobs.values():
        [container] = job["spec"]["template"]["spec"]["containers"]
        [_, script] = container["args"]
        assert script.startswith(f"cd {repository()} && {sys.executable} -m snakemake ")
        assert "--deploy-sources" not in script and "pip install" not in script


@pytest.mark.parametrize("text", [None, "a: [", "clusters: []"])
def test_a_machine_that_knows_no_cluster_is_told_where_a_kubeconfig_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert main(["study", "quick", "--results", str(tmp_path / "results"), "--profile", "kubernetes"]) == 1
    told = capsys.readouterr().err
    assert f"--profile kubernetes: {file} names no cluster that can be used" in told and "KUBECONFIG" in told
    assert told.count("\n") == 1 and not (tmp_path / "results").exists()


def test_snakemake_takes_files_of_kubernetes_jobs_for_shared() -> None:
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    share_files()
    settings = ExecutorPluginRegistry().get_plugin("kubernetes").common_settings
    assert not settings.implies_no_shared_fs and settings.spawned_jobs_assume_shared_fs

"""`pfs study` on a Kubernetes that is not there: each job's container is a process of this machine.

    python -m tests.cluster.fake_kubernetes FOLDER study ...

What the plugin would send to the cluster is checked by Kubernetes' own client, and kept in FOLDER as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes
import kubernetes.config

from pfs.__main__ import main


class Cluster:
    """The two parts of Kubernetes' interface that the plugin calls: jobs, and their pods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def create_namespaced_job(self, namespace: str, body: Any) -> None:
        """Run the job's one container in an empty folder, as a node would."""
        name = body.metadata.name
        written = kubernetes.client.ApiClient().sanitize_for_serialization(body)
        (self.folder / f"{name}.json").write_text(json.dumps({"namespace": namespace, **written}, indent=1))
        container = body.spec.template.spec.containers[0]
        empty = self.folder / name
        empty.mkdir()
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [*container.command, *container.args]
            own = {name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS") if name in os.environ}
            self.running[name] = subprocess.Popen(command, cwd=empty, env=own, stdout=log, stderr=log)

    def read_namespaced_job_status(self, name: str, namespace: str) -> SimpleNamespace:
        status = self.running[name].poll()
        ended = {"failed": int(status not in (None, 0)), "succeeded": int(status == 0)}
        return SimpleNamespace(status=SimpleNamespace(**ended))

    def list_namespaced_pod(self, namespace: str, label_selector: str) -> SimpleNamespace:
        return SimpleNamespace(items=[])

    def _ignored(self, *_: object, **__: object) -> None:
        """Secrets hold environment variables, which a study hands on to no job; processes need not be deleted."""

    create_namespaced_secret = delete_namespaced_secret = delete_namespaced_job = _ignored


if __name__ == "__main__":
    cluster = Cluster(Path(sys.argv[1]))
    kubernetes.config.load_kube_config = lambda *_, **__: None
    kubernetes.client.CoreV1Api = kubernetes.client.BatchV1Api = lambda *_, **__: cluster
    sys.exit(main(sys.argv[2:]))

"""How the jobs of Kubernetes work on the files of one clone, which lies in a volume that all of them mount.

Snakemake's plugin takes for granted that its jobs share no files: it would send each job a copy of the clone through
an object store, and a run writes far more than the outputs that Snakemake would bring back. The jobs of a study share
the clone, its environment, the data and the results, as those of Slurm do.
"""

import os
from dataclasses import replace

import yaml

from pfs.config.base import StudyError


def share_files() -> None:
    """Tell Snakemake, in this process, that the jobs of Kubernetes see the same files as this machine."""
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    plugin = ExecutorPluginRegistry().get_plugin("kubernetes")
    plugin.common_settings = replace(
        plugin.common_settings,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        auto_deploy_default_storage_provider=False,
        spawned_jobs_assume_shared_fs=True,
    )


def check_configured(profile: str) -> None:
    """Raise a StudyError, which names the profile as it was given, unless this machine knows a cluster of Kubernetes.

    It is known from a kubeconfig, or, to a command that itself runs in a pod, from the pod's service account.
    """
    from kubernetes import config  # takes half a second to import

    try:
        config.load_kube_config()
    except (config.ConfigException, yaml.YAMLError) as error:
        try:
            config.load_incluster_config()
        except config.ConfigException:
            file = os.environ.get("KUBECONFIG", "~/.kube/config")
            raise StudyError(
                f"--profile {profile}: {file} names no cluster that can be used ({' '.join(str(error).split())}): put "
                "the kubeconfig of your cluster there, or name its file in KUBECONFIG"
            ) from None

"""How the jobs of Kubernetes work on the files of one clone, which lies in a volume that all of them mount.

Snakemake's plugin takes for granted that its jobs share no files: it would send each job a copy of the clone through
an object store, and a run writes far more than the outputs that Snakemake would bring back. The jobs of a study share
the clone, its environment, the data and the results, as those of Slurm do.
"""

from dataclasses import replace


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

"""What Snakemake is given when the runs of a study are jobs of a cluster. No torch here."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pfs.config.base import StudyError
from pfs.config.files import atomic_write, repository
from pfs.config.study import Study
from pfs.study.cost import RunCost
from pfs.study.execution.cluster.kubernetes import check_configured, share_files
from pfs.study.execution.cluster.profile import KUBERNETES, SLURM, Profile, read_profile
from pfs.study.execution.cluster.resources import Asked, cores_of_jobs, resources_of_jobs, unknown_minutes
from pfs.study.execution.cluster.slurm import SlurmJobs
from pfs.study.places import runs_of

CONFIG = ".cluster.json"  # in a study's results: the Snakefile's config, which the jobs on the nodes read too
# What decides which runs are made is the study's, whatever a profile of one's own says.
DECIDED = ("--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "input")


@dataclass(frozen=True)
class Cluster:
    """A cluster that makes the runs of one study.

    Attributes:
        profile: how Snakemake hands jobs to it.
        jobs: the study's jobs there, where it is Slurm's.
        hosts: over how many nodes the devices of a run are spread.
    """

    profile: Profile
    jobs: SlurmJobs | None
    hosts: int = 1

    @classmethod
    def of(cls, profile: str, folder: Path, hosts: int = 1) -> "Cluster":
        """The cluster of that profile, for the study whose results are in `folder`.

        Raises:
            StudyError: there is no such profile, or it cannot be used from this machine, or not for several hosts.
        """
        read = read_profile(profile)
        if hosts > 1 and read.executor != SLURM:
            raise StudyError(f"--hosts {hosts}: one run is shared among several nodes by Slurm alone: --profile slurm")
        if read.executor == KUBERNETES:
            check_configured(profile)
        return cls(read, SlurmJobs.of(folder) if read.executor == SLURM else None, hosts)

    def arguments(
        self,
        study: Study,
        folder: Path,
        config: Mapping[str, str],
        costs: Mapping[tuple[str, int], RunCost],
        *,
        cores: str,
        threads: int | None,
    ) -> list[str]:
        """Snakemake's arguments, besides what is to be made; what each job asks for is written to a file they name.

        Args:
            study: the study.
            folder: its results.
            config: what the Snakefile is told on one machine, too.
            costs: of all runs, as (method, seed).
            cores: of the teacher's job, or "all".
            threads: cores of a student's job; None: one for each device.
        """
        asked = self._asked(study, folder, costs, cores, threads, int(config.get("devices", "1")))
        # The jobs on the nodes read it, too, which a command line would reach through three shells.
        atomic_write(folder / CONFIG, json.dumps({**config, "cluster": asked}, indent=1, ensure_ascii=False) + "\n")
        return [
            *("--workflow-profile", str(self.profile.folder), "--configfile", str(folder / CONFIG)),
            *DECIDED,
            *self._executor_arguments(),
        ]

    def _asked(
        self,
        study: Study,
        folder: Path,
        costs: Mapping[tuple[str, int], RunCost],
        cores: str,
        threads: int | None,
        devices: int,
    ) -> dict[str, object]:
        """What each job asks for, as the Snakefile reads it; minutes that follow from no record are told."""
        resources = resources_of_jobs(study, folder, costs, self.profile, devices, self.hosts)
        if costs and (unknown := unknown_minutes(study, resources, self.profile)) is not None:
            print(unknown, file=sys.stderr)
        return {
            "cores": cores_of_jobs(cores, threads, devices, self.hosts),
            "resources": {method: self._with_defaults(asked, resources) for method, asked in resources.items()},
            "slurm_extra": self._left_over(study),
        }

    def _with_defaults(self, asked: Asked, all_asked: Mapping[str, Asked]) -> Asked:
        """What a job asks for, and what the profile's defaults say of that which only other jobs ask for.

        A rule of Snakemake asks for the same kinds of resources for all of its jobs.
        """
        known = {name for each in all_asked.values() for name in each}
        return {name: value for name, value in self.profile.defaults.items() if name in known} | asked

    def _executor_arguments(self) -> list[str]:
        """What the executor's plugin is told; that of Kubernetes is made to share files with this machine."""
        if self.jobs is not None:
            return ["--slurm-jobname-prefix", self.jobs.prefix, "--slurm-pass-command-as-script"]
        if self.profile.executor == KUBERNETES:
            share_files()
            return ["--precommand", f"cd {shlex.quote(str(repository()))}"]  # a pod begins in a folder of its own
        return []

    def _left_over(self, study: Study) -> dict[str, str]:
        """For each run that a job of an earlier start is making: the option which lets its new job wait for that one.

        Jobs of an earlier start that have not begun are cancelled.
        """
        if self.jobs is None:
            return {}
        cancelled, left = self.jobs.cancel_waiting(), self.jobs.left_of(runs_of(study))
        if cancelled or left:
            print(
                f"{study.name}: an earlier start has left jobs on the cluster: {len(left)} go on with their runs, "
                f"{cancelled} that had not begun are cancelled and handed over again",
                file=sys.stderr,
            )
        own = self.profile.defaults.get("slurm_extra", "")
        return {f"{method}/{seed}": f"{own} --dependency=afterany:{job}" for (method, seed), job in left.items()}

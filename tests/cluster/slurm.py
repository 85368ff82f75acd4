"""A Slurm of one node or several on this machine: started in a folder of its own, and taken down. It needs root."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import psutil

from tests.whole_study import wait_for

ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # before a command: it ends with this process, however this one ends
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIG = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
MpiDefault=none
MinJobAge=3600
KillWait=2
{nodes}
PartitionName=main Nodes=ALL Default=YES State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=16000"


def why_not() -> str | None:
    """Why this machine can start no Slurm of its own; None if it can."""
    if os.geteuid() != 0:
        return "a Slurm of one's own needs root"
    missing = [name for name in (*DAEMONS, "sbatch", "setpriv") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class SlurmCluster:
    """The cluster's daemons, and what a test does to it."""

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self.folder, self.nodes = folder, nodes
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o400)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        host, (controller, *ports) = socket.gethostname().split(".")[0], _free_ports(1 + len(nodes))
        lines = [NODE.format(name=name, host=host, port=port) for name, port in zip(nodes, ports, strict=True)]
        config = CONFIG.format(folder=folder, host=host, controller=controller, nodes="\n".join(lines))
        (folder / "slurm.conf").write_text(config)
        version = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
        (folder / "cgroup.conf").write_text(f"CgroupPlugin=cgroup/{version}\nIgnoreSystemd=yes\n")
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._find_configuration_in_jobs()

    def _find_configuration_in_jobs(self) -> None:
        """Snakemake's plugin takes SLURM_CONF from the environment of a job's `srun`, where this one puts it back."""
        (self.folder / "bin").mkdir()
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        self.environment["PATH"] = f"{srun.parent}:{os.environ['PATH']}"

    def start(self) -> None:
        names = ("socket", "key-file", "pid-file", "log-file", "seed-file")
        files = ("munge.socket", "munge.key", "munged.pid", "munged.log", "munged.seed")
        options = [f"--{name}={self.folder / file}" for name, file in zip(names, files, strict=True)]
        self._begin("munged", "--foreground", "--force", *options)
        wait_for((self.folder / "munge.socket").is_socket, 30)
        self._begin("slurmctld", "-D")
        for node in self.nodes:
            self.start_node(node)

    def _begin(self, daemon: str, *options: str, name: str | None = None) -> None:
        """Start a daemon that ends with this process."""
        command = [*ENDS_WITH_US, daemon, *options]
        with (self.folder / f"{name or daemon}.said").open("ab") as said:
            self.daemons[name or daemon] = subprocess.Popen(command, env=self.environment, stdout=said, stderr=said)

    def call(self, *command: str) -> str:
        """Run a command of Slurm's; returns what it prints."""
        how = {"env": self.environment, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run(command, check=True, **how).stdout  # type: ignore[call-overload,no-any-return]

    def jobs(self) -> list[tuple[int, str, str]]:
        """Every job that there has been, as (number, state, comment)."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i|%T|%k").splitlines()
        return sorted((int(number), state, told) for number, state, told in (line.split("|") for line in lines))

    def restarts(self, job: int) -> int:
        """How often Slurm has begun a job again whose node it had lost."""
        found = re.search(r"Restarts=(\d+)", self.call("scontrol", "show", "job", str(job)))
        assert found is not None
        return int(found[1])

    def start_node(self, node: str) -> None:
        self._begin("slurmd", "-D", "-N", node, name=node)
        wait_for(lambda: self._state(node) in ("idle", "mixed", "allocated"), 60)

    def _state(self, node: str) -> str:
        with suppress(subprocess.CalledProcessError):  # the controller does not answer yet
            return self.call("sinfo", "--noheader", f"--nodes={node}", "--format=%T").strip()
        return "unknown"

    def lose_node(self, node: str) -> None:
        """What a power cut does to the node: all of its processes end at once, and Slurm is told that it is down."""
        steps = [process for process in psutil.process_iter() if _belongs_to(process, self.folder / f"spool-{node}")]
        lost = [psutil.Process(self.daemons[node].pid), *steps]
        lost += [child for step in steps for child in step.children(recursive=True)]
        for process in lost:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(lost, timeout=10)
        self.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")

    def begin_waiting_jobs(self) -> None:
        """Let jobs begin soon that Slurm took from a lost node: it would let them wait for two minutes.

        A node that is there again is told first to end the jobs it had, and would end a new start of theirs, too.
        """
        time.sleep(4)
        for number, state, _ in self.jobs():
            if state == "PENDING":
                self.call("scontrol", "update", f"JobId={number}", "StartTime=now")

    def stop(self) -> None:
        for node in self.nodes:
            with suppress(subprocess.CalledProcessError):
                self.lose_node(node)
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()


@contextmanager
def slurm_cluster(*nodes: str) -> Iterator[SlurmCluster]:
    """A cluster of nodes of these names that takes jobs; its folder has a short name, for sockets lie in it."""
    folder = Path(mkdtemp(prefix="slurm-"))
    cluster = SlurmCluster(folder, nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _belongs_to(process: psutil.Process, spool: Path) -> bool:
    """Whether it watches over a job of a node: such a process listens on a socket in the node's folder."""
    with suppress(psutil.Error):
        if process.name().startswith("slurmstepd"):
            return any(str(each.laddr).startswith(f"{spool}/") for each in process.net_connections("unix"))
    return False


def _free_ports(count: int) -> list[int]:
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_ports]
    for server in with_ports:
        server.close()
    return ports

"""Processes on the nodes of a job of Slurm, which is played by two scripts that start them on this machine.

`tests/cluster/test_hosts.py` has them on a real one.
"""

import os
import shutil
import signal
import time
from pathlib import Path
from threading import Timer

import pytest
import torch

from pfs.config.base import StudyError
from pfs.study.execution.cluster.slurm import host_count, nodes_of_job
from pfs.study.execution.kernels_end import GO_ON
from pfs.training.devices import launch, other_host
from pfs.training.devices.group import DeviceError, KilledError
from pfs.training.devices.launch import check_machine, run_on_devices
from pfs.training.devices.processes import add_up, is_same_everywhere, process_count, process_rank
from tests.training.devices.test_launch import is_running, within

pytestmark = pytest.mark.trains

SRUN = """#!/bin/sh
while case "$1" in --*) true ;; *) false ;; esac; do echo "$1" >> "{folder}/asked"; shift; done
env | grep -E "^(SLURM|SRUN|SBATCH)_" | sort > "{folder}/environment"
exec "$@"
"""
SQUEUE = """#!/bin/sh
test "$*" = "--noheader --jobs=7 --format=%N" && echo "node[1-2]"
"""
SCONTROL = """#!/bin/sh
test "$*" = "show hostnames node[1-2]" && echo "one\ntwo"
"""


@pytest.fixture
def job(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts that play a job of the nodes `one` and `two`, of which this machine is `two`."""
    folder = tmp_path_factory.mktemp("bin")
    for name, script in (("srun", SRUN), ("squeue", SQUEUE), ("scontrol", SCONTROL)):
        (folder / name).write_text(script.replace("{folder}", str(folder)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURMD_NODENAME", "two")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_CPU_BIND", "quiet,mask_cpu:0x3")  # of this node
    return folder


def meet(folder: Path) -> None:
    """Leave a file that says who is there, and that all four can add up."""
    total = int(add_up(torch.tensor([process_rank()])))
    word = f"{process_rank()} of {process_count()}, device {os.environ['LOCAL_RANK']}, adds up to {total}"
    (folder / f"{word}, {torch.get_num_threads()} threads").touch()


def test_processes_are_spread_over_the_nodes_of_a_job(tmp_path: Path, job: Path) -> None:
    """The own node's come first; each host shares its threads among its own processes."""
    (tmp_path / ".devices-of-an-earlier-start").mkdir()
    torch.set_num_threads(4)
    try:
        run_on_devices(4, meet, tmp_path, folder=tmp_path)
    finally:
        torch.set_num_threads(1)
    expected = {f"{rank} of 4, device {rank % 2}, adds up to 6, 2 threads" for rank in range(4)}
    assert {file.name for file in tmp_path.iterdir()} == expected  # and nothing is left of the place where they met
    assert (job / "environment").read_text() == "SLURM_JOB_ID=7\n"
    options = (job / "asked").read_text().splitlines()
    assert options == ["--overlap", "--nodes=1", "--ntasks=1", "--cpu-bind=none", "--nodelist=one", "--cpus-per-task=3"]


def fail_elsewhere(folder: Path) -> None:
    """The other host's process fails by an error of its own, which the first one's waits for."""
    if process_rank() == 1:
        raise FileNotFoundError("masks/7.png is not there")
    add_up(torch.ones(1))


def fail_here(folder: Path) -> None:
    """The first host's process fails by an error of its own; what the other one loses is its connection."""
    (folder / str(os.getpid())).touch()
    if process_rank() == 0:
        raise FileNotFoundError("masks/8.png is not there")
    add_up(torch.ones(1))


def be_killed_elsewhere(folder: Path) -> None:
    if process_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    add_up(torch.ones(1))


def test_an_error_on_another_node_comes_with_its_own_type_and_text(
    tmp_path: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its clock is an hour fast, so that the connections seem to be lost before."""
    monkeypatch.setattr(launch, "_likely_cause", slow_clock(launch._likely_cause))
    with pytest.raises(FileNotFoundError) as failed:
        run_on_devices(2, fail_elsewhere, tmp_path, folder=tmp_path)
    assert str(failed.value) == "masks/7.png is not there"
    assert "fail_elsewhere" in failed.value.__notes__[0]
    assert list(tmp_path.iterdir()) == []


def slow_clock(likely_cause: object) -> object:
    """Sorts failures as though those of this host had been an hour before the others."""

    def sort(failure: tuple[float, Exception]) -> object:
        earlier = 3600 if "device 1 of" in "".join(getattr(failure[1], "__notes__", [])) else 0
        return likely_cause((failure[0] - earlier, failure[1]))  # type: ignore[operator]

    return sort


def test_an_error_on_the_first_node_ends_the_others(tmp_path: Path, job: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"masks/8\.png"):
        run_on_devices(2, fail_here, tmp_path, folder=tmp_path)
    processes = [int(file.name) for file in tmp_path.iterdir()]
    within(10, lambda: not any(map(is_running, processes)))


def test_a_process_that_is_killed_on_another_node_is_named(tmp_path: Path, job: Path) -> None:
    with pytest.raises(DeviceError, match=r"^the process of device 2 of 2 was ended by SIGKILL.*start the run again"):
        run_on_devices(2, be_killed_elsewhere, tmp_path, folder=tmp_path)


def test_a_node_that_is_lost_without_a_word_is_named(tmp_path: Path, job: Path) -> None:
    """What `srun` says then is its status alone. The processes here, which wait for that node, end within seconds."""
    (job / "srun").write_text("#!/bin/sh\nexit 143\n")
    begun = time.monotonic()
    with pytest.raises(
        DeviceError, match="on the node one ended with status 143 without a word; the job's log may say"
    ):
        run_on_devices(2, meet, tmp_path, folder=tmp_path)
    assert time.monotonic() - begun < 30


def test_a_node_whose_first_host_has_ended_ends_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And does not make the folder again in which that one would have read why."""
    (place := tmp_path / "ended").mkdir()
    Timer(2, shutil.rmtree, [place]).start()
    assert other_host.main(str(place), hosts="2", devices="1", threads="1", host="1") == 1
    assert "DeviceError: the first host has ended" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_does_not_see_the_results_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert other_host.main(str(tmp_path / "x"), hosts="2", devices="1", threads="1", host="1") == 1
    assert "does not see" in (said := capsys.readouterr().err) and "a file system that all nodes share" in said


def lose_connection(folder: Path) -> None:
    """A process ends as NCCL ends it where another is lost: the rest can only say that it is gone."""
    if process_rank() == 1:
        os.abort()
    add_up(torch.ones(1))


def test_what_says_nothing_but_that_a_connection_is_lost_comes_last(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"^the process of device 2 of 2 was ended by SIGABRT") as failed:
        run_on_devices(2, lose_connection, tmp_path, folder=tmp_path)
    assert GO_ON in str(failed.value) and "memory" not in str(failed.value)
    lost = RuntimeError("[../third_party/gloo/transport/tcp/pair.cc:553] Connection closed by peer")
    told = [(0.0, lost), (1.0, DeviceError()), (2.0, ValueError()), (3.0, KilledError())]
    assert sorted(told, key=launch._likely_cause) == told[::-1]
    assert launch._is_loss_of_connection(lost)
    assert not launch._is_loss_of_connection(RuntimeError("The size of tensor a must match the size of tensor b"))


def leave_or_read(folder: Path) -> None:
    """Say whether the processes give the same text, and whether their work still lies in the folder."""
    words = is_same_everywhere("a"), is_same_everywhere(str(process_rank()))
    (folder / f"{process_rank()}: {words}, {[file.name for file in folder.glob('.devices-*/work')]}").touch()


def test_processes_find_out_whether_they_are_alike_and_leave_no_work_behind(tmp_path: Path) -> None:
    run_on_devices(2, leave_or_read, tmp_path, folder=tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {f"{rank}: (True, False), []" for rank in (0, 1)}


def test_devices_that_cannot_be_spread_equally_are_refused(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine(1)
    check_machine(4)
    with pytest.raises(DeviceError, match="3 devices cannot be spread equally over the 2 nodes of this job of Slurm"):
        check_machine(3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_machine(2)
    with pytest.raises(DeviceError, match="4 devices were asked for, and each of the 2 nodes has 1 GPUs"):
        check_machine(4)
    assert (host_count(1), host_count(2)) == (1, 2)


def test_a_machine_that_is_no_node_of_the_job_has_its_own_devices_alone(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a login node, whose shell holds an allocation."""
    assert nodes_of_job() == ["two", "one"]
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    with pytest.raises(StudyError, match="squeue failed"):  # the script knows the job by its own number alone
        nodes_of_job()
    monkeypatch.delenv("SLURMD_NODENAME")
    assert nodes_of_job() == [] and host_count(2) == 1

"""Processes that are started together end together, and what one of them says is said once."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from pfs.training.devices.group import DeviceError
from pfs.training.devices.launch import check_machine, run_on_devices
from pfs.training.devices.processes import add_up, process_rank

pytestmark = pytest.mark.trains


def wait_for_the_killed(folder: Path) -> None:
    """Exchange tensors until the second process is killed, which then never answers."""
    (folder / str(os.getpid())).touch()
    add_up(torch.ones(1))
    if process_rank() == 1:
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    add_up(torch.ones(1))


def fail_in_the_second(folder: Path) -> None:
    """The first process waits for the second, which raises an error of its own."""
    (folder / f"{process_rank()} has {torch.get_num_threads()}").touch()
    if process_rank() == 1:
        raise FileNotFoundError("masks/7.png is not there")
    add_up(torch.ones(1))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_is_killed_ends_the_others_with_one_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"^the process of device 2 of 2 was ended by SIGKILL.*start the run again"):
        run_on_devices(2, wait_for_the_killed, tmp_path, folder=tmp_path)
    assert time.time() - (tmp_path / "killed").stat().st_mtime < 10
    (tmp_path / "killed").unlink()
    processes = [int(file.name) for file in tmp_path.iterdir()]
    assert len(processes) == 2
    assert not any(map(is_running, processes))


def test_an_error_of_one_process_comes_with_its_own_type_and_text(tmp_path: Path) -> None:
    """And not as the lost connection of the other; the threads are shared."""
    torch.set_num_threads(4)
    try:
        with pytest.raises(FileNotFoundError) as failed:
            run_on_devices(2, fail_in_the_second, tmp_path, folder=tmp_path)
    finally:
        torch.set_num_threads(1)
    assert str(failed.value) == "masks/7.png is not there"
    assert "fail_in_the_second" in failed.value.__notes__[0]  # where it happened, for whoever looks further
    assert {file.name for file in tmp_path.iterdir()} == {"0 has 2", "1 has 2"}


def wait_for_ever(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Also where it is killed, and cannot end them."""
    where = {"folder": tmp_path}
    starter = get_context("spawn").Process(target=run_on_devices, args=(2, wait_for_ever, tmp_path), kwargs=where)
    starter.start()
    within(60, lambda: len(list(tmp_path.glob("[0-9]*"))) == 2)
    starter.kill()
    within(20, lambda: not any(is_running(int(file.name)) for file in tmp_path.glob("[0-9]*")))


def within(seconds: float, happens: Callable[[], bool]) -> None:
    """Wait until something is so, for at most so many seconds."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def test_more_devices_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_machine(1)
    with pytest.raises(DeviceError, match="2 devices were asked for, and this machine has 1 GPUs"):
        check_machine(2)

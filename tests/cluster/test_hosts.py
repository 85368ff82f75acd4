"""Runs that are shared among two nodes of a real Slurm, of which one is lost in the midst of it.

Both nodes are this machine, as Slurm lets one machine be several.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pfs.study.records import read_record
from tests.cluster.here import train_here
from tests.cluster.on_slurm import CE, SMALL, TEACHER, OnSlurm, weights
from tests.cluster.slurm import slurm_cluster, why_not
from tests.whole_study import Clone

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(700),  # beside much other work: alone it takes a minute
]

STUDY: dict[str, Any] = {**SMALL, "methods": {"ce": {}}}
STUDY |= {"teacher": {**STUDY["teacher"], "steps": 10}, "student": {**STUDY["student"], "steps": 100}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[OnSlurm]:
    """A study each of whose runs was shared among two nodes; the second node was lost while the student trained."""
    with slurm_cluster("one", "two") as cluster:
        folder = tmp_path_factory.mktemp("hosts")
        study = OnSlurm(folder, data, cluster, STUDY, "--devices", "2", "--hosts", "2")
        with study.driven() as driver:
            study.wait_for(lambda: bool(study.steps(CE)))
            cluster.lose_node("two")
            assert not study.record(CE).is_file(), "the run was done before its node could be lost"
            cluster.start_node("two")
            cluster.begin_waiting_jobs()
            _, said = driver.communicate(timeout=250)
            assert driver.returncode == 0, said
        yield study


def test_weights_are_those_of_the_same_devices_on_one_machine(shared: OnSlurm, tmp_path: Path, data: Path) -> None:
    here = Clone(tmp_path, data, **STUDY)
    train_here(here, devices=2)
    for run in (TEACHER, CE):
        torch.testing.assert_close(weights(shared.clone, run), weights(here, run), rtol=0, atol=0)


@pytest.mark.parametrize("run", [TEACHER, CE])
def test_records_tell_devices_and_hosts(run: str, shared: OnSlurm) -> None:
    record = read_record(shared.record(run))
    assert (record.provenance.devices, record.provenance.hosts) == (2, 2)


def test_a_job_whose_second_node_is_lost_begins_again(shared: OnSlurm) -> None:
    """By Slurm alone: the command has handed it over once."""
    assert len(shared.jobs(CE)) == 1
    assert shared.cluster.restarts(shared.jobs(CE)[0][0]) == 1


def test_nothing_is_left_of_the_place_where_the_processes_met(shared: OnSlurm) -> None:
    assert list(shared.folder(CE).glob(".devices-*")) == []

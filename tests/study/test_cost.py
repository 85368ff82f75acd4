"""What a study costs, beside what the committed records say that it did cost."""

import pandas as pd
import pytest
import torch

from pfs.config.data import Evaluation
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.networks import DilatedResNetConfig, SegmentationModelConfig
from pfs.config.study import Study
from pfs.models import build_network, count_macs
from pfs.study.cost import (
    PROCESS_BYTES,
    NetworkCost,
    RunCost,
    cached_bytes,
    describe,
    few_digits,
    size,
    study_costs,
)
from pfs.study.trial.data_check import StudyImages
from pfs.study.trial.network_count import network_cost

COUNTS = {"train": 6000, "val": 300, "test": 500}
DIGITS = StudyImages(11, (64, 64), ((64, 64),), COUNTS)


@pytest.fixture(scope="module")
def digits() -> Study:
    return load_study(repository() / "studies" / "digits.yaml")


@pytest.fixture(scope="module")
def networks(digits: Study) -> tuple[NetworkCost, NetworkCost]:
    teacher, student = (network_cost(t.network, DIGITS, None) for t in (digits.teacher, digits.student))
    return teacher, student


def test_macs_and_parameters_are_those_of_the_committed_records(networks: tuple[NetworkCost, NetworkCost]) -> None:
    runs = pd.read_csv(repository() / "results" / "digits" / "runs.csv").drop_duplicates("method").set_index("method")
    for method, network in zip(("teacher", "ce"), networks, strict=True):
        assert (network.macs, network.parameters) == tuple(runs.loc[method, ["macs", "parameters"]])


def test_the_arithmetic_follows_from_the_columns(digits: Study, networks: tuple[NetworkCost, NetworkCost]) -> None:
    runs = pd.read_csv(repository() / "results" / "digits" / "runs.csv").query("split == 'test'")
    costs = study_costs(digits, COUNTS, *networks, cached=True)
    assert set(costs) == set(zip(runs.method, runs.seed, strict=True))
    for method, seed, macs in zip(runs["method"], runs["seed"].astype(int), runs["macs"].astype(int), strict=True):
        spec = digits.teacher if method == "teacher" else digits.student
        cost = costs[method, seed]
        assert cost.training == 6 * macs * spec.batch_size * spec.steps
        assert cost.evaluation == pytest.approx(2 * macs * 800, rel=0.02)  # and the upsampling
        assert cost.outputs == (2 * macs * 6000 if method == "teacher" else 0)


def test_a_teacher_that_is_asked_at_every_step_is_counted_there(
    digits: Study, networks: tuple[NetworkCost, NetworkCost]
) -> None:
    cached, asked = (study_costs(digits, COUNTS, *networks, cached=cached) for cached in (True, False))
    assert asked["teacher", 0].outputs == 0
    assert asked["ce", 0] == cached["ce", 0]
    answered = 2 * networks[0].macs * digits.student.batch_size * digits.student.steps
    assert asked["kd", 0].training == cached["kd", 0].training + answered


def test_outputs_larger_than_cache_gib_are_not_cached(digits: Study, networks: tuple[NetworkCost, NetworkCost]) -> None:
    assert cached_bytes(digits, COUNTS, networks[0]) == 6000 * (2 * (11 + 192) * 16**2 + 8)
    assert cached_bytes(digits.model_copy(update={"cache_gib": 0.5}), COUNTS, networks[0]) == 0


def test_a_learning_curve_costs_its_scoring_and_its_weights_on_disk(
    digits: Study, networks: tuple[NetworkCost, NetworkCost]
) -> None:
    counts = {"train": 6000, "val": 300, "test": 500}
    curved = digits.model_copy(update={"student": digits.student.model_copy(update={"val_every": 250})})
    without, cost = (study_costs(one, counts, *networks, cached=True)["ce", 0] for one in (digits, curved))
    assert cost.training == without.training
    assert cost.evaluation == pytest.approx(without.evaluation * (300 * 5 + 500) / 800)
    assert cost.disk - without.disk == 4 * 4 * networks[1].parameters


def test_scales_and_mirror_images_of_the_evaluation_are_counted() -> None:
    spec = DilatedResNetConfig(name="dilated_resnet", width=2)
    images = StudyImages(3, (16, 16), ((32, 32),), COUNTS)
    once, flipped, windows = (
        network_cost(spec, images, how).scored_macs
        for how in (Evaluation(), Evaluation(flip=True), Evaluation(window=[16, 16]))
    )
    assert flipped == pytest.approx(2 * once, rel=0.05)
    assert windows == pytest.approx(9 / 4 * once, rel=0.1)  # 3 x 3 windows of a quarter


def test_a_network_is_counted_without_its_weights_and_as_it_is_built() -> None:
    spec = SegmentationModelConfig(
        name="segmentation_model", architecture="fpn", encoder="resnet18", weights="no/such/file.pth"
    )
    images = StudyImages(3, (64, 64), ((64, 64),), COUNTS)
    network = build_network(spec, 3, pretrained=False)
    assert network_cost(spec, images, None).macs == count_macs(network, (64, 64))


def test_activations_are_what_autograd_keeps() -> None:
    """A network of one convolution keeps its input, and nothing else."""
    from pfs.study.trial.network_count import _saved_for_backward

    network = torch.nn.Conv2d(3, 5, 3)
    images = torch.zeros(2, 3, 8, 8)
    with _saved_for_backward(network) as sizes:
        network(images)
    assert sum(sizes.values()) == images.nbytes


def test_what_is_told_counts_students_that_train_at_once() -> None:
    gib = 2**30
    run = RunCost(training=2e12, evaluation=0.5e12, outputs=0.0, memory=gib, disk=gib // 4)
    costs = {("teacher", 0): run, ("ce", 0): run, ("ce", 1): run, ("ce", 2): run}
    told = "4 runs to do: 10 TFLOP, about 2 GiB of memory, 1 GiB of disk"
    assert describe(costs, at_once=2) == told


def test_what_is_told_counts_a_process_for_each_device() -> None:
    """And the notebook's own, which waits; a process needs its own memory, whatever its part of the batch."""
    gib = 2**30
    run = RunCost(training=2e12, evaluation=0.5e12, outputs=0.0, memory=4 * gib, disk=gib, process=gib)
    assert run.memory_on(1) == 4 * gib
    assert run.memory_on(3) == 6 * gib + PROCESS_BYTES
    assert "about 14 GiB of memory" in describe({("ce", 0): run, ("ce", 1): run}, at_once=2, devices=3)


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 MiB"), (31 * 2**20, "31 MiB"), (0.15 * 2**30, "0.15 GiB"), (5540 * 2**30, "5,540 GiB")]
)
def test_sizes_are_written_without_powers_of_ten(count: float, told: str) -> None:
    assert size(count) == told
    assert few_digits(1.23456e6) == "1,234,560" and few_digits(39.34) == "39.3"

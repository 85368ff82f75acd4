"""Device hours, money and the worth of kept outputs: against plain sums, and against the runs that are committed."""

from pathlib import Path

import pandas as pd
import pytest

from pfs.bench.forecast import (
    DEVICES,
    START_SECONDS,
    Device,
    Rates,
    by_role,
    device_memory,
    hours,
    keeping,
    measured_rates,
    output_bandwidth,
    rates_of,
    rates_of_steps,
)
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.cost import PROCESS_BYTES, NetworkCost, study_costs
from pfs.study.places import TEACHER
from pfs.study.records import RecordError
from pfs.study.trial.data_check import check_data, published_images
from pfs.study.trial.network_count import network_cost

ROOT = Path(__file__).parents[2]
LARGE = NetworkCost(macs=1000, scored_macs=1000.0, parameters=50, activation_bytes=300, output_bytes=40)
SMALL = NetworkCost(macs=100, scored_macs=100.0, parameters=5, activation_bytes=30, output_bytes=4)
COUNTS = {"train": 3000, "val": 300, "test": 500}


@pytest.fixture
def quick() -> Study:
    return load_study(ROOT / "studies" / "quick.yaml")


def test_hours_are_each_run_s_arithmetic_at_the_rate_of_its_network_and_its_start(quick: Study) -> None:
    costs = study_costs(quick, COUNTS, LARGE, SMALL, cached=True)
    teacher, students = by_role(costs)
    taken = hours(costs, Rates(teacher=1e6, student=1e5))
    assert (len(teacher), len(students)) == (1, 18)
    assert taken.teacher == pytest.approx((teacher[0].flop / 1e6 + START_SECONDS) / 3600)
    assert taken.students == pytest.approx(sum(cost.flop / 1e5 + START_SECONDS for cost in students) / 3600)
    assert taken.total == taken.teacher + taken.students


def test_a_device_computes_at_the_given_share_of_its_peak() -> None:
    assert rates_of(Device("one", 1e12), 0.3) == (3e11, 3e11)
    assert [device.name for device in sorted(DEVICES, key=lambda device: -device.peak)] == [
        "H100 SXM",
        "A100 SXM",
        "RTX 4090",
    ]


def test_the_rates_of_given_step_times_give_these_step_times_back(quick: Study) -> None:
    costs = study_costs(quick, COUNTS, LARGE, SMALL, cached=False)  # the teacher's forward pass is no part of it
    rates = rates_of_steps(costs, quick, (2.0, 0.5))
    assert costs[TEACHER, 0].training / rates.teacher == pytest.approx(2.0 * quick.teacher.steps)
    assert costs["ce", 0].training / rates.student == pytest.approx(0.5 * quick.student.steps)
    assert costs["kd", 0].training > costs["ce", 0].training


def test_memory_is_the_largest_run_s_without_the_process(quick: Study) -> None:
    costs = study_costs(quick, COUNTS, LARGE, SMALL, cached=True)
    assert device_memory(costs) == 16 * 50 + 16 * 300 == costs[TEACHER, 0].memory - PROCESS_BYTES


def test_keeping_outputs_pays_by_the_forward_passes_that_it_saves(quick: Study) -> None:
    kept = keeping(quick, COUNTS, LARGE)
    asked = 5 * 3 * 640 * 16  # five methods with a teacher, three seeds, steps, batch
    assert kept == (3000 * 40, 1, 2 * 1000 * (asked - 3000))
    never = quick.model_copy(update={"methods": {"ce": quick.methods["ce"]}})
    assert keeping(never, COUNTS, LARGE).saved == -2 * 1000 * 3000
    assert keeping(quick, {**COUNTS, "train": 100_000}, LARGE).runs == 10  # 10,240 images a student


def test_the_disk_keeps_up_where_reading_takes_as_long_as_the_forward_pass() -> None:
    bandwidth = output_bandwidth(LARGE, 1e9)
    assert LARGE.output_bytes / bandwidth == pytest.approx(2 * LARGE.macs / 1e9)


def test_published_images_are_what_is_found_in_place() -> None:
    """The counts of CamVid as published, and the holdout of a data set without a test split."""
    assert published_images(load_study(ROOT / "studies" / "camvid.yaml")).counts == {
        "train": 367,
        "val": 101,
        "test": 233,
    }
    voc = published_images(load_study(ROOT / "studies" / "voc2012.yaml"))
    assert (voc.classes, voc.trained_at, voc.counts) == (21, (513, 513), {"train": 10_082, "val": 500, "test": 1449})
    assert published_images(load_study(ROOT / "studies" / "pascal_context.yaml")).classes == 59


@pytest.mark.parametrize("name", ["quick", "digits", "camvid_cpu"])
def test_hours_from_measured_steps_are_within_30_percent_of_what_the_committed_runs_took(name: str) -> None:
    study = load_study(ROOT / "studies" / f"{name}.yaml")
    digits = study.data.name == "digit_scenes"
    images = check_data(study, ROOT / "data") if digits else published_images(study)
    teacher, student = (network_cost(spec.network, images, study.evaluation) for spec in (study.teacher, study.student))
    costs = study_costs(study, images.counts, teacher, student, cached=True)
    runs = pd.read_csv(ROOT / "results" / name / "runs.csv").query("split == 'test'")
    steps = [
        runs.loc[runs["method"] == method, "training_seconds"].mean() / spec.steps
        for method, spec in ((TEACHER, study.teacher), (study.reference, study.student))
    ]
    predicted = hours(costs, rates_of_steps(costs, study, (steps[0], steps[1]))).total
    assert predicted == pytest.approx(runs["seconds"].sum() / 3600, rel=0.3)


def test_measured_devices_compute_what_they_computed(tmp_path: Path) -> None:
    assert measured_rates("one", tmp_path) == {}
    (tmp_path / "benchmark").mkdir()
    rows = ["one,teacher,2000,100,GPU", "one,student,500,50,GPU", "other,teacher,9,9,GPU", "other,student,9,9,GPU"]
    (tmp_path / "benchmark" / "paces.csv").write_text("\n".join(["study,network,gflop,milliseconds,device", *rows]))
    assert measured_rates("one", tmp_path) == {"GPU": Rates(teacher=2e13, student=1e13)}
    assert measured_rates("none", tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "study,network,gflop,device\none,teacher,2000,GPU\n",
        "study,network,gflop,milliseconds,device\none,teacher,2000,100,GPU\n",
        "study,network,gflop,milliseconds,device\none,teacher,2000,100,GPU\none,teacher,2000,100,GPU\n",
        "study,network,gflop,milliseconds,device\none,teacher,2000,100,GPU\none,student,500,,GPU\n",
        "study,network,gflop,milliseconds,device\none,teacher,2000,100,GPU\none,student,500,fast,GPU\n",
    ],
    ids=["empty", "no column", "one network", "twice", "cut", "no number"],
)
def test_a_damaged_table_of_measured_devices_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark" / "paces.csv").write_text(text)
    with pytest.raises(RecordError, match=r"paces.csv: is damaged .*: restore it"):
        measured_rates("one", tmp_path)

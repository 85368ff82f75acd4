"""About how long the studies would take whose claims have not been tested yet: on a GPU, and on two cores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pfs.bench import forecast
from pfs.config.base import StudyError
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.study.cost import cached_bytes, study_costs
from pfs.study.places import TEACHER
from pfs.study.trial.data_check import StudyImages, check_data, published_images
from pfs.study.trial.network_count import network_cost

AT_ONCE = 2  # students that two cores train at once, each with one thread


def expected_hours(studies: Sequence[str], pace: Mapping[str, str], results: Path) -> pd.DataFrame:
    """Forecast the hours of studies, as `pfs cost` does.

    Args:
        studies: by their names.
        pace: data set -> the committed study by whose seconds two cores are judged.
        results: folder of all results.

    Returns:
        The columns study, runs, tflop (of all runs), gpu_hours (of an H100 as it was measured, else at the share of its
        peak that is assumed) and two_cores_hours (NaN where no committed study has the data set).
    """
    plans = [load_study(f"studies/{name}.yaml") for name in studies]
    rates = {data: _pace(load_study(f"studies/{name}.yaml"), results) for data, name in pace.items()}
    return pd.DataFrame([_row(plan, rates.get(plan.data.name), results) for plan in plans])


def _row(study: Study, pace: forecast.Rates | None, results: Path) -> dict[str, object]:
    costs = _costs(study)
    h100 = next(iter(forecast.device_rates(study.name, forecast.UTILISATION, results).values()))
    gpu = forecast.hours(costs, h100).total
    flop = [sum(cost.flop for cost in runs) for runs in forecast.by_role(costs)]
    cores = sum(work / rate for work, rate in zip(flop, pace, strict=True)) / 3600 if pace else float("nan")
    return {
        "study": study.name,
        "runs": len(costs),
        "tflop": sum(flop) / 1e12,
        "gpu_hours": gpu,
        "two_cores_hours": cores,
    }


def _pace(study: Study, results: Path) -> forecast.Rates:
    """Operations a second of the runs of a committed study, in which two cores trained two students at once."""
    runs = pd.read_csv(results / study.name / "runs.csv")
    seconds = runs[runs["split"] == "test"].groupby(runs["method"] == TEACHER)["seconds"].sum()
    teacher, students = (sum(cost.flop for cost in made) for made in forecast.by_role(_costs(study)))
    return forecast.Rates(teacher / seconds[True], AT_ONCE * students / seconds[False])


def _costs(study: Study) -> forecast.Costs:
    """What each run costs by the images of the study's data as they are published, whatever is in place here."""
    images = _images(study)
    teacher, student = (network_cost(role.network, images, study.evaluation) for role in (study.teacher, study.student))
    return study_costs(study, images.counts, teacher, student, cached=cached_bytes(study, images.counts, teacher) > 0)


def _images(study: Study) -> StudyImages:
    try:
        return published_images(study)
    except StudyError:  # the scenes that are drawn: the study says how many
        return check_data(study, Path())

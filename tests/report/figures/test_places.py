"""Maps of marked places, and the knowledge gap over training, from the committed arrays of `quick`."""

import numpy as np
import pytest

from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.report.figures.places import gaps_figure, knowledge_gap, marked_places, places_figure, similarity
from pfs.report.style import COLUMN
from tests.report.legible import flaws

ARRAYS = dict(np.load(repository() / "results" / "quick" / "walkthrough.npz"))
STUDY = load_study("studies/quick.yaml")


def test_a_place_is_deepest_inside_each_of_the_largest_classes() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[:5, :5], labels[6:9, 6:9], labels[0, 8] = 1, 2, 255
    assert [tuple(map(int, place)) for place in marked_places(labels, count=3)][1:] == [(2, 2), (7, 7)]
    assert labels[tuple(marked_places(labels, count=1)[0])] == 0


def test_a_map_is_the_centred_cosine_of_the_features() -> None:
    features = np.random.default_rng(0).normal(size=(5, 2, 3))
    centred = features - features.mean(axis=(1, 2), keepdims=True)
    one, other = centred[:, 0, 1], centred[:, 1, 2]
    expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert similarity(features)[0, 1, 1, 2] == pytest.approx(expected)
    assert similarity(features)[0, 1, 0, 1] == pytest.approx(1)


def test_the_gap_is_what_the_teacher_knows_better_and_0_where_the_student_does() -> None:
    sure, unsure = np.log([[[0.9, 0.5]], [[0.1, 0.5]]]), np.log([[[0.5, 0.9]], [[0.5, 0.1]]])
    labels = np.zeros((1, 2), np.uint8)
    np.testing.assert_allclose(knowledge_gap(sure, unsure, labels), [[0.4, 0.0]])
    labels[0, 1] = 255
    assert np.isnan(knowledge_gap(sure, unsure, labels)).tolist() == [[False, True]]


def test_the_figures_of_a_column_can_be_read() -> None:
    places = places_figure(ARRAYS, ["teacher", "ce", "pfs"], STUDY, 1, COLUMN)
    gaps = gaps_figure(ARRAYS, ["ce", "kd", "pfs", "wsp"], [0, 40, 160], STUDY, 1, COLUMN)
    assert flaws(places) == flaws(gaps) == []


def test_the_figures_can_be_read() -> None:
    places = places_figure(ARRAYS, ["teacher", "ce", "pfs"], STUDY, 1)
    gaps = gaps_figure(ARRAYS, ["ce", "wsp"], [0, 40, 160], STUDY, 1)
    assert flaws(places) == flaws(gaps) == []
    assert [axes.get_title(loc="center") for axes in gaps.axes[:5]] == [
        "image",
        "step 0",
        "step 40",
        "step 160",
        "step 640",
    ]
    means = [float(axes.get_xlabel().removeprefix("mean ")) for axes in gaps.axes[1:5]]
    assert means[0] > means[-1]  # the student learns

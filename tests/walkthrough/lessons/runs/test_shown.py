"""What the board shows: the table, the curves, and the row of pictures, each with its words."""

import re

import numpy as np
import pytest

from pfs.walkthrough.lessons.runs.scenes import Scenes
from pfs.walkthrough.lessons.runs.shown import Course, curves, pictures, smoothed, table


def test_few_losses_are_shown_as_they_are() -> None:
    assert smoothed([(1, 2.0), (2, 4.0)]) == [(1, 2.0), (2, 4.0)]


def test_many_losses_become_200_means_of_the_last_twentieth() -> None:
    losses = [(step, float(step % 2)) for step in range(1, 1001)]
    points = smoothed(losses)
    assert len(points) == 200 and points[-1] == (1000, 0.5)


def test_a_row_says_state_loss_and_score() -> None:
    text = re.sub("<[^>]+>", " ", table({"ce": Course([(1, 2.0)], None, 31.25, "finished")}))
    assert text.split()[-8:] == ["Student", "alone", "(CE)", "finished", "2.00", "-", "31.2", "%"]


def test_curves_differ_in_more_than_colour_and_say_their_last_values() -> None:
    drawn = curves({"ce": Course([(1, 2.0), (2, 1.5)]), "pfs_wsp": Course([(1, 2.0), (2, 1.0)])}, steps=4)
    assert drawn.count("<polyline") == 2 and drawn.count("stroke-dasharray") == 1
    assert "Student alone (CE) 1.50 at step 2; PFS + WSP 1.00 at step 2" in drawn


def test_nothing_trained_is_said_in_words() -> None:
    assert "Nothing is trained yet." in curves({"ce": Course()}, steps=4)


@pytest.mark.parametrize("seen", [0, 4])
def test_a_picture_says_which_digits_are_seen_and_how_much_is_right(scenes: Scenes, seen: int) -> None:
    prediction = np.full((64, 64), seen)
    html = pictures(scenes, 0, {"ce": Course(prediction=prediction)})
    truth = scenes.test.labels[0].numpy()
    right = 100 * (prediction == truth)[truth != 255].mean()
    words = "no digit" if seen == 0 else "3"
    assert f"alt='Student alone (CE): {words}; {right:.0f} % of the pixels are right'" in html
    assert html.count("<img") == 3  # the scene, the truth, and the student's

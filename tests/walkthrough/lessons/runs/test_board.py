"""The board: its buttons train, stop and report, and the thread that trains leaves the caller free."""

import time
from collections.abc import Callable
from statistics import median
from threading import Event

import numpy as np
import pytest
import torch
from torch import nn

from pfs.data.splits import normalize
from pfs.models.dilated_resnet import DilatedResNet
from pfs.models.inference import predict
from pfs.training.evaluation import confusion_counts, score
from pfs.walkthrough.lessons.runs import board as board_module
from pfs.walkthrough.lessons.runs.board import Board, Watch
from pfs.walkthrough.lessons.runs.scenes import Scenes

STEPS = 4


def new_student() -> DilatedResNet:
    torch.manual_seed(1)
    return DilatedResNet(2, 11)


def shift(student: nn.Module, distil: bool, watch: Watch) -> None:
    """A loop that learns nothing: each step makes one class a little more likely, with PFS + WSP another one."""
    for step in range(1, STEPS + 1):
        with torch.no_grad():
            student.classifier.bias[3 if distil else 0] += 5  # type: ignore[union-attr,operator,index]
        if watch(step, 3.0 - 0.1 * step, student):
            break


@pytest.fixture
def make(scenes: Scenes) -> Callable[..., Board]:
    return lambda train=shift: Board(scenes, train, new_student, steps=STEPS)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_press_trains_the_student_and_scores_it(make: Callable[..., Board], scenes: Scenes) -> None:
    board = make()
    board.buttons["ce"].click()
    board.wait()
    course = board.courses["ce"]
    assert [step for step, _ in course.losses] == [1, 2, 3, 4]
    assert course.state == "finished after 4 of 4 steps"
    student = new_student()
    shift(student, False, lambda *_: False)
    expected = score(confusion_counts(student, scenes.test, classes=11, ignore_index=255), scenes.classes).miou
    assert course.miou == pytest.approx(expected)
    assert f"{expected:.1f} %" in board.status.value


def test_the_gain_is_known_once_both_are_trained(make: Callable[..., Board]) -> None:
    board = make()
    assert board.gain is None
    for method in board.buttons:
        board.start(method)
        board.wait()
    alone, both = (board.courses[method].miou for method in ("ce", "pfs_wsp"))
    assert alone is not None and both is not None
    assert board.gain == both - alone != 0
    assert board.cost is not None
    assert f"takes {board.cost:.2f} times as long" in board.status.value


def test_stop_ends_the_training_after_the_step_that_it_is_at(make: Callable[..., Board]) -> None:
    """The caller is free while the student learns: this is how a kernel hears the button."""
    begun = Event()

    def endless(student: nn.Module, distil: bool, watch: Watch) -> None:
        step = 0
        while not watch(step := step + 1, 1.0, student):
            begun.set()

    board = make(endless)
    board.buttons["pfs_wsp"].click()
    assert begun.wait(20) and board.is_training
    assert board.buttons["ce"].disabled and not board.stop_button.disabled
    board.start("ce")  # ignored: one student at a time
    assert not board.courses["ce"].losses
    board.stop_button.click()
    board.wait()
    assert board.courses["pfs_wsp"].state.startswith("stopped after")
    assert not board.buttons["ce"].disabled and board.stop_button.disabled


def test_what_a_student_sees_is_drawn_while_it_learns(
    make: Callable[..., Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "SECONDS_BETWEEN_PICTURES", 0.0)
    go_on, seen = Event(), []

    def paused(student: nn.Module, distil: bool, watch: Watch) -> None:
        watch(1, 2.5, student)
        seen.append(student.training)
        go_on.wait(20)

    board = make(paused)
    board.start("ce")
    wait_until(lambda: "step 1 of 4" in board.status.value and bool(seen))
    assert "Student alone (CE) 2.50 at step 1" in board.chart.value
    assert "Student alone (CE):" in board.pictures.value
    assert seen == [True], "drawing leaves the student in training mode"
    go_on.set()
    board.wait()


def test_an_error_of_the_loop_is_shown_and_raised_to_whoever_waits(make: Callable[..., Board]) -> None:
    def broken(student: nn.Module, distil: bool, watch: Watch) -> None:
        raise RuntimeError("shapes do not fit <here>")

    board = make(broken)
    board.start("ce")
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        board.wait()
    assert "failed: shapes do not fit &lt;here&gt;" in board.status.value
    assert not board.buttons["ce"].disabled


def test_finished_networks_stand_beside_one_s_own(make: Callable[..., Board]) -> None:
    board = make()
    board.show_finished("the teacher", new_student())
    assert "the teacher" in board.status.value and "alt='the teacher:" in board.pictures.value


def test_the_finished_ones_are_shown_at_a_press_of_a_button(make: Callable[..., Board]) -> None:
    board = make()
    button = board.offer({"the teacher": new_student()})
    assert "the teacher" not in board.status.value
    button.click()
    assert "the teacher" in board.status.value and button.disabled


def test_a_step_s_time_is_without_the_pictures(make: Callable[..., Board], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the two students' times can be compared, however often a picture is drawn."""
    monkeypatch.setattr(board_module, "SECONDS_BETWEEN_PICTURES", 0.0)
    monkeypatch.setattr(Board, "_predict", lambda *_: time.sleep(0.2))
    board = make()
    board.start("ce")
    board.wait()
    seconds = board.courses["ce"].seconds
    assert len(seconds) == STEPS and max(seconds) < 0.2
    assert f"<td>{1000 * median(seconds):.0f}</td>" in board.status.value


def test_the_slider_shows_another_scene_to_every_network(make: Callable[..., Board], scenes: Scenes) -> None:
    board = make()
    board.start("ce")
    board.wait()
    board.show_finished("the teacher", new_student())
    board.scene.value = 2
    image = normalize(scenes.test.images[2:3])
    with torch.no_grad():
        expected = predict(new_student().eval(), image, (64, 64))[0].numpy()
    assert np.array_equal(board.courses["the teacher"].prediction, expected)  # type: ignore[arg-type]
    assert board.courses["ce"].prediction is not None
    truth = [scenes.classes[label] for label in np.unique(scenes.test.labels[2].numpy()) if label not in (0, 255)]
    assert f"alt='Truth: {', '.join(truth)}'" in board.pictures.value

"""The board of walkthrough 4: buttons that train a student in the background, and what is shown meanwhile.

The training is the notebook's own loop. It runs in a thread, so the kernel stays free to hear the stop button, in
JupyterLab and in Voila alike; the loop tells the board of each step, and the board draws twice a second at most.
"""

import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

import numpy.typing as npt
import torch
from ipywidgets import Button, VBox
from torch import nn

from pfs.data.splits import normalize
from pfs.models.inference import predict
from pfs.report.tables.labels import label
from pfs.training.evaluation import confusion_counts, score
from pfs.walkthrough.lessons.controls.slider import Slider
from pfs.walkthrough.lessons.runs.scenes import Scenes
from pfs.walkthrough.lessons.runs.shown import Course, curves, pictures, table
from pfs.walkthrough.lessons.switches import LAYOUT, in_rows, shown

METHODS = ("ce", "pfs_wsp")
SECONDS_BETWEEN_PICTURES = 0.5

Watch = Callable[[int, float, nn.Module], bool]  # told the step, its cross-entropy and the student: shall it stop?
Train = Callable[[nn.Module, bool, Watch], None]  # (student, whether it is distilled, watch)


class Board:
    """Trains the student alone or with PFS + WSP, at a press of a button, and shows how it fares.

    Args:
        scenes: what is learnt from, looked at and scored.
        train: the notebook's loop; its third argument is `watch`, which returns True when it is to stop.
        new_student: makes the student; every call gives the same first weights.
        steps: of a whole training.
        scene: which of the test scenes is looked at first.
        threads: that the loop computes with.

    Attributes:
        widget: what the notebook displays.
        courses: how each network has fared, by the name of its method.
        error: what ended the last training early, if anything did.
    """

    def __init__(
        self,
        scenes: Scenes,
        train: Train,
        new_student: Callable[[], nn.Module],
        *,
        steps: int,
        scene: int = 0,
        threads: int = 1,
    ) -> None:
        self.scenes, self.train, self.new_student = scenes, train, new_student
        self.steps, self.threads = steps, threads
        self.scene = Slider("Image", range(len(scenes.test)), scene, layout=LAYOUT)
        self.courses = {method: Course() for method in METHODS}
        self.error: Exception | None = None
        self._stop, self._thread = Event(), Thread()
        self._drawn = self._step_began = 0.0  # when the last picture was drawn, and when the step at hand began
        self._networks: dict[str, nn.Module] = {}  # those that are not being trained
        self.buttons = {method: _button(f"Train: {label(method)}") for method in METHODS}
        self.stop_button = _button("Stop", disabled=True)
        self.status, self.chart, self.pictures = shown(), shown(), shown()
        for method, button in self.buttons.items():
            button.on_click(lambda _, method=method: self.start(method))
        self.stop_button.on_click(lambda _: self.stop())
        self.scene.observe(lambda _: self._look_elsewhere(), "value")
        buttons = in_rows(*self.buttons.values(), self.stop_button)
        self.widget = VBox([buttons, self.status, self.chart, self.scene, self.pictures])
        self._draw()

    @property
    def is_training(self) -> bool:
        """Whether a student learns at this moment."""
        return self._thread.is_alive()

    @property
    def gain(self) -> float | None:
        """How many points of mIoU PFS + WSP is ahead of the student alone; None until both have been trained."""
        alone, distilled = (self.courses[method].miou for method in METHODS)
        return distilled - alone if alone is not None and distilled is not None else None

    @property
    def cost(self) -> float | None:
        """How many times as long a step takes with PFS + WSP as alone, of the medians; None until both are known."""
        alone, distilled = (self.courses[method].step_seconds for method in METHODS)
        return distilled / alone if alone and distilled else None

    def start(self, method: str) -> None:
        """Train the student of a method from its first weights, in the background, unless one is being trained."""
        if self.is_training:
            return
        self._stop.clear()
        self.error = None
        self.courses[method] = Course(state="begins ...")
        self._networks.pop(method, None)
        self._set_buttons(training=True)
        self.stop_button.focus()  # a button that is disabled loses the keyboard's focus to the page
        self._draw()
        self._thread = Thread(target=self._run, args=(method,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have the training end after the step that it is at."""
        self._stop.set()

    def wait(self) -> None:
        """Return when nothing is being trained; raise what ended the training early, if anything did."""
        if self.is_training:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def show_finished(self, name: str, network: nn.Module) -> None:
        """Add a network whose training is over to the table and to the pictures, under a name of its own."""
        self._networks[name] = network
        self.courses[name] = Course([], self._predict(network), self._miou(network), "finished earlier")
        self._draw()

    def offer(self, networks: Mapping[str, nn.Module]) -> Button:
        """A button that shows networks whose training is over, by their names: a reader trains first, and then looks.

        Args:
            networks: by the names that they get in the table.
        """

        def show(button: Button) -> None:
            button.disabled = True
            for name, network in networks.items():
                self.show_finished(name, network)

        button = _button("Show the finished ones")
        button.on_click(show)
        return button

    # --- in the thread ------------------------------------------------------------------------------------

    def _run(self, method: str) -> None:
        torch.set_num_threads(self.threads)
        try:
            student = self.new_student()
            self._step_began = time.monotonic()
            self.train(student, method != "ce", lambda *step: self._watch(method, *step))
            self._end(method, student)
        except Exception as error:  # shown on the board, for a thread has nobody to raise it to
            self.error = error
            self.courses[method].state = f"failed: {error}"
        self._set_buttons(training=False)
        self.buttons[method].focus()
        self._draw()

    def _watch(self, method: str, step: int, loss: float, student: nn.Module) -> bool:
        course = self.courses[method]
        course.losses.append((step, loss))
        course.seconds.append(time.monotonic() - self._step_began)
        if time.monotonic() - self._drawn > SECONDS_BETWEEN_PICTURES:
            course.state = f"step {step} of {self.steps}"
            course.prediction = self._predict(student)
            student.train()
            self._draw()
        self._step_began = time.monotonic()
        return self._stop.is_set()

    def _end(self, method: str, student: nn.Module) -> None:
        course = self.courses[method]
        done = len(course.losses)
        course.state = f"{'finished' if done == self.steps else 'stopped'} after {done} of {self.steps} steps"
        course.prediction, course.miou = self._predict(student), self._miou(student)
        self._networks[method] = student

    def _miou(self, network: nn.Module) -> float:
        """A network's mIoU on the test scenes, in percent."""
        classes, ignore_index = len(self.scenes.classes), self.scenes.ignore_index
        counts = confusion_counts(network, self.scenes.test, classes=classes, ignore_index=ignore_index)
        return score(counts, self.scenes.classes).miou

    @torch.no_grad()
    def _predict(self, network: nn.Module) -> npt.NDArray[Any]:
        """The classes (H, W) that a network sees in the board's scene; leaves it in eval mode."""
        image = normalize(self.scenes.test.images[[int(self.scene.value)]])
        return predict(network.eval(), image, self.scenes.test.size)[0].numpy()

    # --- what is shown ------------------------------------------------------------------------------------

    def _set_buttons(self, *, training: bool) -> None:
        for button in self.buttons.values():
            button.disabled = training
        self.stop_button.disabled = not training

    def _look_elsewhere(self) -> None:
        """Show another scene; a student that is being trained is asked about it at its next picture."""
        for name, course in self.courses.items():
            course.prediction = self._predict(self._networks[name]) if name in self._networks else None
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        courses = dict(self.courses)  # another thread may add a finished network meanwhile
        self.status.value = table(courses, self.cost)
        self.chart.value = curves(courses, self.steps)
        self.pictures.value = pictures(self.scenes, int(self.scene.value), courses)


def _button(text: str, *, disabled: bool = False) -> Button:
    return Button(description=text, disabled=disabled, layout={"width": "auto"})

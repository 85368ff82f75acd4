"""What the board of walkthrough 4 shows: a table, the curves of the losses, and a row of pictures, all as HTML."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from pfs.report.tables.labels import label
from pfs.walkthrough.lessons.runs.scenes import Scenes
from pfs.walkthrough.lessons.runs.svg import Frame
from pfs.walkthrough.paint import Picture, as_png, paint_labels

LEAST = 0.01  # of an image's pixels: a class of fewer is not named
COLUMNS = ("network", "state", "cross-entropy", "ms a step", "mIoU on unseen images")


@dataclass
class Course:
    """How one network has fared so far.

    Attributes:
        losses: (step, cross-entropy) of every step.
        prediction: (H, W), the classes that it sees in the board's scene; None before the first step.
        miou: on the scenes that are scored, in percent, when it has ended; else None.
        state: in words.
        seconds: that every step took, without the pictures that are drawn between two steps.
    """

    losses: list[tuple[int, float]] = field(default_factory=list)
    prediction: npt.NDArray[Any] | None = None
    miou: float | None = None
    state: str = "not trained yet"
    seconds: list[float] = field(default_factory=list)

    @property
    def step_seconds(self) -> float | None:
        """The median step, which the first ones do not move, in which the teacher is asked; None before any step."""
        return median(self.seconds) if self.seconds else None


def table(courses: Mapping[str, Course], cost: float | None = None) -> str:
    """A row for each network: what it is doing, its cross-entropy now, its median step, and its score at the end.

    Args:
        courses: by the names of the networks.
        cost: how many times as long a step with PFS + WSP takes as one alone, where it is known.
    """
    head = "".join(f"<th scope='col' style='text-align:left'>{name}</th>" for name in COLUMNS)
    rows = "".join(_row(name, course) for name, course in courses.items())
    said = f"<div>A step with PFS + WSP takes {cost:.2f} times as long as one alone.</div>" if cost else ""
    style = "border-spacing:10px 2px;text-align:left;line-height:1.35"
    return f"<table style='{style}'><tr>{head}</tr>{rows}</table>{said}"


def _row(name: str, course: Course) -> str:
    loss = f"{smoothed(course.losses)[-1][1]:.2f}" if course.losses else "-"
    step = f"{1000 * course.step_seconds:.0f}" if course.step_seconds else "-"
    miou = f"{course.miou:.1f} %" if course.miou is not None else "-"
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in (course.state, loss, step, miou))
    return f"<tr><th scope='row' style='text-align:left'>{escape(label(name))}</th>{cells}</tr>"


def curves(courses: Mapping[str, Course], steps: int) -> str:
    """The cross-entropy of each student against the step: dashed alone, a whole line with PFS + WSP."""
    lines = {name: smoothed(course.losses) for name, course in courses.items() if course.losses}
    top = max((loss for line in lines.values() for _, loss in line), default=2.5)
    frame = Frame((0, max(steps, 2)), (0, 1.1 * top))
    highest = max((line[-1][1] for line in lines.values()), default=0.0)
    marks, said = [], []
    for name, line in lines.items():
        step, loss = line[-1]
        lift = 8 if loss == highest else -18  # the upper curve's name stands above it, the lower one's below
        marks.append(frame.line(line, name, dashed=name == "ce"))
        marks.append(frame.text(step, loss, label(name), "start" if step < steps / 2 else "end", lift=lift))
        said.append(f"{label(name)} {loss:.2f} at step {step}")
    alt = "Cross-entropy against the step. " + ("; ".join(said) or "Nothing is trained yet.")
    return frame.picture(marks, alt, name_of_y="cross-entropy: lower is better", name_of_x=f"step, of {steps}")


def smoothed(losses: list[tuple[int, float]], share: float = 0.05) -> list[tuple[int, float]]:
    """A running mean of losses over the last twentieth of the steps so far, at most 200 points of it."""
    steps, values = zip(*losses, strict=True)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.unique(np.linspace(1, len(values), min(len(values), 200)).astype(int))
    starts = np.maximum(0, ends - max(1, int(share * len(values))))
    means = (sums[ends] - sums[starts]) / (ends - starts)
    return [(steps[end - 1], float(mean)) for end, mean in zip(ends, means, strict=True)]


def pictures(scenes: Scenes, scene: int, courses: Mapping[str, Course]) -> str:
    """An image of the test split, its truth, and what each network sees in it."""
    truth = scenes.test.labels[scene].numpy()
    shown = [_figure("The image", scenes.test.images[scene].permute(1, 2, 0).numpy(), "The image that is looked at")]
    shown.append(_classes_figure("Truth", truth, truth, scenes))
    for name, course in courses.items():
        if course.prediction is not None:
            shown.append(_classes_figure(label(name), course.prediction, truth, scenes))
    return f"<div style='display:flex;flex-wrap:wrap;gap:10px'>{''.join(shown)}</div>{_key(scenes.classes)}"


def _key(classes: Sequence[str]) -> str:
    """Which colour is which class."""
    colours = paint_labels(np.arange(len(classes)), len(classes))
    swatch = "display:inline-block;width:12px;height:12px;border:1px solid #888;margin-right:4px"
    named = [
        f"<span><span style='{swatch};background:rgb({red},{green},{blue})'></span>{escape(name)}</span>"
        for (red, green, blue), name in zip(colours, classes, strict=True)
    ]
    return f"<div style='display:flex;flex-wrap:wrap;gap:4px 12px;margin-top:6px'>{''.join(named)}</div>"


def _classes_figure(name: str, classes: npt.NDArray[Any], truth: npt.NDArray[Any], scenes: Scenes) -> str:
    """The classes (H, W) in colours; in words which digits are seen, and how many pixels are right."""
    counted = truth != scenes.ignore_index
    shares = np.bincount(classes[counted], minlength=len(scenes.classes)) / counted.sum()
    seen = ", ".join(scenes.classes[index] for index in np.flatnonzero(shares >= LEAST) if index != 0) or "no digit"
    right = "" if classes is truth else f"; {100 * (classes == truth)[counted].mean():.0f} % of the pixels are right"
    colours = paint_labels(classes, len(scenes.classes))
    return _figure(f"{name}: {seen}{right}", colours, f"{name}: {seen}{right}")


def _figure(caption: str, pixels: Picture, alt: str) -> str:
    """A picture (H, W, 3) with its caption, its pixels enlarged."""
    source = f"data:image/png;base64,{b64encode(as_png(pixels)).decode()}"
    style = "width:128px;image-rendering:pixelated;display:block"
    picture = f"<img src='{source}' alt='{escape(alt, quote=True)}' style='{style}'>"
    named = f"<figcaption style='line-height:1.3'>{escape(caption)}</figcaption>"
    return f"<figure style='margin:0;width:128px'>{picture}{named}</figure>"

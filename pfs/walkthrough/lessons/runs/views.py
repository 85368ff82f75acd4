"""The pictures of walkthrough 5 with their switches: each draws itself anew when a switch is moved."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ipywidgets import Checkbox, VBox

from pfs.config.load import load_study
from pfs.report.statistics import Difference
from pfs.report.tables.labels import label
from pfs.walkthrough.lessons.controls.buttons import Buttons, same
from pfs.walkthrough.lessons.controls.slider import Slider
from pfs.walkthrough.lessons.runs import believe
from pfs.walkthrough.lessons.runs.believe import FAMILIES, REFERENCE
from pfs.walkthrough.lessons.runs.svg import Row, rows_picture
from pfs.walkthrough.lessons.switches import LAYOUT, choice, in_rows, shown

SHAPES = ("circle", "square", "triangle", "cross", "diamond")  # of the seeds 0, 1, 2, ...
TICK = {"width": "auto", "max_width": "100%", "margin": "2px 12px 2px 2px"}  # the layout of what is ticked
BETTER = ": seems better"
SHOWN = 12  # comparisons of a lottery that are drawn


class View:
    """Some switches above a picture and a sentence.

    Attributes:
        picture: the chart.
        said: what it shows, as a sentence or two.
        widget: what the notebook displays.
    """

    def __init__(self, switches: Sequence[Any]) -> None:
        self.picture, self.said = shown(), shown()
        for switch in switches:
            switch.observe(lambda _: self.draw(), "value")
        self.widget = VBox([in_rows(*switches), self.said, self.picture])
        self.draw()

    def draw(self) -> None:
        """Bring picture and sentence up to the switches."""
        raise NotImplementedError

    def show(self, rows: Sequence[Row], said: str, name_of_x: str, *, zero: bool = False) -> None:
        """Set the picture and the sentence, which with the rows' notes is the picture's text, too."""
        notes = "; ".join(f"{row.name}: {row.note}" for row in rows if row.note)
        self.said.value = f"<div role='status' style='line-height:1.4'>{said}</div>"
        self.picture.value = rows_picture(rows, f"{name_of_x}. {notes}", name_of_x=name_of_x, zero=zero)


class Dots(View):
    """The runs of a study as dots, a row a method: seeds can be left out, runs paired or not.

    Attributes:
        study: which study is shown.
        seeds: a checkbox for each seed, by the seed.
        paired: whether differences are taken seed by seed.
        what: whether scores are shown or differences to the student alone.
        hidden: a method whose runs are not shown yet, for a reader is to guess first; None after `reveal`.
    """

    def __init__(self, studies: Sequence[str], hidden: str | None = None) -> None:
        self.hidden = hidden
        self.study = choice("Study", [(study, study) for study in studies])
        self.what = Buttons("Show", same(["differences", "scores"]))
        self.paired = Checkbox(value=True, description="paired by seed", indent=False, layout=TICK)
        self.seeds = {
            seed: Checkbox(value=True, description=f"seed {seed} ({SHAPES[seed]})", indent=False, layout=TICK)
            for seed in range(5)
        }
        super().__init__([self.study, self.what, self.paired, *self.seeds.values()])

    def draw(self) -> None:
        """A row for each method; runs that are left out are hollow."""
        table = believe.read_scores(self.study.value)
        for seed, box in self.seeds.items():
            box.disabled = seed not in set(table["seed"])
        used = [seed for seed, box in self.seeds.items() if box.value and not box.disabled]
        if not used:
            self.show([], "No seed is left: tick at least one.", "")
            return
        methods = [method for method in dict.fromkeys(table["method"]) if method != self.hidden]
        if self.what.value == "scores":
            self.show([_scores(table, method, used) for method in methods], self._told(used), "test mIoU, %")
            return
        rows = [self._difference(table, method, used) for method in methods if method != REFERENCE]
        clear = [row.name for row in rows if row.interval and (row.interval[1] > 0 or row.interval[2] < 0)]
        said = f"{self._told(used)} The interval excludes 0 for {', '.join(clear) or 'no method'}."
        self.show(rows, said, "points of test mIoU ahead of the student alone, with 95 % interval", zero=True)

    def reveal(self) -> None:
        """Show the hidden method from now on."""
        self.hidden = None
        self.draw()

    def _told(self, used: list[int]) -> str:
        hidden = f" {label(self.hidden)} is hidden until you have decided." if self.hidden else ""
        return _of_seeds(used) + hidden

    def _difference(self, table: pd.DataFrame, method: str, used: list[int]) -> Row:
        found = believe.difference(table, method, REFERENCE, used, paired=self.paired.value)
        own, others = believe.scores_of(table, method), believe.scores_of(table, REFERENCE)
        points = [(own[s] - others[s], SHAPES[s], s not in used) for s in own] if self.paired.value else []
        return Row(label(method), method, tuple(points), found[:3], in_figures(found))


class Tuning(View):
    """The tries of one method's weight: which one is reported, and with which score, if it is chosen on val or on test.

    Attributes:
        study: which study of weights is shown.
        family: whose tries.
        split: what the weight is chosen on.
    """

    def __init__(self, studies: Sequence[str]) -> None:
        self.study = choice("Study", [(study, study) for study in studies])
        self.family = choice("Method", [(name, key) for key, name in FAMILIES.items()])
        self.family.value = "pfs_wsp"
        self.split = Buttons("Choose on", same(["val", "test"]))
        super().__init__([self.study, self.family, self.split])

    def draw(self) -> None:
        """A row for each try: val a circle, test a square; hollow but for the one that is chosen."""
        table, study = believe.read_scores(self.study.value), load_study(f"studies/{self.study.value}.yaml")
        chosen, reported = believe.chosen_try(table, self.family.value, self.split.value)
        rows = []
        for name in believe.tries(table, self.family.value):
            val, test = (believe.scores_of(table, name, split)[0] for split in ("val", "test"))
            points = ((val, "circle", name != chosen), (test, "square", name != chosen))
            note = f"val {val:.1f}, test {test:.1f}" + (", chosen" if name == chosen else "")
            rows.append(Row(label(name, study), self.family.value, points, None, note))
        said = f"Chosen on {self.split.value}: <b>{label(chosen, study)}</b>, reported with {reported:.1f} % on test."
        self.show(rows, f"{said} {_flattered(believe.flattery(table))}", "mIoU, % (circle: val, square: test)")


class Fooled(View):
    """One comparison, reported in four ways.

    Attributes:
        study: which study it is taken from.
        method: what is compared with the student alone.
        way: how it is reported.
    """

    WAYS = ("all seeds, paired", "the luckiest seeds", "the best of 10 checkpoints", "one seed")

    def __init__(self, studies: Sequence[str]) -> None:
        self.study = choice("Study", [(study, study) for study in studies])
        methods = ("pfs_wsp", "pfs", "wsp", "kd")  # CWD's runs are hidden until a reader has guessed
        self.method = choice("Method", [(label(method), method) for method in methods])
        self.way = Buttons("Report", same(self.WAYS))
        super().__init__([self.study, self.method, self.way])

    def draw(self) -> None:
        """The honest row stays, so that the other can be held against it."""
        table = believe.read_scores(self.study.value)
        seeds = list(believe.scores_of(table, self.method.value))
        honest = believe.difference(table, self.method.value, REFERENCE, seeds, paired=True)
        rows = [Row("all seeds, paired", self.method.value, (), honest[:3], in_figures(honest))]
        if self.way.value != self.WAYS[0]:
            value, said = self.reported(table)
            rows.append(Row(self.way.value, self.method.value, ((value, "square", False),), None, f"{value:+.1f}"))
        else:
            said = f"Over {len(seeds)} seeds. This is what a table of this repository says."
        self.show(rows, said, "points of test mIoU ahead of the student alone", zero=True)

    def reported(self, table: pd.DataFrame) -> tuple[float, str]:
        """The difference as the chosen way reports it, and how that comes about."""
        method = self.method.value
        if self.way.value == "the luckiest seeds":
            value = believe.lucky_seed(table, method, REFERENCE)
            return value, "Real runs: the method's best seed beside the worst one of the student alone."
        own, others = believe.scores_of(table, method), believe.scores_of(table, REFERENCE)
        if self.way.value == "one seed":
            return own[0] - others[0], "Real runs: seed 0 alone. There is no interval, so nothing warns the reader."
        gain = believe.best_of(believe.deviations(table), 10)
        mean = believe.difference(table, method, REFERENCE, list(own), paired=True).mean
        said = (
            "Resampled: the method reports the best of ten checkpoints on test, the student alone its last one. The "
            "records hold one score a run, so the ten are drawn from how runs of a method differ between seeds: "
            "checkpoints of one run may differ less."
        )
        return mean + gain, said


class Comparisons(View):
    """Methods that do not differ from the student alone, compared with it: how often does one seem better?

    Attributes:
        methods: how many there are.
        seeds: runs of each.
        draw_number: another draw of the same lottery.
    """

    def __init__(self, study: str) -> None:
        self.spread = believe.deviations(believe.read_scores(study))
        self.methods = Slider("Methods", range(1, 41), 1, layout=LAYOUT)
        self.seeds = Slider("Seeds", range(2, 11), 3, layout=LAYOUT)
        self.draw_number = Slider("Draw", range(1, 21), 1, layout=LAYOUT)
        super().__init__([self.methods, self.seeds, self.draw_number])

    def draw(self) -> None:
        """The first comparisons of one draw, and of a thousand draws the share in which one seems better."""
        drawn = believe.lottery(self.spread, int(self.methods.value), int(self.seeds.value))
        row = int(self.draw_number.value) - 1
        found = zip(drawn.means[row], drawn.bounds[row], strict=True)
        rows = [_copy(index, float(mean), bounds.tolist()) for index, (mean, bounds) in enumerate(found, 1)]
        rows.sort(key=lambda one: not one.note.endswith(BETTER))
        said = (
            f"Resampled: copies of the student alone, {int(self.methods.value)} of them. In "
            f"<b>{100 * drawn.share:.0f} %</b> of 1000 draws at least one copy seems better than the original; in "
            f"this draw {int(drawn.wins[row].sum())} do."
        )
        self.show(rows[:SHOWN], said, f"points ahead, with 95 % interval (at most {SHOWN} are drawn)", zero=True)


def _flattered(gains: Mapping[str, float]) -> str:
    """For how many methods of a study of weights the split matters, and by how much."""
    gained = {FAMILIES[family]: gain for family, gain in gains.items() if gain > 0}
    named = ", ".join(f"{name} {gain:+.1f}" for name, gain in gained.items()) or "none"
    average = np.mean(list(gains.values()))
    return (
        f"Of the {len(gains)} methods of this study, {len(gained)} report another try where test chooses instead of "
        f"val (points gained: {named}). On average over all of them that is {average:+.1f} points."
    )


def in_figures(found: Difference) -> str:
    """A difference with its interval; without one where there is none."""
    mean, low, high, _ = found
    return f"{mean:+.1f}" if pd.isna(low) else f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _copy(number: int, mean: float, bounds: tuple[float, float]) -> Row:
    note = in_figures(Difference(mean, *bounds, p=float("nan"))) + (BETTER if bounds[0] > 0 else "")
    return Row(f"copy {number}", REFERENCE, (), (mean, *bounds), note)


def _scores(table: pd.DataFrame, method: str, used: list[int]) -> Row:
    scores = believe.scores_of(table, method)
    mean = pd.Series([score for seed, score in scores.items() if seed in used], dtype=float).mean()
    points = tuple((score, SHAPES[seed], seed not in used) for seed, score in scores.items())
    return Row(label(method), method, points, None, f"mean {mean:.1f}")


def _of_seeds(used: list[int]) -> str:
    return (
        f"Seeds {', '.join(map(str, used))}." if len(used) > 1 else f"Seed {used[0]} alone: no interval can be given."
    )

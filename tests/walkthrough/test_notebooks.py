"""Every walkthrough runs from top to bottom with the data of this repository, and every question in it is answered.

The cells are executed in this process, one after the other, as a kernel does: it saves the start of five kernels. The
tests in a browser (tests/walkthrough/browser) execute them in kernels.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from typing import Any, NamedTuple

import pytest
from ipywidgets import Widget

from pfs.config.files import repository
from pfs.walkthrough.lessons import ask
from pfs.walkthrough.lessons.alike import CHANGES
from pfs.walkthrough.lessons.alike.maps import Reading, loss_of
from pfs.walkthrough.lessons.runs.exercises import PARTS, VERDICTS
from pfs.walkthrough.lessons.whom.exercises import scale
from pfs.walkthrough.lessons.whom.numbers import Pair, gradient, likeness, regions, shares, weights

FOLDER = repository() / "notebooks" / "walkthrough"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("[0-9]_*.ipynb"))
# What a training of minutes is cut down to; the others are run as they are.
SHORT = {"4_first_student": {"steps": 3, "scenes_to_learn_from": 16, "scenes_to_score": 5, "train_now": True}}
Answer = dict[str, Any]


class Executed(NamedTuple):
    """A walkthrough after its last cell.

    Attributes:
        shown: what the last line of each cell evaluates to, as a notebook shows it.
        asked: its questions, in their order.
        names: its variables.
    """

    shown: list[Any]
    asked: list[ask.Ask]
    names: dict[str, Any]


def code_cells(name: str) -> list[dict[str, Any]]:
    """The cells of code of a walkthrough."""
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Execute a cell among a notebook's variables; returns what its last line is, where that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if isinstance(last, ast.Expr) else None


@pytest.fixture(scope="module", params=NOTEBOOKS)
def executed(request: pytest.FixtureRequest) -> Iterator[Executed]:
    """A walkthrough that has run from top to bottom."""
    asked: list[ask.Ask] = []

    class Recorded(ask.Ask):
        def __init__(self, check: Callable[..., str], **fields: Any) -> None:
            super().__init__(check, **fields)
            asked.append(self)

    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ask, "Ask", Recorded)
        shown = []
        for cell in code_cells(request.param):
            shown.append(run_cell("".join(cell["source"]), names))
            if "parameters" in cell["metadata"].get("tags", []):
                names |= SHORT.get(request.param, {})
        yield Executed(shown, asked, names)


def test_a_walkthrough_runs_and_shows_widgets(executed: Executed) -> None:
    assert any(isinstance(one, Widget) for one in executed.shown)


# --- the questions --------------------------------------------------------------------------------------------


def silent_pixel(walkthrough: Any) -> Answer:
    """A pixel of some image where the teacher is wrong, WSP is silent, and KD lowers the label."""
    for image in range(len(walkthrough.images)):
        pair = Pair.of(walkthrough, image, "ce")
        wrong = (pair.teacher[0].argmax(0) != pair.label[0]) & pair.valid & (weights(pair, "margin") == 0)
        lowered = gradient(pair, "uniform", 2.0).gather(0, pair.known_label)[0] > 0
        for row, column in (wrong & lowered).nonzero().tolist():
            return {"image": image + 1, "row": row, "column": column}
    raise AssertionError("no image has such a pixel")


def limit(pair: Any, row: int, column: int) -> Answer:
    """The formula of the worked answer."""
    y = int(pair.label[0, row, column])
    student, teacher = (logits[0, :, row, column] for logits in (pair.student, pair.teacher))
    difference = (student[y] - student.mean()) - (teacher[y] - teacher.mean())
    return {"answer": float(difference) / len(student)}


def centring(walkthrough: Any) -> Answer:
    """How many times as large the loss of image 1 is with centred features."""
    student, teacher = (walkthrough.features(name)[0] for name in ("ce", "teacher"))
    centred, plain = (loss_of(student, teacher, Reading(center=center)) for center in (True, False))
    return {"factor": centred / plain}


def doubt(pair: Any) -> Answer:
    """How like the two rules are, and where their shares of the weight differ most."""
    parts = regions(pair)
    margin, student = (shares(weights(pair, gap), parts) for gap in ("margin", "student"))
    return {
        "correlation": likeness(pair, least=0.9),
        "part": max(parts, key=lambda name: abs(student[name] - margin[name])),
    }


# Of each check, by its package and its name: the right answer, from the arguments that the notebook binds and what the
# notebook has executed.
RIGHT: dict[str, Callable[[tuple[Any, ...], Executed], Answer]] = {
    "alike.check_factor": lambda bound, _: centring(bound[0]),
    "alike.check_unchanged": lambda bound, _: {name: right for name, (_, right) in CHANGES.items()},
    "whom.check_silent": lambda bound, _: silent_pixel(bound[0]),
    "whom.check_limit": lambda bound, _: limit(*bound),
    "whom.check_scale": lambda bound, _: {"factor": scale(bound[0])},
    "whom.check_doubt": lambda bound, _: doubt(bound[0]),
    "nodes.check_crossover": lambda bound, _: {"locations": 427},
    "nodes.check_memory": lambda bound, _: {"gibibytes": 2.13},
    "nodes.check_way": lambda bound, _: {"way": "maps"},
    "runs.check_gain": lambda bound, ran: {"points": ran.names["board"].gain},
    "runs.check_largest": lambda bound, _: {"largest": PARTS[2]},
    "runs.check_weight": lambda bound, _: {"weight": "0,81"},
    "runs.check_asked": lambda bound, ran: {
        "times": ran.names["steps"] * ran.names["batch_size"] / ran.names["scenes_to_learn_from"]
    },
    "runs.check_rival": lambda bound, _: {"beats_cwd": VERDICTS[2]},
    "runs.check_halving": lambda bound, _: {"seeds": 5},
    "runs.check_one_seed": lambda bound, _: {"points": 5.6},
    "runs.check_tables": lambda bound, _: {"tables": 29},
}
IN_NOTEBOOK = {"decided": "runs.check_rival"}  # a check that a notebook defines, and the one that it calls
TAKEN = re.compile(r"Right: ")


def named(check: Callable[..., str]) -> tuple[str, tuple[Any, ...]]:
    """A check's package and name, and the arguments that are bound to it."""
    function, bound = (check.func, check.args) if isinstance(check, partial) else (check, ())
    if function.__name__ in IN_NOTEBOOK:
        return IN_NOTEBOOK[function.__name__], bound
    return f"{function.__module__.split('.')[-2]}.{function.__name__}", bound


def press(asked: ask.Ask, answers: Answer) -> str:
    """Write answers into the fields, press the button, and return what is said."""
    for name, answer in answers.items():
        asked.fields[name].value = answer
    asked.button.click()
    said: str = asked.verdict.value
    return unescape(re.sub("<[^>]+>", "", said))


def wrong_answer(asked: ask.Ask, right: Answer) -> Answer:
    """One that fits the fields and differs from the right one in each of them."""
    return {
        name: next(option for option in field.values if option != right.get(name))
        if isinstance(field, ask.Choice)
        else -7
        for name, field in asked.fields.items()
    }


def test_every_question_takes_the_right_answer_alone(executed: Executed) -> None:
    assert executed.asked
    for asked in executed.asked:
        check, bound = named(asked.check)
        blank = press(asked, {})
        assert blank and "first: " in blank and not TAKEN.match(blank), f"{check}: a blank answer reveals something"
        right = RIGHT[check](bound, executed)
        assert not TAKEN.match(press(asked, wrong_answer(asked, right))), check
        assert TAKEN.match(press(asked, right)), f"{check} refuses {right}"


# --- their form -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_cell_has_more_than_15_lines_of_code(name: str) -> None:
    lines = {cell["id"]: [line for line in cell["source"] if line.strip()] for cell in code_cells(name)}
    assert not [cell for cell, code in lines.items() if len(code) > 15]


def test_the_index_leads_to_every_walkthrough() -> None:
    index = (FOLDER / "index.ipynb").read_text()
    assert NOTEBOOKS and all(f"({name}.ipynb)" in index for name in NOTEBOOKS)

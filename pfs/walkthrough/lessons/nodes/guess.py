"""The measured mIoU of each grid, which a reader predicts before it is shown."""

from typing import Any

import ipywidgets as widgets

from pfs.config.files import repository
from pfs.report.tables.collected import read_runs
from pfs.walkthrough.bars import COLOURS, Bar, table
from pfs.walkthrough.lessons.ask import missing, number
from pfs.walkthrough.lessons.switches import in_rows, shown

METHODS = {"grid_2": "Grid 2 x 2", "grid_4": "Grid 4 x 4", "grid_8": "Grid 8 x 8", "full": "Every location"}


def measured_miou() -> dict[str, float]:
    """Test mIoU in percent of each grid of the study `digits_grids`, seed 0, and of the same student alone ("ce")."""
    found: dict[Any, Any] = {}
    for study, methods in (("digits", ["ce"]), ("digits_grids", list(METHODS))):
        runs = read_runs(repository() / "results" / study)
        runs = runs[(runs["study"] == study) & (runs["seed"] == 0) & (runs["split"] == "test")]
        found |= runs[runs["method"].isin(methods)].set_index("method")["miou"].to_dict()
    return {str(method): float(miou) for method, miou in found.items()}


class Guess(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A number to predict for each grid, and a button that shows the measured ones beside them.

    Attributes:
        predictions: a field for each of `METHODS`, blank at first.
        reveal: the button; it asks for what is still blank.
        told: what is known before, as HTML, and all numbers once each has been predicted.
    """

    def __init__(self) -> None:
        alone = measured_miou()["ce"]
        self.predictions = {method: number() for method in METHODS}
        for method, field in self.predictions.items():
            field.description = METHODS[method]
        self.reveal = widgets.Button(description="Show what was measured", layout={"width": "auto"})
        self.told = shown()
        self.known = f"The student alone has a test mIoU of {alone:.1f} %. What has each grid?"
        self.told.value = f"<div>{self.known}</div>"
        self.reveal.on_click(self._show)
        super().__init__([self.told, in_rows(*self.predictions.values(), self.reveal)])

    def _show(self, _: object) -> None:
        """The measured numbers beside the predictions, as these stand now; nothing before there are any."""
        if blank := missing({METHODS[method]: field for method, field in self.predictions.items()}):
            self.told.value = f'<div role="status">{self.known} {blank}</div>'
            return
        measured = measured_miou()
        rows = [_row(name, self.predictions[key].answer, measured[key]) for key, name in METHODS.items()]
        caption = (
            f"Test mIoU (%) of one run each (study digits_grids, seed 0). The student alone has {measured['ce']:.1f}."
        )
        self.told.value = table(caption, ("Nodes", "Predicted", "Measured", "Difference"), rows)


def _row(name: str, guess: float | None, measured: float) -> tuple[str, Bar, Bar, str]:
    assert guess is not None  # no field is blank
    return (
        name,
        Bar(guess, f"{guess:.1f}", 100, COLOURS["kd"]),
        Bar(measured, f"{measured:.1f}", 100, COLOURS["student"]),
        f"{guess - measured:+.1f}",
    )

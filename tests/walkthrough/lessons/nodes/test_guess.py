"""The measured mIoU is shown after the prediction, and not before."""

import pandas as pd

from pfs.config.files import repository
from pfs.walkthrough.lessons.nodes.guess import Guess
from tests.walkthrough.lessons.tables import cells


def test_the_button_shows_what_the_runs_measured() -> None:
    table = pd.read_csv(repository() / "results" / "digits_grids" / "runs.csv")
    table = table[(table["split"] == "test") & (table["study"] == "digits_grids")]
    runs = dict(zip(table["method"], table["miou"], strict=True))
    guess = Guess()
    assert not any(f"{miou:.1f}" in guess.told.value for miou in runs.values())
    guess.predictions["grid_2"].value = 50.0
    guess.reveal.click()
    assert "Write a number first: Grid 4 x 4." in guess.told.value
    assert not any(f"{miou:.1f}" in guess.told.value for miou in runs.values())
    for name in ("grid_4", "grid_8", "full"):
        guess.predictions[name].value = 60
    guess.reveal.click()
    shown = cells(guess.told.value)
    assert [row[1] for row in shown.values()] == [
        f"{runs[name]:.1f}" for name in ("grid_2", "grid_4", "grid_8", "full")
    ]
    assert shown["Grid 2 x 2"][0] == "50.0" and shown["Grid 2 x 2"][2] == f"{50 - runs['grid_2']:+.1f}"

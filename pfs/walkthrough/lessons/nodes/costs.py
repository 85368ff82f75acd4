"""What the two ways to the loss cost: counted for any sizes, and as the committed benchmark measured them."""

import io
from typing import Any

import ipywidgets as widgets
import pandas as pd

from pfs.bench.figures import benchmark_figure
from pfs.config.files import repository
from pfs.losses.pfs import dense_is_cheaper
from pfs.walkthrough.bars import COLOURS, Bar, table
from pfs.walkthrough.lessons.nodes.numbers import cost_of_channels, cost_of_maps, crossover
from pfs.walkthrough.lessons.pictures import image
from pfs.walkthrough.lessons.switches import in_rows, shown, slider

FORMS = {"dense": "N x N maps", "ours": "products of channels"}


class Crossover(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Multiplications and memory of both ways, for any number of locations and channels.

    Attributes:
        locations, channels, teacher_channels: the switches.
        counts: the two ways beside each other, as HTML.
    """

    def __init__(self) -> None:
        whole: Any = {"form": ",.0f", "steps": 2}
        self.locations = slider("Locations N", 256, least=4, most=65536, **whole)
        self.channels = slider("Student's C", 32, least=8, most=2048, **whole)
        self.teacher_channels = slider("Teacher's C'", 64, least=8, most=2048, **whole)
        self.counts = shown()
        for control in (self.locations, self.channels, self.teacher_channels):
            control.observe(self._show, "value")
        self._show()
        super().__init__([in_rows(self.locations, self.channels, self.teacher_channels), self.counts])

    @property
    def sizes(self) -> tuple[int, int, int]:
        """N, C and C'."""
        return round(self.locations.value), round(self.channels.value), round(self.teacher_channels.value)

    def _show(self, _: object = None) -> None:
        self.counts.value = counts(*self.sizes)


def counts(N: int, C: int, C_teacher: int) -> str:
    """Both ways' costs as a table, and which of them `pfs_loss` takes."""
    ways = {
        FORMS["dense"]: cost_of_maps(N, C, C_teacher),
        FORMS["ours"]: cost_of_channels(N, C, C_teacher),
    }
    most, largest = (max(getattr(cost, field) for cost in ways.values()) for field in ("products", "mebibytes"))
    rows = [
        (
            way,
            Bar(cost.products, f"{cost.products:,}", most, COLOURS["kd"]),
            Bar(cost.mebibytes, f"{cost.mebibytes:,.3f} MiB", largest, COLOURS["student"]),
        )
        for way, cost in ways.items()
    ]
    taken = FORMS["dense" if dense_is_cheaper(N, C, C_teacher) else "ours"]
    caption = (
        f"N = {N:,}, C = {C:,}, C' = {C_teacher:,}: pfs_loss takes the {taken}. "
        f"With these channels it takes the maps below N = {crossover(C, C_teacher):,}, and the products from there on."
    )
    return table(caption, ("Way", "Multiplications", "Held at once, fp32"), rows)


# --- measured -------------------------------------------------------------------------------------------------


def measured() -> pd.DataFrame:
    """The committed benchmark of the squared loss of one image in fp32: forward and backward on one thread."""
    rows = pd.read_csv(repository() / "results" / "benchmark" / "kernels.csv")
    chosen = (rows["reading"] == "squared") & (rows["dtype"] == "float32") & (rows["batch"] == 1)
    return rows[chosen]


def curves() -> Any:
    """Time and memory over the number of locations as the benchmark's figure, and its numbers as a table."""
    rows = measured()
    buffer = io.BytesIO()
    benchmark_figure(rows).savefig(buffer, format="png", dpi=150)
    alt = "Two log-log charts over the number of locations, time and peak memory. The table below has their numbers."
    picture = image(buffer.getvalue(), alt, "width:100%;min-width:36rem;max-width:56rem")
    scrolling = f'<div style="overflow-x:auto;max-width:calc(100vw - 3.5rem)" tabindex="0">{picture}</div>'
    place = shown()
    place.value = scrolling + _measured_table(rows)
    return place


def _measured_table(rows: pd.DataFrame) -> str:
    """Milliseconds of `pfs_loss` and of the maps at 256 channels, and how many times as long the maps take."""
    chosen = rows[rows["channels"] == 256].pivot(index="locations", columns="form", values="milliseconds")
    largest = float((chosen["dense"] / chosen["ours"]).max())
    lines = [
        (f"{N:,}", _time(ours), _time(dense), _ratio(dense / ours, largest))
        for N, ours, dense in zip(chosen.index, chosen["ours"], chosen["dense"], strict=True)
    ]
    head = ("Locations N", "pfs_loss, by the cheaper way", FORMS["dense"], "Ratio")
    return table("Milliseconds at C = C' = 256, one image, forward and backward, one thread", head, lines)


def _time(milliseconds: float) -> str:
    return "not run: > 6 GiB" if pd.isna(milliseconds) else f"{milliseconds:,.1f}"


def _ratio(value: float, largest: float) -> str | Bar:
    return "-" if pd.isna(value) else Bar(value, f"{value:.1f}", largest, COLOURS["kd"])

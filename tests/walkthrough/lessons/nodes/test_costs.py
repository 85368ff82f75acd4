"""What the ways to the loss cost: counted, and read from the committed benchmark."""

import pandas as pd
import pytest

from pfs.config.files import repository
from pfs.walkthrough.lessons.nodes.costs import Crossover, curves
from pfs.walkthrough.lessons.nodes.numbers import cost_of_channels, cost_of_maps
from tests.walkthrough.lessons.tables import caption, cells


@pytest.mark.parametrize("sizes", [(256, 32, 64), (16, 512, 2048), (65536, 8, 8)])
def test_the_sliders_set_the_sizes_that_are_counted(sizes: tuple[int, int, int]) -> None:
    shown = Crossover()
    shown.locations.value, shown.channels.value, shown.teacher_channels.value = sizes
    maps, channels = cost_of_maps(*sizes), cost_of_channels(*sizes)
    counted = {name: row[0] for name, row in cells(shown.counts.value).items()}
    assert counted == {"N x N maps": f"{maps.products:,}", "products of channels": f"{channels.products:,}"}
    cheaper = "N x N maps" if maps.products < channels.products else "products of channels"
    assert f"pfs_loss takes the {cheaper}" in caption(shown.counts.value)


def test_the_table_holds_the_committed_benchmark() -> None:
    rows = pd.read_csv(repository() / "results" / "benchmark" / "kernels.csv")
    chosen = rows[(rows["reading"] == "squared") & (rows["dtype"] == "float32") & (rows["batch"] == 1)]
    chosen = chosen[(chosen["channels"] == 256) & (chosen["locations"] == 4096)]
    milliseconds = dict(zip(chosen["form"], chosen["milliseconds"], strict=True))
    ours, dense = milliseconds["ours"], milliseconds["dense"]
    html = curves().value
    assert cells(html)["4,096"] == [f"{ours:,.1f}", f"{dense:,.1f}", f"{dense / ours:.1f}"]
    assert 'alt="Two log-log charts' in html

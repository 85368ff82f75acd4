"""Every control of walkthrough 1 is driven without a browser, and what is shown is compared with `pfs.losses`."""

import io
import re
import statistics
import time
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pfs.losses import pfs_loss
from pfs.losses.definition import similarity_maps
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike import Explorer
from pfs.walkthrough.lessons.alike.maps import clearest_place, maps_of
from pfs.walkthrough.lessons.alike.texts import class_of, number
from pfs.walkthrough.paint import paint_amount, paint_signed


@pytest.fixture
def explorer(tiny: Walkthrough) -> Explorer:
    """It shows the middle of the first image."""
    explorer = Explorer(tiny)
    explorer.image.value = 0
    explorer.pointer.point(16, 16)
    return explorer


def decoded(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_pictures_are_of_the_location_that_is_pointed_at(explorer: Explorer, tiny: Walkthrough) -> None:
    explorer.pointer.point(9, 31)
    assert explorer.location == (2, 7)
    maps = {name: similarity_maps(tiny.features(name))[0, 2 * 8 + 7].view(8, 8) for name in ("teacher", "ce", "pfs")}
    for name, values in maps.items():
        difference = decoded(explorer.maps[name].image).astype(int) - paint_signed(values.numpy())
        assert abs(difference).max() <= 2  # a value between two colours may be rounded to either
    terms = {name: (maps[name] - maps["teacher"]).square() for name in ("ce", "pfs")}
    top = max(float(values.max()) for values in terms.values())
    for name, values in terms.items():
        difference = decoded(explorer.entries[name].image).astype(int) - paint_amount(values.numpy(), top)
        assert abs(difference).max() <= 4
        assert explorer.row_losses[name] == pytest.approx(float(values.mean()), rel=1e-4)


def test_shares_are_painted_on_the_scale_of_the_other_locations(explorer: Explorer, tiny: Walkthrough) -> None:
    """At a low temperature a location is like itself above all: on a scale up to that, all others would be black."""
    explorer.distance.value, explorer.temperature.value = "kl", 0.05
    explorer.pointer.point(9, 31)
    shares = {name: maps_of(tiny.features(name)[0], explorer.reading)[23] for name in explorer.maps}
    others = torch.arange(64) != 23
    scale = max(float(values[others].max()) for values in shares.values())
    for name, values in shares.items():
        difference = decoded(explorer.maps[name].image).astype(int) - paint_amount(values.view(8, 8).numpy(), scale)
        assert abs(difference).max() <= 4
    assert f"<span>{number(scale)}</span>" in explorer.key.value


def test_all_pictures_point_at_the_same_place_whichever_is_moved(explorer: Explorer) -> None:
    explorer.maps["ce"].point(5, 6)
    assert {picture.place for picture in (explorer.pointer, *explorer.maps.values(), *explorer.entries.values())} == {
        (5, 6)
    }


def test_a_move_is_painted_once(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Any] = []
    monkeypatch.setattr(explorer, "_show", lambda: painted.append(explorer.location))
    explorer.pointer.set_state({"row": 12, "column": 16})
    assert painted == [(3, 4)]


SWITCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"center": False}, {"center": False}),
    ({"similarity": "dot"}, {"similarity": "dot"}),
    ({"distance": "kl", "temperature": 0.5}, {"distance": "kl", "temperature": 0.5}),
]


@pytest.mark.parametrize(("values", "options"), SWITCHES, ids=str)
@pytest.mark.parametrize(
    "view", [{"image": 1}, {"layer": "stage3"}, {"layer": "before_relu"}, {"snapshot": 40}], ids=str
)
def test_the_loss_is_that_of_pfs_loss(
    explorer: Explorer, tiny: Walkthrough, values: dict[str, Any], options: dict[str, Any], view: dict[str, Any]
) -> None:
    for name, value in {**values, **view}.items():
        getattr(explorer, name).value = value
    image, layer = explorer.image.value, view.get("layer")
    teacher = tiny.features("teacher", layer=layer)[[image]]
    for name in ("ce", "pfs"):
        student = tiny.features(name, view.get("snapshot"), layer)[[image]]
        expected = float(pfs_loss(student, teacher, **options))
        assert explorer.losses[name] == pytest.approx(expected, rel=1e-6)
        assert f"<b>{number(expected)}</b>" in explorer.terms.value


def test_the_mean_of_the_rows_is_the_loss(explorer: Explorer) -> None:
    rows: dict[str, list[float]] = {"ce": [], "pfs": []}
    for row in range(0, 32, 4):
        for column in range(0, 32, 4):
            explorer.pointer.point(row, column)
            for name, losses in rows.items():
                losses.append(explorer.row_losses[name])
    assert {name: float(np.mean(losses)) for name, losses in rows.items()} == pytest.approx(explorer.losses, rel=1e-4)


def test_pictures_and_numbers_follow_the_pointer_at_once(explorer: Explorer) -> None:
    """In 200 ms, in the median: a busy machine makes single moves slower."""
    seconds = []
    for row in range(0, 32, 4):
        began = time.perf_counter()
        explorer.pointer.point(row, 31 - row)
        seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) < 0.2


def test_the_terms_are_filled_in(explorer: Explorer, tiny: Walkthrough) -> None:
    explorer.pointer.point(20, 8)
    P = [similarity_maps(tiny.features(name))[0, 5 * 8 + 2] for name in ("ce", "teacher")]
    most = int((P[0] - P[1]).square().argmax())
    term = number(float((P[0] - P[1]).square()[most]))
    assert "i = (5, 2)" in explorer.terms.value
    assert re.search(rf"j = \({most // 8}, {most % 8}\): \(.*\)² = {re.escape(term)}", explorer.terms.value)


def test_alternative_texts_say_what_is_shown_now(explorer: Explorer, tiny: Walkthrough) -> None:
    before = [picture.alt for picture in (explorer.pointer, *explorer.maps.values(), *explorer.entries.values())]
    explorer.pointer.point(9, 31)
    after = [picture.alt for picture in (explorer.pointer, *explorer.maps.values(), *explorer.entries.values())]
    assert all(after) and not set(before) & set(after)
    said = f"Image 1, row 9, column 31: {class_of(tiny.labels[0, 9, 31], tiny.classes)}"
    losses = [number(explorer.row_losses[name]) for name in ("ce", "pfs")]
    assert explorer.pointer.alt == (
        f"{said}. The loss of this map: Student alone {losses[0]}, Student with PFS {losses[1]}."
    )
    assert said in explorer.here.value  # for all to see
    explorer.pointer.point(0, 0)
    assert "row 0, column 0: not scored" in explorer.here.value


def test_it_begins_where_pfs_helps_most(tiny: Walkthrough) -> None:
    explorer = Explorer(tiny)
    assert (explorer.image.value, *explorer.pointer.place) == clearest_place(tiny)


def test_classes_are_named_in_words() -> None:
    assert [class_of(label, ("background", "5")) for label in (0, 1, 255)] == ["background", "class 5", "not scored"]


def test_switches_that_have_no_effect_are_off_and_say_why(explorer: Explorer) -> None:
    assert explorer.reason.value == ""
    assert explorer.temperature.layout.visibility == "hidden" and not explorer.layer.disabled
    explorer.distance.value, explorer.layer.value, explorer.snapshot.value = "kl", "stage3", 0
    assert explorer.temperature.layout.visibility == "visible"
    assert explorer.layer.disabled and explorer.layer.value == "stage4"  # the only layer that snapshots have
    assert "only the features of stage4 were kept" in explorer.reason.value
    explorer.snapshot.value = "end"
    assert explorer.reason.value == "" and not explorer.layer.disabled


def test_every_control_has_a_label(explorer: Explorer) -> None:
    assert all(control.description for control in explorer._controls())
    assert torch.is_grad_enabled()

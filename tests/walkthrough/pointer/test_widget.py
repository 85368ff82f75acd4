"""The widget that points: what Python says of a place. `tests/walkthrough/pointer/test_in_browser.py` drives it."""

from pfs.walkthrough.pointer import Pointer


def test_a_place_outside_of_the_picture_becomes_the_nearest_one_in_it() -> None:
    pointer = Pointer(rows=4, columns=8)
    pointer.point(9, -1)
    assert pointer.place == (3, 0)


def test_whoever_watches_is_told_once_of_each_move() -> None:
    pointer, told = Pointer(), []
    pointer.on_move(lambda *place: told.append(place))
    pointer.point(3, 4)
    pointer.point(3, 4)
    pointer.set_state({"row": 5, "column": 6})  # as a browser's message does
    pointer.row = 7
    assert told == [(3, 4), (5, 6), (7, 6)]


def test_the_browser_gets_script_and_style() -> None:
    assert "export default" in str(Pointer()._esm) and ".pfs-pointer" in str(Pointer()._css)


def test_the_script_is_short() -> None:
    assert len(str(Pointer()._esm).splitlines()) < 120

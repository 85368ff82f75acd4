"""A place is the answer once the reader has pointed at one."""

from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike import AskPlace
from tests.walkthrough.lessons.tables import pixels


def test_the_location_under_the_cross_is_checked(tiny: Walkthrough) -> None:
    asked = AskPlace(tiny, 2, lambda row, column: f"{row} & {column}")
    assert (pixels(asked.pointer.image) == tiny.images[1]).all()
    asked.pointer.point(9, 31)
    assert "row 2, column 7" in asked.here.value and "row 2, column 7" in asked.pointer.alt
    asked.button.click()
    assert asked.verdict.value == '<div role="status">2 &amp; 7</div>'


def test_nothing_is_checked_before_the_reader_has_pointed(tiny: Walkthrough) -> None:
    asked = AskPlace(tiny, 1, lambda row, column: "Right")
    assert asked.button.disabled and "Point at a place" in asked.here.value
    asked.pointer.point(9, 31)
    assert not asked.button.disabled

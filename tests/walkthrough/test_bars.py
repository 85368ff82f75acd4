"""A table says each number in words, and repeats it as a bar."""

import re

import pytest

from pfs.walkthrough.bars import Bar, table


@pytest.mark.parametrize(
    ("bar", "left", "width"),
    [
        (Bar(1.0, "1", 4.0, "red"), 0, 25),
        (Bar(9.0, "9", 4.0, "red"), 0, 100),
        (Bar(-2.0, "-2", 4.0, "red", signed=True), 25, 25),
        (Bar(4.0, "+4", 4.0, "red", signed=True), 50, 50),
        (Bar(0.0, "0", 0.0, "red"), 0, 0),
    ],
)
def test_a_bar_is_as_long_as_its_number(bar: Bar, left: float, width: float) -> None:
    html = table("Title", ("Name", "Number"), [("a", bar)])
    drawn = re.search(r"left:([\d.]+)%;width:([\d.]+)%", html)
    assert drawn and [float(number) for number in drawn.groups()] == [left, width]
    assert f">{bar.text}<" in html


def test_texts_are_escaped_and_bars_are_silent() -> None:
    html = table("a < b", ("<i>",), [("<b>", Bar(1, "1 & 2", 1, "red"))])
    for text in ("a &lt; b", "&lt;i&gt;", "&lt;b&gt;", "1 &amp; 2"):
        assert text in html
    assert html.count('aria-hidden="true"') == 1

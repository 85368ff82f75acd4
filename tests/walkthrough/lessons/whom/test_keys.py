"""The keys name the classes that are there, with their colours, and the largest weight."""

from bs4 import BeautifulSoup

from pfs.report.pictures import class_palette
from pfs.walkthrough.lessons.whom.keys import keys_of


def test_each_class_of_the_image_has_its_colour_and_its_name() -> None:
    key = BeautifulSoup(keys_of([0, 2], ("background", "0", "<1>"), 7.31), "html.parser")
    named = {str(item.parent.get_text()): str(item["style"]) for item in key.find_all("i") if item.parent}
    assert list(named) == ["background", "<1>"]
    assert "background:rgb({},{},{})".format(*class_palette(3)[2]) in named["<1>"]


def test_the_ends_of_the_scales_are_told() -> None:
    text = BeautifulSoup(keys_of([0], ("background", "0"), 7.31), "html.parser").get_text(" ")
    assert " ".join(text.split()) == "background p[y]: 0 1 weight: 0 7.31 grey: the label is ignored"

"""A slider with a name that a screen reader reads, which those of ipywidgets do not have."""

from pfs.walkthrough.lessons.controls.slider.widget import Slider, doublings

__all__ = ["Slider", "doublings"]

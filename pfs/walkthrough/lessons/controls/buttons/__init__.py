"""A row of buttons of which one is pressed, as a widget."""

from pfs.walkthrough.lessons.controls.buttons.widget import Buttons, same

__all__ = ["Buttons", "same"]

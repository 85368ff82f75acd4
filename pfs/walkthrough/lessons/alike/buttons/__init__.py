"""A row of buttons of which one is pressed, as a widget."""

from pfs.walkthrough.lessons.alike.buttons.widget import Buttons

__all__ = ["Buttons"]

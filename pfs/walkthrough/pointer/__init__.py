"""A picture that a reader can point at, as a widget."""

from pfs.walkthrough.pointer.widget import Pointer

__all__ = ["Pointer"]

"""The walkthroughs' data: images, labels, and the outputs of the teacher and of students, in one small file."""

from pfs.walkthrough.arrays.read import Walkthrough, WalkthroughError, load_walkthrough

__all__ = ["Walkthrough", "WalkthroughError", "load_walkthrough"]

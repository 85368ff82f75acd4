"""Walkthrough 1, "What is alike?": the similarity maps of teacher and students, and the loss between them."""

from pfs.walkthrough.lessons.alike.exercises import check_definition, check_factor, check_largest, check_unchanged
from pfs.walkthrough.lessons.alike.explorer import Explorer
from pfs.walkthrough.lessons.alike.maps import Reading, entries_of_loss, maps_of

__all__ = [
    "Explorer",
    "Reading",
    "check_definition",
    "check_factor",
    "check_largest",
    "check_unchanged",
    "entries_of_loss",
    "maps_of",
]

"""Walkthrough 1, "What is alike?": the similarity maps of teacher and students, and the loss between them."""

from pfs.walkthrough.lessons.alike.exercises import (
    CHANGES,
    check_definition,
    check_factor,
    check_largest,
    check_unchanged,
)
from pfs.walkthrough.lessons.alike.explorer import Explorer
from pfs.walkthrough.lessons.alike.maps import Reading, directions, maps_of, rows_of_losses, share_of_means
from pfs.walkthrough.lessons.alike.place import AskPlace

__all__ = [
    "CHANGES",
    "AskPlace",
    "Explorer",
    "Reading",
    "check_definition",
    "check_factor",
    "check_largest",
    "check_unchanged",
    "directions",
    "maps_of",
    "rows_of_losses",
    "share_of_means",
]

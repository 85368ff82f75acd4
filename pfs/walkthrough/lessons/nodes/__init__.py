"""Walkthrough 3, "Sixteen nodes or every pixel, and what it costs"."""

from pfs.walkthrough.lessons.nodes.costs import Crossover, curves
from pfs.walkthrough.lessons.nodes.exercises import check_crossover, check_identity, check_memory, check_way
from pfs.walkthrough.lessons.nodes.explorer import Explorer
from pfs.walkthrough.lessons.nodes.guess import Guess

__all__ = ["Crossover", "Explorer", "Guess", "check_crossover", "check_identity", "check_memory", "check_way", "curves"]
